"""Stage `report`: one self-contained HTML page of everything that was measured."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.options import ParamsFile, load_params
from ppcn.artifacts import read_json, replacing
from ppcn.errors import UserError
from ppcn.report import (
    MIME,
    Picture,
    Section,
    curve_picture,
    file_picture,
    render,
    score_table,
    value_table,
)


def report(
    metrics: Annotated[Path, typer.Option(help="Folder of metrics.")] = Path("metrics"),
    pictures: Annotated[Path, typer.Option(help="Folder of pictures.")] = Path("data/pictures"),
    out: Annotated[Path, typer.Option(help="Page to write.")] = Path("report/index.html"),
    params_file: ParamsFile = None,
) -> None:
    """Write tables, loss curves and before/after pictures of every phone into one page."""
    params = load_params(params_file)
    sections = [_enhancement(phone, metrics, pictures) for phone in params.phones]
    sections.append(_superres(metrics, pictures))
    values = value_table("params.yaml", "", params.model_dump())
    sections.append(Section("Parameters", [values]))
    with replacing(out) as temporary:
        temporary.write_text(render(sections), encoding="utf-8")
    typer.echo(f"report: {out}")


def _enhancement(phone: str, metrics: Path, pictures: Path) -> Section:
    scores = read_json(
        metrics / f"evaluate/{phone}.json", f"ppcn-pipeline evaluate --phone {phone}"
    )
    table = score_table("Enhancement", scores, ("do_nothing", "teacher", "student"))
    logs = {stage: metrics / stage / f"{phone}.csv" for stage in ("teacher", "student")}
    curves = curve_picture("Training, and PSNR on the validation photos", logs, ("loss", "psnr"))
    notes = {"align": "", "patches": "", "accuracy": "against the rig's truth"}
    details = [
        value_table(stage.capitalize(), note, _read(metrics, stage, phone))
        for stage, note in notes.items()
    ]
    return Section(f"Enhancement: {phone}", [table, *_files(pictures / phone), curves, *details])


def _read(metrics: Path, stage: str, phone: str) -> dict[str, Any]:
    return read_json(metrics / stage / f"{phone}.json", f"ppcn-pipeline {stage} --phone {phone}")


def _superres(metrics: Path, pictures: Path) -> Section:
    scores = read_json(metrics / "evaluate/sr.json", "ppcn-pipeline evaluate-sr")
    table = score_table("Super-resolution x4", scores, ("bicubic", "ppcn_sr"))
    logs = {"sr": metrics / "sr/ppcn_sr.csv"}
    curves = curve_picture("Training, and PSNR on held-out photos", logs, ("loss", "psnr"))
    return Section("Super-resolution", [table, *_files(pictures / "sr"), curves])


def _files(folder: Path) -> list[Picture]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; run evaluate and evaluate-sr again")
    return [file_picture(path) for path in sorted(folder.iterdir()) if path.suffix in MIME]
