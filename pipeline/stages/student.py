"""Stage `student`: distil the teacher into the network that runs on a phone."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.enhancement_training import Files, train_on_phone
from pipeline.cli.options import AlsoPatches, ParamsFile, PatchesFile, Phone, load_params
from pipeline.cli.training_runs import FEATURES, Features
from ppcn.networks.ppcn import Teacher
from ppcn.training.base_run import fresh_enhancer
from ppcn.weights import load_network

TeacherFile = Annotated[
    Path | None,
    typer.Option(
        help="Weights file of the teacher; data/models/teacher/PHONE.safetensors by default."
    ),
]
WeightsFile = Annotated[
    Path | None,
    typer.Option(help="Weights file to write; data/models/student/PHONE.safetensors by default."),
]
MetricsFile = Annotated[
    Path | None,
    typer.Option(
        help="Metrics file to write, with the log of the training as .csv beside it; "
        "metrics/student/PHONE.json by default."
    ),
]


def student(
    phone: Phone,
    patches: PatchesFile = None,
    also: AlsoPatches = None,
    features: Features = FEATURES,
    teacher: TeacherFile = None,
    out: WeightsFile = None,
    metrics: MetricsFile = None,
    params_file: ParamsFile = None,
) -> None:
    """Distil the teacher into the student, which runs on a phone.

    It imitates the teacher's feature maps (PPCN eq. 12-13).
    """
    params = load_params(params_file)
    teacher = teacher or Path(f"data/models/teacher/{phone}.safetensors")
    imitated, _ = load_network(teacher, Teacher)
    train_on_phone(
        params,
        phone,
        Files(patches, features, out, metrics, also or ()),
        stage="student",
        name="ppcn_student",
        network=fresh_enhancer("ppcn_student", params.seed, params.student),
        training=params.student,
        teacher=(imitated, teacher),
    )
