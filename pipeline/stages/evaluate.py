"""Stage `evaluate`: teacher and student against do-nothing on photos that training never saw."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from torch import nn

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
from ppcn.dataset.patch_set import PatchSet, open_equal_patches
from ppcn.dataset.splits import TEST
from ppcn.evaluation.comparison import compare_patches, compare_photo
from ppcn.evaluation.photo_protocol import score_photos
from ppcn.evaluation.protocols import Enhance, do_nothing, run_network, score_enhancement
from ppcn.evaluation.whole_photos import held_out_photos, stems_of_test, whole_photos
from ppcn.files.artifacts import provenance, write_json
from ppcn.inference.tiled import Tiled, run_tiled
from ppcn.networks.ppcn import Student, Teacher
from ppcn.photos.decode import Photo, read_photo, write_photo
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
    """Score teacher and student on photos that training never saw.

    Patches are scored one by one (protocol pirm2018), and whole photos as users get them, on the
    windows that match the better camera's (protocol photo). Pictures show before and after.
    """
    params = load_params(params_file)
    patches = patches or usual_patches(params, phone)
    aligned = aligned or Path(f"data/aligned/{phone}.h5")
    teacher = teacher or Path(f"data/models/teacher/{phone}.safetensors")
    student = student or Path(f"data/models/student/{phone}.safetensors")
    teacher_network, trained_on = load_network(teacher, Teacher)
    student_network, _ = load_network(student, Student)
    networks = {"teacher": teacher_network, "student": student_network}
    with open_equal_patches(patches) as cut:
        photos = whole_photos(cut, aligned, root or Path(params.data.root))
        if not photos:
            typer.echo(f"{patches}: not cut from pairs of {aligned}; whole photos are not scored")
        whole = _score_photos(networks, cut, photos, f"evaluate {phone}: photos")
        methods = {name: run_network(network) for name, network in networks.items()}
        scores, gains = _score(methods, cut, f"evaluate {phone}: patches")
        pairs = _pairs_to_draw(cut)
        test_photos = len(stems_of_test(cut))
    inputs = {"patches": patches, "teacher": teacher, "student": student}
    facts = {"test_photos": test_photos, **gains, "features": trained_on.get("features")}
    if whole:
        facts["photo"], inputs["aligned"] = whole, aligned
    metrics = metrics or Path(f"metrics/evaluate/{phone}.json")
    write_json(metrics, {**scores, **facts, **provenance(params.seed, inputs)})
    drawn = {name: methods[name] for name in ("student", "teacher")}
    shown = {stem: read_photo(photos[stem]) for stem in list(photos)[:PHOTOS_DRAWN]}
    _draw(pictures or Path(f"data/pictures/{phone}"), drawn, pairs, shown)
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


def _score_photos(
    networks: Mapping[str, nn.Module], cut: PatchSet, photos: Mapping[str, Path], title: str
) -> dict[str, Any] | None:
    """Scores of whole photos; None where there are none."""
    if not photos:
        return None
    methods = {name: run_tiled(Tiled(network)) for name, network in networks.items()}
    with showing(title) as report:
        return score_photos(methods, counted(held_out_photos(cut, photos), len(photos), report))


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
