"""Photos cut into tiles that overlap by what a network sees around each pixel."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from torch import Tensor

# Networks shuffle or skip pixels in groups of so many; tiles begin at such a group.
GROUP = 4
MOST_COLUMNS = 256
# A strip reads at least so many radii of the receptive field.
STRIP_RADII = 8


@dataclass(frozen=True)
class Span:
    """A tile along one axis, in px of the input.

    Attributes:
        start: first pixel that the tile answers for.
        stop: one after the last.
        reads_from: first pixel that the network is shown.
        reads_to: one after the last.
        length: of the whole axis.
    """

    start: int
    stop: int
    reads_from: int
    reads_to: int
    length: int

    def core(self, size: int) -> slice:
        """What the tile answers for in a map of `size` made of it, at whatever scale."""
        if self.start == 0 and self.stop == self.length:
            return slice(None)
        scale = power_of_two(size / (self.reads_to - self.reads_from))
        stop = size if self.stop == self.length else int((self.stop - self.reads_from) * scale)
        return slice(int((self.start - self.reads_from) * scale), stop)

    def place(self, size: int) -> slice:
        """What the tile answers for in a map of `size` of the whole axis."""
        scale = power_of_two(size / self.length)
        stop = size if self.stop == self.length else int(self.stop * scale)
        return slice(int(self.start * scale), stop)

    def reading(self, size: int) -> slice:
        """What the tile reads of a map of `size` of the whole axis."""
        scale = power_of_two(size / self.length)
        stop = size if self.reads_to == self.length else int(self.reads_to * scale)
        return slice(int(self.reads_from * scale), stop)


@dataclass(frozen=True)
class Tile:
    """A part of a photo."""

    rows: Span
    columns: Span

    @property
    def is_inside(self) -> bool:
        """Whether it is as wide as the photo, and reads as many rows above as below."""
        above, below = self.rows.start - self.rows.reads_from, self.rows.reads_to - self.rows.stop
        return self.is_wide and above == below > 0

    @property
    def is_wide(self) -> bool:
        """Whether it is as wide as the photo."""
        return self.columns.stop - self.columns.start == self.columns.length

    def core_of(self, x: Tensor) -> Tensor:
        """What the tile answers for, of a map made of it."""
        return x[:, :, self.rows.core(x.shape[2]), self.columns.core(x.shape[3])]

    def middle_of(self, x: Tensor) -> Tensor:
        """What a tile inside answers for, of a map that may lack rows above and below."""
        around = (x.shape[2] - (self.rows.stop - self.rows.start)) // 2
        return x[:, :, around : x.shape[2] - around]

    def place_in(self, whole: Tensor) -> Tensor:
        """What the tile answers for, of a map of the whole photo."""
        height, width = whole.shape[2:]
        return whole[:, :, self.rows.place(height), self.columns.place(width)]

    def read(self, whole: Tensor) -> Tensor:
        """What the tile reads, of a map of the whole photo."""
        height, width = whole.shape[2:]
        return whole[:, :, self.rows.reading(height), self.columns.reading(width)]


Grid = tuple[list[Span], list[Span]]
"""The tiles of a photo: spans of its rows, and of its columns."""


def one_span(length: int) -> list[Span]:
    """An axis in one piece."""
    return [Span(0, length, 0, length, length)]


def choose_strips(height: int, width: int, radius: int, pixels: int, group: int = GROUP) -> Grid:
    """Cut a photo into strips as wide as itself.

    Args:
        height: of the photo, px.
        width: of the photo, px.
        radius: of the receptive field: how many pixels around each pixel the network sees.
        pixels: of a strip with what it reads around it; more where it would be mostly overlap.
        group: strips begin at multiples of it, px.

    Returns:
        Spans of the rows and of the columns.
    """
    rows = max(pixels // width, STRIP_RADII * radius)
    return cut(height, rows if rows <= height // 2 else height, radius, group), one_span(width)


def choose_tiles(height: int, width: int, radius: int, pixels: int, group: int = GROUP) -> Grid:
    """Cut a photo into tiles that overlap least.

    Args:
        height: of the photo, px.
        width: of the photo, px.
        radius: of the receptive field: how many pixels around each pixel the network sees.
        pixels: of a tile with what it reads around it, at most (but for tiny tiles).
        group: tiles begin at multiples of it, px.

    Returns:
        Spans of the rows and of the columns.
    """
    smallest = 2 * radius + group

    def shape(columns: int) -> tuple[int, int]:
        """Height and width of what a tile reads."""
        wide = min(width, -(-(width - 2 * radius) // columns) + 2 * radius)
        return min(max(pixels // wide, smallest), height), wide

    def cost(columns: int) -> tuple[int, int]:
        high, wide = shape(columns)
        rows = 1 if high >= height else -(-(height - 2 * radius) // (high - 2 * radius))
        return max(high * wide - pixels, 0), rows * high * columns * wide

    most = max((width - 2 * radius) // (4 * GROUP), 1)
    high, wide = shape(min(range(1, min(most, MOST_COLUMNS) + 1), key=cost))
    return cut(height, high, radius, group), cut(width, wide, radius, group)


def cut(length: int, window: int, radius: int, group: int = GROUP) -> list[Span]:
    """Cut an axis into spans of which each reads as many pixels, if it is long enough.

    Args:
        length: of the axis, px.
        window: that a span reads, px; it becomes a multiple of `group` that leaves something.
        radius: of the receptive field: how many pixels around each pixel the network sees.
        group: spans begin and read from multiples of it, px.
    """
    radius = -(-radius // group) * group
    window = max(-(-window // group) * group, 2 * radius + group)
    if window >= length:
        return one_span(length)
    edges = [0, *range(window - radius, length - radius, window - 2 * radius)]
    last = (length - window) // group * group
    spans = []
    for start, stop in pairwise([*edges, length]):
        reads_from = min(max(start - radius, 0), last)
        reads_to = length if reads_from == last else reads_from + window
        spans.append(Span(start, stop, reads_from, reads_to, length))
    return spans


def power_of_two(ratio: float) -> float:
    """The power of two next to a ratio of sizes, which padding makes a little more."""
    return float(2 ** round(np.log2(ratio)))
