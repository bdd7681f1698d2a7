"""Stage `teacher`: train the large enhancement network on one phone's patches."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from pipeline.enhancer import FEATURES, Features, train_enhancer
from pipeline.options import ParamsFile, PatchesFile, Phone, load_params
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
    """Train the teacher (PPCN eq. 13 without distillation)."""
    params = load_params(params_file)
    torch.manual_seed(params.seed)
    network = Teacher(params.teacher.initial_deviation)
    files = (patches, features, out, metrics)
    train_enhancer("teacher", network, None, phone, params, params.teacher, files)
