"""What the stages that train a super-resolution network share: one training run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer

from pipeline.cli.training_run import Result, run_training
from ppcn.dataset.patch_set import open_crops, read_photos
from ppcn.files.artifacts import provenance
from ppcn.networks import NETWORKS
from ppcn.params import Params, SRLoss, SRTraining
from ppcn.training.batches import CropSource
from ppcn.training.objective import SRObjective
from ppcn.training.validation import validation_photos

TrainSet = Annotated[Path, typer.Option("--train", help="Training crops.")]
ValidSet = Annotated[Path, typer.Option("--valid", help="Held-out photos.")]
TRAIN_SET = Path("data/sr/train.h5")
VALID_SET = Path("data/sr/valid.h5")


@dataclass(frozen=True)
class SharpenerRun:
    """One training run.

    Attributes:
        name: of the network in `NETWORKS`.
        loss: weights of its terms.
        training: steps, batch, learning rate, size of the crops.
        train_set: training crops.
        valid_set: held-out photos.
        out: weights to write.
        metrics: metrics to write, .json; the log goes beside it, .csv.
    """

    name: str
    loss: SRLoss
    training: SRTraining
    train_set: Path
    valid_set: Path
    out: Path
    metrics: Path


def train_sharpener(run: SharpenerRun, params: Params) -> None:
    """Train one super-resolution network and write weights, log and metrics."""
    torch.manual_seed(params.seed)
    network = NETWORKS[run.name].make()
    enlarged = NETWORKS[run.name].reads != "small"
    validation = validation_photos(read_photos(run.valid_set), enlarged)
    objective = SRObjective(run.loss)
    recorded = provenance(params.seed, {"train": run.train_set, "valid": run.valid_set})
    result = Result(run.name, run.name, run.out, run.metrics, {"loss": objective.weights}, recorded)
    with open_crops(run.train_set) as crops:
        source = CropSource(crops, run.training, enlarged)
        run_training(result, network, objective, source, validation, run.training, params)
