"""Stage `report`: one self-contained HTML page of everything that was measured."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, Root, load_params
from pipeline.cli.progress import counted, showing
from pipeline.cli.several import SEVERAL
from ppcn.evaluation.photo_protocol import HeldOutPhoto
from ppcn.files.artifacts import read_json, replacing
from ppcn.report.experiments import experiment_sections, open_experiments, photo_sliders
from ppcn.report.page import Page, render
from ppcn.report.sections import (
    Enhancement,
    Run,
    cards,
    enhancement,
    first_slider,
    pairs,
    papers,
    provenance,
    super_resolution,
    timing,
)

FOOT = "Made by PPCN. Everything on this page is in it; it asks nobody for anything."
Experiments = Annotated[
    list[str] | None,
    typer.Option(
        metavar=SEVERAL,
        help="Experiments of DVC to put side by side, beside what they began from; as "
        "--experiments A B C.",
    ),
]


def report(
    metrics: Annotated[
        Path, typer.Option(help="Folder of the metrics that the stages have written.")
    ] = Path("metrics"),
    models: Annotated[
        Path, typer.Option(help="Folder of the weights that the stages have trained.")
    ] = Path("data/models"),
    aligned: Annotated[Path, typer.Option(help="Folder of the alignments PHONE.h5.")] = Path(
        "data/aligned"
    ),
    quicklook: Annotated[
        Path, typer.Option(help="Folder of the pictures of aligned pairs.")
    ] = Path("data/quicklook"),
    valid_set: Annotated[
        Path, typer.Option("--valid", help="Set of held-out photos of super-resolution.")
    ] = Path("data/sr/valid.h5"),
    root: Root = None,
    experiments: Experiments = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="HTML page to write; report/index.html by default, report/experiments.html of "
            "experiments."
        ),
    ] = None,
    params_file: ParamsFile = None,
) -> None:
    """Write tables, curves and pictures of every phone into one page.

    The page needs no other file and no network. Test photos are enhanced for it by the weights
    that were scored. With --experiments it compares experiments of DVC instead: what they
    changed, their scores and curves, and the same photos by each, as far as DVC's cache has
    their weights.
    """
    params = load_params(params_file)
    run = Run(
        params, metrics, models, aligned, quicklook, valid_set, root or Path(params.data.root)
    )
    out = out or Path("report/experiments.html" if experiments else "report/index.html")
    page = _comparison(run, experiments) if experiments else _page(run)
    with replacing(out) as temporary:
        temporary.write_text(render(page), encoding="utf-8")
    typer.echo(f"report: {out}")


def _page(run: Run) -> Page:
    # What takes long comes last, after all that may be refused.
    of_pairs = {phone: pairs(run, phone) for phone in run.params.phones}
    upscaled, sr_scores = super_resolution(run)
    others = [upscaled, *papers(run), *timing(run)]
    made = [enhancement(run, phone, _counted) for phone in of_pairs]
    first = made[0]
    sections = [s for each in made for s in (each.section, of_pairs[each.phone])] + others
    sections.append(provenance(run, first.scores, Path("dvc.lock"), Path()))
    accuracy = read_json(run.metric(f"accuracy/{first.phone}.json"))
    return Page(
        "PPCN report",
        f"Photos by {first.phone}, enhanced to match {run.params.data.reference}",
        _lead(run, first),
        cards(run, first, sr_scores, accuracy),
        first_slider(first),
        sections,
        FOOT,
    )


def _comparison(run: Run, names: list[str]) -> Page:
    experiments = open_experiments(names, Path())
    patches = Path(run.params.data.patches)
    pictures = [
        photo_sliders(
            experiments,
            phone,
            patches / f"{phone}.h5",
            run.aligned / f"{phone}.h5",
            run.root,
            _counted,
        )
        for phone in run.params.phones
    ]
    heading = f"{len(names)} experiments side by side" if len(names) > 1 else names[0]
    began = ", ".join(each.name for each in experiments if each.name not in names)
    lead = f"{', '.join(names)}, beside what they began from: {began}."
    sections = experiment_sections(experiments, list(run.params.phones), pictures)
    return Page("PPCN experiments", heading, [lead], [], [], sections, FOOT)


def _lead(run: Run, first: Enhancement) -> list[str]:
    """What was run, on what."""
    params = run.params
    return [
        f"A teacher of {params.teacher.steps:,d} steps, distilled into a student of "
        f"{params.student.steps:,d}, and super-resolution of {params.sr.steps:,d}, all with seed "
        f"{params.seed}, on photos of {run.root}.",
        f"{first.trained_on.capitalize()}.",
    ]


def _counted(photos: Iterable[HeldOutPhoto], total: int) -> Iterator[HeldOutPhoto]:
    with showing("report: photos") as progress:
        yield from counted(photos, total, progress)
