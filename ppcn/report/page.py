"""The report: one HTML page that needs nothing else, with tables, curves and pictures."""

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from ppcn.errors import FileError, FileKind, UserError, missing_file

PANELS_PER_LINE = 4
MIME = {".png": "image/png", ".jpg": "image/jpeg"}
Row = Mapping[str, str]
# Columns of the tables of pairs; the latter has one more for every reason to reject a window.
ALIGNED = ("stem", "status", "matches", "inliers", "residual_px", "agreement", "overlap", "scene")
CUT = ("stem", "split", "kept")
# The most pairs that a table lists: of those with the fewest kept windows, and of rejected ones.
POOREST, REJECTED = 20, 50
# Pairs that are shown: those with the most kept windows, and with the fewest.
BEST_SHOWN, POOREST_SHOWN = 3, 6


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


def curve_picture(title: str, logs: Mapping[str, Path]) -> Picture:
    """Every column of training logs over steps, one panel per column, one line per log."""
    tables = {name: _read_columns(path) for name, path in logs.items()}
    names = (name for table in tables.values() for name in table)
    columns = [name for name in dict.fromkeys(("psnr", "loss", *names)) if name != "step"]
    lines = -(-len(columns) // PANELS_PER_LINE)
    figure = Figure(figsize=(3.0 * PANELS_PER_LINE, 2.4 * lines), layout="constrained")
    panels = figure.subplots(lines, PANELS_PER_LINE, squeeze=False).ravel()
    for panel in panels[len(columns) :]:
        panel.remove()
    for panel, column in zip(panels, columns, strict=False):
        for number, (name, table) in enumerate(tables.items()):
            if column in table:
                panel.plot(table["step"], table[column], f"C{number}", label=name)
        panel.set(title=column, xlabel="step")
        panel.grid(alpha=0.3)
    panels[0].legend()
    return _svg(title, figure)


def _svg(title: str, figure: Figure) -> Picture:
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "ppcn"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    return Picture(title, f"data:image/svg+xml;base64,{data}")


def _read_columns(path: Path) -> dict[str, list[float]]:
    if not path.is_file():
        raise missing_file(path, FileKind.METRICS)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name] or "nan") for row in rows] for name in rows[0]}


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a table of pairs.

    Args:
        path: a CSV file.
        columns: those that it must have.

    Raises:
        FileError: it is missing, no CSV file or without one of the columns.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, restval=""))
    except FileNotFoundError:
        raise missing_file(path, FileKind.METRICS) from None
    except (UnicodeDecodeError, csv.Error):
        raise FileError(path, FileKind.METRICS, "not a CSV file") from None
    for column in columns:
        if not rows or column not in rows[0]:
            raise FileError(path, FileKind.METRICS, f"has no column '{column}'")
    return rows


def join_pairs(aligned: Sequence[Row], cut: Sequence[Row]) -> list[dict[str, str]]:
    """The rows of both tables about the same pair in one, the fewest kept windows first.

    Raises:
        UserError: a pair was cut that is not among the aligned ones.
    """
    known = {row["stem"]: row for row in aligned}
    for row in cut:
        if row["stem"] not in known:
            raise UserError(f"'{row['stem']}' was cut but not aligned; align and cut again")
    pairs = [{**known[row["stem"]], **row} for row in cut]
    return sorted(pairs, key=lambda pair: (int(pair["kept"]), pair["stem"]))


def pair_histograms(pairs: Sequence[Row], stored: Mapping[str, Any], file: Path) -> Picture:
    """Correlation and shift of the kept windows; kept windows and residual of the pairs.

    Args:
        pairs: from `join_pairs`.
        stored: `counts` and `edges` of the first two, as the patches stage stores them.
        file: where they are stored.

    Raises:
        FileError: one of them is missing.
    """
    try:
        binned = [(stored[name]["counts"], stored[name]["edges"]) for name in ("ncc", "shift_px")]
    except (KeyError, TypeError):
        raise FileError(file, FileKind.METRICS, "no histograms") from None
    # Rice's rule.
    bins = int(np.ceil(2 * len(pairs) ** (1 / 3)))
    for column in ("kept", "residual_px"):
        binned.append(np.histogram([float(pair[column]) for pair in pairs], bins))
    titles = ("correlation of windows", "their shift, px", "kept windows of a pair", "residual, px")
    figure = Figure(figsize=(12, 2.4), layout="constrained")
    for panel, title, (counts, edges) in zip(figure.subplots(1, 4), titles, binned, strict=True):
        panel.stairs(counts, edges, fill=True)
        panel.set(title=title)
        panel.grid(alpha=0.3)
    return _svg("Kept windows and aligned pairs", figure)


def poorest_table(pairs: Sequence[Row], file: Path) -> Table:
    """The pairs with the fewest kept windows, `pairs` from `join_pairs`; `file` has all."""
    reasons = [name for name in _reasons(pairs) if any(int(pair[name]) for pair in pairs)]
    rows = [
        [pair["stem"], pair["split"], *_figures(pair).values(), *(pair[name] for name in reasons)]
        for pair in pairs[:POOREST]
    ]
    columns = ["pair", "split", *_figures(pairs[0]), *(name.replace("_", " ") for name in reasons)]
    note = f"{len(rows)} of {len(pairs)} pairs; rejected windows by reason; see also {file}"
    return Table("Pairs with the fewest kept windows", note, columns, rows)


def _reasons(pairs: Sequence[Row]) -> list[str]:
    """The columns that count rejected windows."""
    return [name for name in pairs[0] if name not in (*ALIGNED, *CUT)]


def _figures(pair: Row) -> dict[str, str]:
    return {
        "matches": pair["matches"],
        "inliers": pair["inliers"],
        "residual px": f"{float(pair['residual_px']):.2f}",
        "agreement": f"{float(pair['agreement']):.0%}",
        "overlap": f"{float(pair['overlap']):.0%}",
        "kept": pair["kept"],
    }


def reason_table(title: str, reasons: Mapping[str, str], file: Path) -> list[Table]:
    """A table of what was rejected and why, if anything was; `file` has what is too much."""
    more = len(reasons) - REJECTED
    note = f"and {more} more, see {file}" if more > 0 else ""
    rows = [list(row) for row in reasons.items()][:REJECTED]
    return [Table(title, note, ["name", "reason"], rows)] if rows else []


def quick_looks(pairs: Sequence[Row], folder: Path) -> list[Picture]:
    """The pictures of the pairs with the most and with the fewest kept windows.

    Args:
        pairs: from `join_pairs`.
        folder: holds <stem>.jpg of every pair.

    Raises:
        FileError: a picture is missing.
    """
    poorest, others = pairs[:POOREST_SHOWN], pairs[POOREST_SHOWN:]
    pictures = []
    for pair in (*others[: -BEST_SHOWN - 1 : -1], *poorest):
        path = folder / f"{pair['stem']}.jpg"
        if not path.is_file():
            raise FileError(path, FileKind.PICTURES, "no such picture", missing=True)
        windows = int(pair["kept"]) + sum(int(pair[name]) for name in _reasons(pairs))
        figures = _figures(pair)
        title = f"{pair['stem']}: {figures.pop('kept')} of {windows} windows kept; "
        title += ", ".join(f"{name} {value}" for name, value in figures.items())
        pictures.append(Picture(title, file_picture(path).uri))
    return pictures


def render(sections: Sequence[Section]) -> str:
    """The page."""
    environment = Environment(loader=PackageLoader("ppcn.report"), autoescape=True)
    return environment.get_template("report.html").render(sections=sections)
