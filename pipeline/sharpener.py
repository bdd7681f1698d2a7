"""What the stages that train a super-resolution network share: one training run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer

from pipeline.progress import showing
from ppcn.artifacts import provenance, write_csv, write_json
from ppcn.batches import crop_batches, validation_photos
from ppcn.datasets import open_crops, read_photos
from ppcn.networks import NETWORKS
from ppcn.objectives import Sharpening
from ppcn.params import Params, SharpenerTraining, SharpeningLoss
from ppcn.training import train
from ppcn.weights import save_weights

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
    loss: SharpeningLoss
    training: SharpenerTraining
    train_set: Path
    valid_set: Path
    out: Path
    metrics: Path


def train_sharpener(run: SharpenerRun, params: Params) -> None:
    """Train one super-resolution network and write weights, log and metrics."""
    torch.manual_seed(params.seed)
    network = NETWORKS[run.name].make()
    enlarged = NETWORKS[run.name].reads != "small"
    validate = validation_photos(read_photos(run.valid_set), enlarged)
    with open_crops(run.train_set) as crops, showing(run.name) as report:
        draw = crop_batches(crops, run.training, enlarged)
        objective = Sharpening(run.loss)
        rows = train(network, objective, draw, validate, run.training, params.seed, report)
    recorded = provenance(params.seed, {"train": run.train_set, "valid": run.valid_set})
    settings = {"training": run.training.model_dump(), "loss": objective.weights}
    save_weights(run.out, run.name, network, {**settings, **recorded})
    write_csv(run.metrics.with_suffix(".csv"), rows)
    figures = {name: rows[-1][name] for name in ("step", "loss", "psnr")}
    write_json(run.metrics, {"validation": figures, **recorded})
    psnr = rows[-1]["psnr"]
    typer.echo(f"{run.name}: held-out PSNR {psnr:.2f} dB (RGB, middle of each photo)")
