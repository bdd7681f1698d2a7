"""Stage `student`: distil the teacher into the network that runs on a phone."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from pipeline.cli.enhancer_training import FEATURES, EnhancerRun, Features, train_enhancer
from pipeline.cli.options import ParamsFile, PatchesFile, Phone, load_params
from ppcn.networks.ppcn import Student, Teacher
from ppcn.weights import load_network


def student(
    phone: Phone,
    patches: PatchesFile = None,
    features: Features = FEATURES,
    teacher: Annotated[
        Path | None, typer.Option(help="data/models/teacher/PHONE.safetensors by default.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="data/models/student/PHONE.safetensors by default.")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="metrics/student/PHONE.json by default.")
    ] = None,
    params_file: ParamsFile = None,
) -> None:
    """Train the student, imitating the teacher's feature maps (PPCN eq. 12-13)."""
    params = load_params(params_file)
    teacher = teacher or Path(f"data/models/teacher/{phone}.safetensors")
    master, _ = load_network(teacher, Teacher)
    torch.manual_seed(params.seed)
    run = EnhancerRun(
        title=f"student {phone}",
        name="ppcn_student",
        network=Student(params.student.initial_deviation),
        phone=phone,
        recipe_name=params.loss.recipe,
        recipe=params.recipe(),
        training=params.student,
        teacher=(master, teacher),
        patches=patches or Path(params.data.patches) / f"{phone}.h5",
        features=features,
        out=out or Path(f"data/models/student/{phone}.safetensors"),
        metrics=metrics or Path(f"metrics/student/{phone}.json"),
    )
    train_enhancer(run, params)
