"""Stage `sr`: train the x4 super-resolution network."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, load_params
from pipeline.cli.training_runs import TRAIN_SET, VALID_SET, TrainSet, ValidSet, run_training
from ppcn.training.base_run import fresh_network
from ppcn.training.sr_run import SRConfig, train_sr

WeightsFile = Annotated[Path, typer.Option(help="Weights file to write.")]
MetricsFile = Annotated[
    Path,
    typer.Option(help="Metrics file to write, with the log of the training as .csv beside it."),
]


def sr(
    train_set: TrainSet = TRAIN_SET,
    valid_set: ValidSet = VALID_SET,
    out: WeightsFile = Path("data/models/sr/ppcn_sr.safetensors"),
    metrics: MetricsFile = Path("metrics/sr/ppcn_sr.json"),
    params_file: ParamsFile = None,
) -> None:
    """Train the x4 super-resolution network.

    It is trained for PPCN eq. 6.
    """
    params = load_params(params_file)
    config = SRConfig(
        title="ppcn_sr",
        name="ppcn_sr",
        network=fresh_network("ppcn_sr", params.seed),
        training=params.sr,
        loss=params.sr,
        train_set=train_set,
        valid_set=valid_set,
        out=out,
        metrics=metrics,
    )
    run_training(train_sr, config, params)
