"""The report: one HTML page that needs nothing else, with tables, curves and pictures."""

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from ppcn.errors import UserError

MIME = {".png": "image/png", ".jpg": "image/jpeg"}


@dataclass(frozen=True)
class Table:
    """A titled table: `rows` are cells in the order of `columns`, which may have no names."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A titled picture as a data URI."""

    title: str
    uri: str


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it, in order."""

    heading: str
    blocks: Sequence[Table | Picture]


def score_table(title: str, scores: Mapping[str, Any], methods: Sequence[str]) -> Table:
    """A table of one metrics file: a row per method, a column per metric."""
    columns = list(scores[methods[0]])
    rows = [[m.replace("_", " "), *(_score(scores[m][c]) for c in columns)] for m in methods]
    note = f"protocol {scores['protocol']}, {scores['images']} images that training never saw"
    if "features" in scores:
        note += f"; VGG-19 weights from {scores['features']['source']}"
    if scores.get("identical"):
        note += f", of which {scores['identical']} pairs are identical"
    return Table(title, note, ["method", *columns], rows)


def value_table(title: str, note: str, values: Mapping[str, Any]) -> Table:
    """A two-column table of nested values, by dotted name."""
    rows = [[name, _number(value)] for name, value in flatten(values)]
    return Table(title, note, [], rows)


def flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Leaves of nested mappings by dotted name."""
    leaves: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            leaves += flatten(value, f"{prefix}{key}.")
        else:
            leaves.append((f"{prefix}{key}", value))
    return leaves


def _score(value: float | None) -> str:
    """A score to four digits; an infinite one is stored as null."""
    return "infinite" if value is None else f"{value:.4g}"


def _number(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def file_picture(path: Path) -> Picture:
    """A picture file, embedded."""
    data = base64.b64encode(path.read_bytes()).decode()
    return Picture(path.stem, f"data:{MIME[path.suffix]};base64,{data}")


def curve_picture(title: str, logs: Mapping[str, Path], columns: Sequence[str]) -> Picture:
    """Columns of training logs over steps, one panel per column, one line per log."""
    tables = {name: _read_columns(path) for name, path in logs.items()}
    figure = Figure(figsize=(3.4 * len(columns), 2.6), layout="constrained")
    panels = figure.subplots(1, len(columns), squeeze=False)[0]
    for panel, column in zip(panels, columns, strict=True):
        for name, table in tables.items():
            if column in table:
                panel.plot(table["step"], table[column], label=name)
        panel.set(title=column, xlabel="step")
        panel.grid(alpha=0.3)
    panels[0].legend()
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "ppcn"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    return Picture(title, f"data:image/svg+xml;base64,{data}")


def _read_columns(path: Path) -> dict[str, list[float]]:
    if not path.is_file():
        raise UserError(f"{path}: no such file; run the stage that trains it again")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name] or "nan") for row in rows] for name in rows[0]}


def render(sections: Sequence[Section]) -> str:
    """The page."""
    environment = Environment(loader=PackageLoader("ppcn"), autoescape=True)
    return environment.get_template("report.html").render(sections=sections)
