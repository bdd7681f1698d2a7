"""Stage `evaluate`: teacher and student against do-nothing on photos that training never saw."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import (
    AlignedFile,
    ParamsFile,
    PatchesFile,
    Phone,
    Root,
    load_params,
    usual_patches,
)
from pipeline.cli.progress import counted, showing
from ppcn.dataset.patch_set import PatchSet, open_patches
from ppcn.dataset.splits import TEST
from ppcn.evaluation.protocols import Enhance, do_nothing, run_network, score_enhancement
from ppcn.evaluation.whole_photos import stems_of_test, whole_photos
from ppcn.files.artifacts import provenance, write_json
from ppcn.networks.ppcn import Student, Teacher
from ppcn.photos.decode import Photo, read_photo, write_photo
from ppcn.report.comparison import compare_patches, compare_photo
from ppcn.weights import load_network

PHOTOS_DRAWN = 2
PATCHES_DRAWN = 6

TeacherFile = Annotated[
    Path | None,
    typer.Option(
        help="Weights file of the teacher; data/models/teacher/PHONE.safetensors by default."
    ),
]
StudentFile = Annotated[
    Path | None,
    typer.Option(
        help="Weights file of the student; data/models/student/PHONE.safetensors by default."
    ),
]
MetricsFile = Annotated[
    Path | None,
    typer.Option(help="Metrics file to write; metrics/evaluate/PHONE.json by default."),
]
PicturesFolder = Annotated[
    Path | None,
    typer.Option(
        help="Folder for pictures of patches and photos before and after; "
        "data/pictures/PHONE by default."
    ),
]


def evaluate(
    phone: Phone,
    patches: PatchesFile = None,
    aligned: AlignedFile = None,
    root: Root = None,
    teacher: TeacherFile = None,
    student: StudentFile = None,
    metrics: MetricsFile = None,
    pictures: PicturesFolder = None,
    params_file: ParamsFile = None,
) -> None:
    """Score the test photos' patches (protocol pirm2018) and draw before and after."""
    params = load_params(params_file)
    patches = patches or usual_patches(params, phone)
    aligned = aligned or Path(f"data/aligned/{phone}.h5")
    teacher = teacher or Path(f"data/models/teacher/{phone}.safetensors")
    student = student or Path(f"data/models/student/{phone}.safetensors")
    teacher_network, trained_on = load_network(teacher, Teacher)
    student_network, _ = load_network(student, Student)
    methods = {"teacher": run_network(teacher_network), "student": run_network(student_network)}
    with open_patches(patches) as cut:
        photos = _photos_to_draw(cut, aligned, root or Path(params.data.root))
        scores, gains = _score(methods, cut, f"evaluate {phone}")
        pairs = _pairs_to_draw(cut)
        test_photos = len(stems_of_test(cut))
    inputs = {"patches": patches, "teacher": teacher, "student": student}
    facts = {"test_photos": test_photos, **gains, "features": trained_on.get("features")}
    metrics = metrics or Path(f"metrics/evaluate/{phone}.json")
    write_json(metrics, {**scores, **facts, **provenance(params.seed, inputs)})
    drawn = {name: methods[name] for name in ("student", "teacher")}
    _draw(pictures or Path(f"data/pictures/{phone}"), drawn, pairs, photos)
    typer.echo(", ".join(f"{name} {gain:+.2f}" for name, gain in gains.items()))


def _score(
    methods: Mapping[str, Enhance], cut: PatchSet, title: str
) -> tuple[dict[str, Any], dict[str, float]]:
    """Scores of do-nothing and the methods, and what the methods gain in PSNR, dB."""
    indices = cut.of_split(TEST, "test")
    with showing(title) as report:
        pairs = counted(cut.pairs(indices), len(indices), report)
        scores = score_enhancement({"do_nothing": do_nothing, **methods}, pairs)
    base = scores["do_nothing"]["psnr"]
    return scores, {f"{name}_gain_db": scores[name]["psnr"] - base for name in methods}


def _photos_to_draw(cut: PatchSet, aligned: Path, root: Path) -> dict[str, Photo]:
    """The first of the test photos by stem; all of them are there."""
    photos = whole_photos(cut, aligned, root)
    if not photos:
        typer.echo(f"{cut.path}: not cut from pairs of {aligned}; no whole photos are drawn")
    return {stem: read_photo(photos[stem]) for stem in list(photos)[:PHOTOS_DRAWN]}


def _pairs_to_draw(cut: PatchSet) -> list[tuple[Photo, Photo]]:
    """Patches from all over the test photos."""
    indices = cut.of_split(TEST, "test")
    chosen = indices[:: max(1, len(indices) // PATCHES_DRAWN)][:PATCHES_DRAWN]
    return list(cut.pairs(chosen))


def _draw(
    folder: Path,
    methods: Mapping[str, Enhance],
    pairs: list[tuple[Photo, Photo]],
    photos: Mapping[str, Photo],
) -> None:
    write_photo(folder / "patches.png", compare_patches(pairs, methods))
    for stem, photo in photos.items():
        write_photo(folder / f"{stem}.jpg", compare_photo(photo, methods), quality=90)
