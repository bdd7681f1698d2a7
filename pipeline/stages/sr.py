"""Stage `sr`: train a super-resolution network."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, load_params
from pipeline.cli.training_runs import TRAIN_SET, VALID_SET, TrainSet, ValidSet, run_training
from ppcn.training.base_run import fresh_network
from ppcn.training.sr_run import SRConfig, train_sr

WeightsFile = Annotated[
    Path | None,
    typer.Option(help="Weights file to write; data/models/sr/NETWORK.safetensors by default."),
]
MetricsFile = Annotated[
    Path | None,
    typer.Option(
        help="Metrics file to write, with the log of the training as .csv beside it; "
        "metrics/sr/NETWORK.json by default."
    ),
]


def sr(
    train_set: TrainSet = TRAIN_SET,
    valid_set: ValidSet = VALID_SET,
    out: WeightsFile = None,
    metrics: MetricsFile = None,
    params_file: ParamsFile = None,
) -> None:
    """Train a super-resolution network.

    The network is sr.network of params.yaml, trained for PPCN eq. 6 by default.
    """
    params = load_params(params_file)
    name = params.sr.network
    config = SRConfig(
        title=name,
        name=name,
        network=fresh_network(name, params.seed),
        training=params.sr,
        loss=params.sr,
        train_set=train_set,
        valid_set=valid_set,
        out=out or Path(f"data/models/sr/{name}.safetensors"),
        metrics=metrics or Path(f"metrics/sr/{name}.json"),
    )
    run_training(train_sr, config, params)
