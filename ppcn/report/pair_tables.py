"""Tables, histograms and pictures of photo pairs, from what aligning and cutting have counted."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ppcn.errors import FileError, FileKind, UserError, missing_file
from ppcn.report.blocks import Picture, Pictures, Table, file_picture, titled
from ppcn.report.charts import Charts, histogram

Row = Mapping[str, str]
# Columns of the tables of pairs; the latter has one more for every reason to reject a window.
ALIGNED = ("stem", "status", "matches", "inliers", "residual_px", "agreement", "overlap", "scene")
CUT = ("stem", "split", "kept")
# The most pairs that a table lists: of those with the fewest kept windows, and of rejected ones.
POOREST, REJECTED = 20, 50
# Pairs that are shown: those with the most kept windows, and with the fewest.
BEST_SHOWN, POOREST_SHOWN = 3, 6


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


def pair_histograms(pairs: Sequence[Row], stored: Mapping[str, Any], file: Path) -> Charts:
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
        counts, edges = np.histogram([float(pair[column]) for pair in pairs], bins)
        binned.append((counts.tolist(), edges.tolist()))
    titles = (
        "windows by correlation",
        "windows by shift, px",
        "pairs by kept windows",
        "pairs by residual, px",
    )
    panels = [
        histogram(title, counts, edges)
        for title, (counts, edges) in zip(titles, binned, strict=True)
    ]
    return Charts("Kept windows and aligned pairs", "", (), panels)


def poorest_table(pairs: Sequence[Row], file: Path) -> Table:
    """The pairs with the fewest kept windows, `pairs` from `join_pairs`; `file` has all."""
    reasons = [name for name in _reasons(pairs) if any(int(pair[name]) for pair in pairs)]
    rows = [
        [pair["stem"], pair["split"], *_figures(pair).values(), *(pair[name] for name in reasons)]
        for pair in pairs[:POOREST]
    ]
    columns = ["pair", "split", *_figures(pairs[0]), *map(titled, reasons)]
    note = f"{len(rows)} of {len(pairs)} pairs; {file} has all of them."
    groups = [("", 2), ("of the pair", 5), ("windows", 1)]
    if reasons:
        groups.append(("windows rejected as", len(reasons)))
    return Table("Pairs with the fewest kept windows", note, columns, rows, groups)


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


def quick_looks(pairs: Sequence[Row], folder: Path) -> Pictures:
    """The pictures of the pairs with the most and with the fewest kept windows.

    Args:
        pairs: from `join_pairs`.
        folder: holds <stem>.jpg of every pair.

    Raises:
        FileError: a picture is missing.
    """
    poorest, others = pairs[:POOREST_SHOWN], pairs[POOREST_SHOWN:]
    shown = (*others[: -BEST_SHOWN - 1 : -1], *poorest)
    pictures = [_quick_look(pair, _reasons(pairs), folder) for pair in shown]
    note = (
        "Squares of the two photos in turn, and how well every window correlates: first the "
        "pairs with the most kept windows, then those with the fewest."
    )
    return Pictures("Quick looks at pairs", note, pictures)


def _quick_look(pair: Row, reasons: Sequence[str], folder: Path) -> Picture:
    windows = int(pair["kept"]) + sum(int(pair[name]) for name in reasons)
    figures = _figures(pair)
    title = f"{pair['stem']}: {figures.pop('kept')} of {windows} windows kept; "
    title += ", ".join(f"{name} {value}" for name, value in figures.items())
    return file_picture(folder / f"{pair['stem']}.jpg", title)
