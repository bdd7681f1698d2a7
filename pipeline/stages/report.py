"""Stage `report`: one self-contained HTML page of everything that was measured."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, load_params
from ppcn.errors import FileError, FileKind
from ppcn.files.artifacts import read_json, replacing
from ppcn.report.page import (
    ALIGNED,
    CUT,
    MIME,
    Picture,
    Section,
    Table,
    curve_picture,
    file_picture,
    join_pairs,
    pair_histograms,
    poorest_table,
    quick_looks,
    read_rows,
    reason_table,
    render,
    score_table,
    value_table,
)


def report(
    metrics: Annotated[
        Path, typer.Option(help="Folder of the metrics that the stages have written.")
    ] = Path("metrics"),
    pictures: Annotated[
        Path, typer.Option(help="Folder of the pictures that the evaluations have drawn.")
    ] = Path("data/pictures"),
    quicklook: Annotated[
        Path, typer.Option(help="Folder of the pictures of aligned pairs.")
    ] = Path("data/quicklook"),
    out: Annotated[Path, typer.Option(help="HTML page to write.")] = Path("report/index.html"),
    params_file: ParamsFile = None,
) -> None:
    """Write tables, curves and pictures of every phone into one page.

    The page needs no other file and no network.
    """
    params = load_params(params_file)
    sections = []
    for phone in params.phones:
        sections.append(_enhancement(phone, metrics, pictures))
        sections.append(_pairs(phone, metrics, quicklook))
    sections.append(_sr(metrics, pictures, params.sr.network))
    values = value_table("params.yaml", "", params.model_dump())
    sections.append(Section("Parameters", [values]))
    with replacing(out) as temporary:
        temporary.write_text(render(sections), encoding="utf-8")
    typer.echo(f"report: {out}")


def _enhancement(phone: str, metrics: Path, pictures: Path) -> Section:
    scores = read_json(metrics / f"evaluate/{phone}.json")
    methods = ("do_nothing", "teacher", "student")
    tables = [score_table("Enhancement of patches", scores, methods)]
    if "photo" in scores:
        tables.append(score_table("Enhancement of whole photos", scores["photo"], methods))
    logs = {stage: metrics / stage / f"{phone}.csv" for stage in ("teacher", "student")}
    curves = curve_picture("Training, and PSNR on the validation photos", logs)
    return Section(f"Enhancement: {phone}", [*tables, *_files(pictures / phone), curves])


def _pairs(phone: str, metrics: Path, quicklook: Path) -> Section:
    aligned, cut, truth = (metrics / s / f"{phone}.json" for s in ("align", "patches", "accuracy"))
    pairs = join_pairs(
        read_rows(aligned.with_suffix(".csv"), ALIGNED),
        read_rows(cut.with_suffix(".csv"), CUT),
    )
    align, patches = read_json(aligned), read_json(cut)
    rejected, unpaired = align.pop("refused", {}), align.pop("unpaired", {})
    histograms = patches.pop("histograms", {})
    blocks: list[Table | Picture] = [
        value_table("Align", "", align),
        *reason_table("Rejected pairs", rejected, aligned),
        *reason_table("Photos without a partner", unpaired, aligned),
        value_table("Patches", "", patches),
        pair_histograms(pairs, histograms, cut),
        poorest_table(pairs, cut.with_suffix(".csv")),
        *quick_looks(pairs, quicklook / phone),
        value_table("Accuracy", "against the rig's truth", read_json(truth)),
    ]
    return Section(f"Photo pairs: {phone}", blocks)


def _sr(metrics: Path, pictures: Path, network: str) -> Section:
    scores = read_json(metrics / "evaluate/sr.json")
    table = score_table("Super-resolution", scores, ("bicubic", network))
    logs = {"sr": metrics / f"sr/{network}.csv"}
    curves = curve_picture("Training, and PSNR on held-out photos", logs)
    return Section("Super-resolution", [table, *_files(pictures / "sr"), curves])


def _files(folder: Path) -> list[Picture]:
    if not folder.is_dir():
        raise FileError(folder, FileKind.PICTURES, "no such folder", missing=True)
    return [file_picture(path) for path in sorted(folder.iterdir()) if path.suffix in MIME]
