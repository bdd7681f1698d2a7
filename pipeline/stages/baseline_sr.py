"""Stage `baseline-sr`: train any super-resolution network for its paper's loss, at one budget."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, load_params
from pipeline.cli.training_runs import TRAIN_SET, VALID_SET, TrainSet, ValidSet, run_training
from ppcn.errors import UserError, nearest
from ppcn.training.base_run import fresh_network
from ppcn.training.sr_run import SRConfig, train_sr

NetworkToTrain = Annotated[
    str,
    typer.Option(help="Network to train: a key of tables.sr in the parameter file."),
]
WeightsFile = Annotated[
    Path | None,
    typer.Option(
        help="Weights file to write; data/models/baseline-sr/NETWORK.safetensors by default."
    ),
]
MetricsFile = Annotated[
    Path | None,
    typer.Option(
        help="Metrics file to write, with the log of the training as .csv beside it; "
        "metrics/baseline-sr/NETWORK.json by default."
    ),
]


def baseline_sr(
    network: NetworkToTrain,
    train_set: TrainSet = TRAIN_SET,
    valid_set: ValidSet = VALID_SET,
    out: WeightsFile = None,
    metrics: MetricsFile = None,
    params_file: ParamsFile = None,
) -> None:
    """Train one super-resolution network at the budget of the tables.

    Each network is trained for the loss that tables.sr of params.yaml names.
    """
    params = load_params(params_file)
    losses = {str(name): loss for name, loss in params.tables.sr.items()}
    if network not in losses:
        near = nearest(network, losses)
        raise UserError(f"--network: '{network}' is no key of tables.sr; the nearest is '{near}'")
    config = SRConfig(
        title=network,
        name=network,
        network=fresh_network(network, params.seed),
        training=params.baseline_sr,
        loss=losses[network],
        train_set=train_set,
        valid_set=valid_set,
        out=out or Path(f"data/models/baseline-sr/{network}.safetensors"),
        metrics=metrics or Path(f"metrics/baseline-sr/{network}.json"),
    )
    run_training(train_sr, config, params)
