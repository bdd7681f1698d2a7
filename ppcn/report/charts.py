"""Curves and histograms as drawings that are part of the page and take its colours.

A drawing has its own coordinates, px, origin in the top left corner. Whatever the pointer shows is
in its values; lines and bars are drawn without a script, too.
"""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import NDArray

from ppcn.errors import FileError, FileKind, missing_file
from ppcn.report.blocks import titled

WIDTH, HEIGHT = 300, 180
# Of the only drawing among its like.
WIDE, HIGH = 760, 320
LEFT, RIGHT, TOP, BOTTOM = 48, 10, 8, 24
# A line has so many points at most; more would not show.
MOST_POINTS = 400
# Axes of positive values are logarithmic where the largest is so many times the smallest.
LOGARITHMIC = 30
# What says most comes first, and what is no result last.
FIRST, LAST = ("psnr", "loss"), "learning_rate"
# Columns whose names say too little.
TITLES = {
    "psnr": "PSNR on validation photos, dB",
    "loss": "total loss",
    "kd": "distillation",
    "tv": "total variation",
    "mae": "mean absolute error",
}
Columns = dict[str, list[float]]


class Tick(NamedTuple):
    """A mark of an axis: its place in the drawing and its label."""

    place: float
    label: str


class Line(NamedTuple):
    """A run's curve: its name, its number, which gives its colour, and SVG's list of points."""

    name: str
    number: int
    points: str


class Bar(NamedTuple):
    """A bar of a histogram, in the drawing, and what it says."""

    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True)
