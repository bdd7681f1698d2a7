"""Stage `sr`: train the x4 super-resolution network."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, load_params
from pipeline.cli.sr_training import (
    TRAIN_SET,
    VALID_SET,
    SharpenerRun,
    TrainSet,
    ValidSet,
    train_sharpener,
)


def sr(
    train_set: TrainSet = TRAIN_SET,
    valid_set: ValidSet = VALID_SET,
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
    run = SharpenerRun("ppcn_sr", params.sr, params.sr, train_set, valid_set, out, metrics)
    train_sharpener(run, params)
