"""Stage `sr`: train the x4 super-resolution network."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from pipeline.options import ParamsFile, load_params
from pipeline.progress import showing
from ppcn.artifacts import provenance, write_csv, write_json
from ppcn.batches import crop_batches, validation_photos
from ppcn.datasets import open_crops, read_photos
from ppcn.networks.superres import SuperResolver
from ppcn.objectives import Sharpening
from ppcn.training import train
from ppcn.weights import save_weights


def sr(
    train_set: Annotated[Path, typer.Option("--train", help="Training crops.")] = Path(
        "data/sr/train.h5"
    ),
    valid_set: Annotated[Path, typer.Option("--valid", help="Held-out photos.")] = Path(
        "data/sr/valid.h5"
    ),
    out: Annotated[Path, typer.Option(help="Weights to write.")] = Path(
        "data/models/sr/ppcn_sr.safetensors"
    ),
    metrics: Annotated[Path, typer.Option(help="Metrics to write.")] = Path(
        "metrics/sr/ppcn_sr.json"
    ),
    params_file: ParamsFile = None,
) -> None:
    """Train the x4 super-resolution network (PPCN eq. 6)."""
    params = load_params(params_file)
    torch.manual_seed(params.seed)
    network = SuperResolver()
    validate = validation_photos(read_photos(valid_set))
    with open_crops(train_set) as crops, showing("sr") as report:
        draw = crop_batches(crops, params.sr)
        objective = Sharpening(params.sr)
        rows = train(network, objective, draw, validate, params.sr, params.seed, report)
    recorded = provenance(params.seed, {"train": train_set, "valid": valid_set})
    save_weights(out, "ppcn_sr", network, {"training": params.sr.model_dump(), **recorded})
    write_csv(metrics.with_suffix(".csv"), rows)
    figures = {name: rows[-1][name] for name in ("step", "loss", "psnr")}
    write_json(metrics, {"validation": figures, **recorded})
    typer.echo(f"sr: held-out PSNR {rows[-1]['psnr']:.2f} dB (RGB, middle of each photo)")