class Panel:
    """One drawing.

    Attributes:
        title: what is on the vertical axis.
        x_title: what is on the other one.
        x_ticks: marks of the horizontal axis.
        y_ticks: marks of the vertical axis.
        lines: curves.
        bars: bars of a histogram.
        values: JSON of the curves' points, for whoever asks for a value.
        width: of the drawing, px.
        height: of the drawing, px.
    """

    title: str
    x_title: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    lines: Sequence[Line] = ()
    bars: Sequence[Bar] = ()
    values: str = ""
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def frame(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the axes."""
        return LEFT, TOP, self.width - RIGHT, self.height - BOTTOM


@dataclass(frozen=True)
class Charts:
    """Drawings with one legend."""

    title: str
    note: str
    names: Sequence[str]
    panels: Sequence[Panel]
    kind: str = "charts"


class Axis:
    """A range of values on a range of places.

    Args:
        values: what must be on it, finite.
        start: the place of its lower end.
        end: of its upper end.
        may_be_logarithmic: whether large ratios make it so.
    """

    def __init__(
        self, values: Sequence[float], start: float, end: float, may_be_logarithmic: bool = False
    ) -> None:
        low, high = min(values), max(values)
        self.logarithmic = may_be_logarithmic and 0 < low < high / LOGARITHMIC
        self._start, self._end = start, end
        if self.logarithmic:
            self._low, self._high = math.log10(low), math.log10(high)
            self._low -= 0.03 * (self._high - self._low)
            self._high += 0.03 * (self._high - self._low)
        else:
            rim = 0.04 * (high - low) or abs(high) * 0.1 or 1.0
            self._low, self._high = low - rim, high + rim

    def place(self, value: float) -> float:
        """Where a value is."""
        scaled = math.log10(value) if self.logarithmic else value
        share = (scaled - self._low) / (self._high - self._low)
        return round(self._start + share * (self._end - self._start), 1)

    def ticks(self, most: int) -> list[Tick]:
        """Round values on the axis."""
        if self.logarithmic:
            few = self._high - self._low < 2
            locator = LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=most)
            values = locator.tick_values(10**self._low, 10**self._high)
            inside = [v for v in values if self._low <= math.log10(v) <= self._high]
        else:
            values = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(self._low, self._high)
            inside = [v for v in values if self._low <= v <= self._high]
        return [Tick(self.place(value), _label(value)) for value in inside]


def _label(value: float) -> str:
    """A short number: thousands and millions by their letters."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def read_columns(path: Path) -> Columns:
    """The columns of a training log; what a row lacks is not a number.

    Raises:
        FileError: the log is missing, empty, or not one.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return columns_of(rows)
    except FileNotFoundError:
        raise missing_file(path, FileKind.METRICS) from None
    except (UnicodeDecodeError, csv.Error, ValueError, KeyError, TypeError):
        raise FileError(path, FileKind.METRICS, "not the log of a training") from None


def columns_of(rows: Sequence[Mapping[str, str]]) -> Columns:
    """The columns of a log's rows.

    Raises:
        KeyError: there is no column `step`.
        ValueError: there is no row, or a cell holds no number.
    """
    if not rows:
        raise ValueError("no rows")
    columns = {name: [float(row[name] or "nan") for row in rows] for name in rows[0]}
    return {"step": columns.pop("step"), **columns}


def curves(
    title: str, note: str, logs: Mapping[str, Columns], only: Sequence[str] | None = None
) -> Charts:
    """Every column of training logs over steps: one panel per column, one line per log.

    Args:
        title: of all.
        note: conditions.
        logs: columns by name of the run.
        only: the columns to draw; all by default.
    """
    names = dict.fromkeys((*FIRST, *(name for log in logs.values() for name in log)))
    wanted = [n for n in names if n not in ("step", LAST) and (only is None or n in only)]
    wanted += [LAST] if only is None else []
    size = (WIDE, HIGH) if len(wanted) == 1 else (WIDTH, HEIGHT)
    panels = [panel for name in wanted if (panel := _curve_panel(name, logs, size))]
    return Charts(title, note, list(logs), panels)


def _curve_panel(column: str, logs: Mapping[str, Columns], size: tuple[int, int]) -> Panel | None:
    width, height = size
    runs = {
        name: (number, _points(log, column))
        for number, (name, log) in enumerate(logs.items())
        if column in log
    }
    runs = {name: run for name, run in runs.items() if len(run[1])}
    if not runs:
        return None
    every = np.concatenate([points for _, points in runs.values()])
    x_axis = Axis(every[:, 0].tolist(), LEFT, width - RIGHT)
    y_axis = Axis(every[:, 1].tolist(), height - BOTTOM, TOP, may_be_logarithmic=True)
    lines, values = [], []
    for name, (number, points) in runs.items():
        places = [(x_axis.place(x), y_axis.place(y)) for x, y in points.tolist()]
        lines.append(Line(name, number, " ".join(f"{x:g},{y:g}" for x, y in places)))
        rows = [
            (f"{x:g}", f"{y:.4g}", *place)
            for (x, y), place in zip(points.tolist(), places, strict=True)
        ]
        values.append({"name": name, "number": number, "points": rows})
    title = TITLES.get(column, titled(column))
    title += ", logarithmic" if y_axis.logarithmic else ""
    ticks = (x_axis.ticks(5), y_axis.ticks(5))
    return Panel(title, "step", *ticks, lines, (), json.dumps(values), width, height)


def _points(log: Columns, column: str) -> NDArray[np.float64]:
    """(N, 2) steps and finite values of a column, evenly thinned where they are many."""
    points = np.column_stack((log["step"], log[column]))
    points = points[np.isfinite(points).all(axis=1)]
    chosen = np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).round().astype(int)
    return points[chosen]


def histogram(title: str, counts: Sequence[float], edges: Sequence[float]) -> Panel:
    """Bars of counts (N,) between edges (N + 1,)."""
    x_axis = Axis(list(edges), LEFT, WIDTH - RIGHT)
    y_axis = Axis([0, max(*counts, 1)], HEIGHT - BOTTOM, TOP)
    floor = y_axis.place(0)
    bars = []
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        left, top = x_axis.place(low), y_axis.place(count)
        width = max(0.5, x_axis.place(high) - left - 1)
        label = f"{low:.4g} to {high:.4g}: {count:g}"
        bars.append(Bar(left, top, round(width, 1), round(floor - top, 1), label))
    return Panel(title, "", x_axis.ticks(6), y_axis.ticks(4), bars=bars)
