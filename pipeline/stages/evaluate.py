"""Stage `evaluate`: teacher and student against do-nothing on photos that training never saw."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, PatchesFile, Phone, Root, load_params
from pipeline.cli.progress import counted, showing
from ppcn.dataset.patch_set import open_patches
from ppcn.dataset.splits import TEST
from ppcn.evaluation.protocols import do_nothing, run_network, score_enhancement
from ppcn.files.artifacts import provenance, write_json
from ppcn.networks.ppcn import Student, Teacher
from ppcn.photos.decode import list_photos, read_photo, write_photo
from ppcn.report.comparison import compare_patches, compare_photo
from ppcn.weights import load_network


def evaluate(
    phone: Phone,
    patches: PatchesFile = None,
    root: Root = None,
    teacher: Annotated[
        Path | None, typer.Option(help="data/models/teacher/PHONE.safetensors by default.")
    ] = None,
    student: Annotated[
        Path | None, typer.Option(help="data/models/student/PHONE.safetensors by default.")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="metrics/evaluate/PHONE.json by default.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for pictures; data/pictures/PHONE by default.")
    ] = None,
    params_file: ParamsFile = None,
) -> None:
    """Score the test photos' patches (protocol pirm2018) and draw before and after."""
    params = load_params(params_file)
    patches = patches or Path(params.data.patches) / f"{phone}.h5"
    teacher = teacher or Path(f"data/models/teacher/{phone}.safetensors")
    student = student or Path(f"data/models/student/{phone}.safetensors")
    pictures = pictures or Path(f"data/pictures/{phone}")
    master, facts = load_network(teacher, Teacher)
    apprentice, _ = load_network(student, Student)
    methods = {
        "do_nothing": do_nothing,
        "teacher": run_network(master),
        "student": run_network(apprentice),
    }
    with open_patches(patches) as cut, showing(f"evaluate {phone}") as report:
        indices = cut.of_split(TEST, "test")
        scores = score_enhancement(methods, counted(cut.pairs(indices), len(indices), report))
        chosen = indices[:: max(1, len(indices) // 6)][:6]
        shown = [(a, b) for a, b in zip(*cut.read(chosen), strict=True)]
        test_stems = sorted({cut.stems[photo] for photo in cut.photo[indices]})
    base = scores["do_nothing"]["psnr"]
    gains = {f"{name}_gain_db": scores[name]["psnr"] - base for name in ("teacher", "student")}
    recorded = provenance(params.seed, {"patches": patches, "teacher": teacher, "student": student})
    metrics = metrics or Path(f"metrics/evaluate/{phone}.json")
    photos = {"test_photos": len(test_stems), **gains, "features": facts.get("features")}
    write_json(metrics, {**scores, **photos, **recorded})
    learned = {name: methods[name] for name in ("student", "teacher")}
    write_photo(pictures / "patches.png", compare_patches(shown, learned))
    folder = (root or Path(params.data.root)) / phone
    available = list_photos(folder) if folder.is_dir() else {}
    for stem in [stem for stem in test_stems if stem in available][:2]:
        picture = compare_photo(read_photo(available[stem]), learned)
        write_photo(pictures / f"{stem}.jpg", picture, quality=90)
    typer.echo(", ".join(f"{name} {gain:+.2f}" for name, gain in gains.items()))
