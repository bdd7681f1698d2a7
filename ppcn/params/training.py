"""Parameters of training runs, and of the tables that compare them."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ppcn.errors import nearest
from ppcn.params.fields import (
    Count,
    FilePath,
    Fraction,
    Group,
    PhoneName,
    Positive,
    Share,
    Stem,
)
from ppcn.params.losses import SRLoss, TermName
from ppcn.params.photos import CameraBounds

Without = Literal["none", TermName, "noise"]
"""What an ablation leaves out: a term of the loss, or the noise of the mux networks."""
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


SRNetworkName = Literal["ppcn_sr", "plain_sr", "srcnn", "fsrcnn", "vdsr"]


class Engine(Group):
    """`engine`: how training computes."""

    precision: Literal["float32", "tf32", "bfloat16"]
    compile: Literal["none", "network", "step"]


class Training(Group):
    """One training run."""

    steps: Count
    batch: Count
    learning_rate: Positive
    rate_warmup: Annotated[int, Field(ge=0)] = 0
    schedule: Literal["steps", "cosine"]
    decay_every: Count
    decay_factor: Annotated[float, Field(gt=0, le=1)]
    average: Fraction
    keep: Literal["best", "niqe", "last"]
    log_every: Count


class EnhancerTraining(Training):
    """`teacher`, `student`: one training run of an enhancement network."""

    warmup_steps: Annotated[int, Field(ge=0)]
    discriminator_warmup: Annotated[int, Field(ge=0)]
    initial_deviation: Positive | None
    color_augmentation: Share
    padding: Literal["zero", "mirror"]

    @model_validator(mode="after")
    def _warm_up_ends(self) -> "EnhancerTraining":
        if self.warmup_steps >= self.steps:
            raise ValueError("warmup_steps must be smaller than steps (teacher, student, baseline)")
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


class SRTraining(Training):
    """`baseline_sr`: one training run of a super-resolution network."""

    train_crop: Annotated[int, Field(ge=32, multiple_of=4)]
    detail: Share = 0.0


class LRCamera(CameraBounds):
    """`sr.camera`: what random cameras do to LR photos; they keep colours."""

    KEY = "sr.camera"


class SuperResolution(SRTraining, SRLoss):
    """`sr`: the data and the training run of the super-resolution network."""

    network: SRNetworkName
    hr_train: FilePath
    hr_valid: FilePath
    test: Fraction | list[Stem]
    reduce: Annotated[int, Field(ge=1, le=8)]
    crop: Annotated[int, Field(ge=64, multiple_of=4)]
    exclude: list[FilePath]
    lr: Literal["phone", "bicubic", "camera"]
    camera: LRCamera

    @model_validator(mode="after")
    def _crops_nest(self) -> "SuperResolution":
        if self.train_crop > self.crop:
            raise ValueError("sr.train_crop must not be larger than sr.crop")
        return self


class Benchmark(Group):
    """`benchmark`: on what networks are timed."""

    width: Annotated[int, Field(ge=16)]
    height: Annotated[int, Field(ge=16)]
    runs: Count


class Row(Group):
    """A row of the enhancement tables: a network and what it is trained for."""

    network: NetworkName
    recipe: str
    without: Without


class DistilledRow(Group):
    """A row of the enhancement tables: the student, taught by the table's teacher."""

    recipe: str
    without: Without


class Repeat(Group):
    """`tables.repeat`: rows that are trained with further seeds, for the spread between runs."""

    rows: list[str]
    seeds: list[Annotated[int, Field(ge=0, lt=2**63)]]

    @model_validator(mode="after")
    def _nothing_twice(self) -> "Repeat":
        for key, values in (("rows", self.rows), ("seeds", self.seeds)):
            if len({*values}) < len(values):
                raise ValueError(f"tables.repeat.{key} names one of its entries twice")
        return self


class Tables(Group):
    """`tables`: the rows of the tables that compare networks and losses."""

    phone: PhoneName
    repeat: Repeat
    enhancement: dict[str, Row]
    distilled: dict[str, DistilledRow]
    sr: dict[SRNetworkName, SRLoss]

    @model_validator(mode="after")
    def _rows_have_names_of_their_own(self) -> "Tables":
        taken = {"do_nothing", "protocol", "images", "identical"}
        for name in (*self.enhancement, *self.distilled):
            if name in taken:
                raise ValueError(f"tables: the row name '{name}' is taken; rename the row")
            taken.add(name)
        return self

    @model_validator(mode="after")
    def _repeated_rows_exist(self) -> "Tables":
        rows = (*self.enhancement, *self.distilled)
        for name in self.repeat.rows:
            if name not in rows:
                near = nearest(name, rows)
                raise ValueError(f"tables.repeat.rows: no row '{name}'; the nearest is '{near}'")
        return self

    def seeds_of(self, row: str, first: int) -> list[int]:
        """Every seed that a row of the enhancement tables is trained with, `first` first."""
        return [first, *(self.repeat.seeds if row in self.repeat.rows else [])]
