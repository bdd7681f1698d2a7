"""Stage `baseline-sr`: train any super-resolution network for its paper's loss, at one budget."""

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
from ppcn.errors import UserError, nearest


def baseline_sr(
    network: Annotated[str, typer.Option(help="A key of tables.sr: ppcn_sr, srcnn, ...")],
    train_set: TrainSet = TRAIN_SET,
    valid_set: ValidSet = VALID_SET,
    out: Annotated[
        Path | None, typer.Option(help="data/models/baseline-sr/NETWORK.safetensors by default.")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="metrics/baseline-sr/NETWORK.json by default.")
    ] = None,
    params_file: ParamsFile = None,
) -> None:
    """Train one super-resolution network at the budget of `baseline_sr`."""
    params = load_params(params_file)
    losses = {str(name): loss for name, loss in params.tables.sr.items()}
    if network not in losses:
        near = nearest(network, losses)
        raise UserError(f"--network: '{network}' is no key of tables.sr; the nearest is '{near}'")
    run = SharpenerRun(
        name=network,
        loss=losses[network],
        training=params.baseline_sr,
        train_set=train_set,
        valid_set=valid_set,
        out=out or Path(f"data/models/baseline-sr/{network}.safetensors"),
        metrics=metrics or Path(f"metrics/baseline-sr/{network}.json"),
    )
    train_sharpener(run, params)
