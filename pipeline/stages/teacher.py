"""Stage `teacher`: train the large enhancement network on one phone's patches."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from pipeline.cli.enhancer_training import FEATURES, EnhancerRun, Features, train_enhancer
from pipeline.cli.options import ParamsFile, PatchesFile, Phone, load_params
from ppcn.networks.ppcn import Teacher


def teacher(
    phone: Phone,
    patches: PatchesFile = None,
    features: Features = FEATURES,
    out: Annotated[
        Path | None, typer.Option(help="data/models/teacher/PHONE.safetensors by default.")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="metrics/teacher/PHONE.json by default.")
    ] = None,
    params_file: ParamsFile = None,
) -> None:
    """Train the teacher (PPCN eq. 13 without distillation, or another recipe)."""
    params = load_params(params_file)
    torch.manual_seed(params.seed)
    run = EnhancerRun(
        title=f"teacher {phone}",
        name="ppcn_teacher",
        network=Teacher(params.teacher.initial_deviation),
        phone=phone,
        recipe_name=params.loss.recipe,
        recipe=params.recipe(),
        training=params.teacher,
        teacher=None,
        patches=patches or Path(params.data.patches) / f"{phone}.h5",
        features=features,
        out=out or Path(f"data/models/teacher/{phone}.safetensors"),
        metrics=metrics or Path(f"metrics/teacher/{phone}.json"),
    )
    train_enhancer(run, params)
