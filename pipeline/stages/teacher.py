"""Stage `teacher`: train the large enhancement network on one phone's patches."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.enhancement_training import Files, train_on_phone
from pipeline.cli.options import AlsoPatches, ParamsFile, PatchesFile, Phone, load_params
from pipeline.cli.training_runs import FEATURES, Features
from ppcn.training.base_run import fresh_enhancer

WeightsFile = Annotated[
    Path | None,
    typer.Option(help="Weights file to write; data/models/teacher/PHONE.safetensors by default."),
]
MetricsFile = Annotated[
    Path | None,
    typer.Option(
        help="Metrics file to write, with the log of the training as .csv beside it; "
        "metrics/teacher/PHONE.json by default."
    ),
]


def teacher(
    phone: Phone,
    patches: PatchesFile = None,
    also: AlsoPatches = None,
    features: Features = FEATURES,
    out: WeightsFile = None,
    metrics: MetricsFile = None,
    params_file: ParamsFile = None,
) -> None:
    """Train the teacher, the large enhancement network.

    It is trained on one phone's patches for PPCN eq. 13 without distillation, or another recipe.
    """
    params = load_params(params_file)
    train_on_phone(
        params,
        phone,
        Files(patches, features, out, metrics, also or ()),
        stage="teacher",
        name="ppcn_teacher",
        network=fresh_enhancer("ppcn_teacher", params.seed, params.teacher),
        training=params.teacher,
    )
