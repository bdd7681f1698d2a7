"""Photos cut into tiles that overlap by what a network sees around each pixel."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

# Networks shuffle or skip pixels in groups of so many; tiles begin at such a group.
GROUP = 4
MOST_COLUMNS = 256
# A strip reads at least so many times what it sees around a pixel.
STRIP_REACHES = 8


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


Grid = tuple[list[Span], list[Span]]


def one_span(length: int) -> list[Span]:
    """An axis in one piece."""
    return [Span(0, length, 0, length, length)]


def choose_strips(height: int, width: int, reach: int, pixels: int, group: int = GROUP) -> Grid:
    """Cut a photo into strips as wide as itself.

    Args:
        height: of the photo, px.
        width: of the photo, px.
        reach: pixels that the network sees around each.
        pixels: of a strip with what it reads around it; more where it would be mostly overlap.
        group: strips begin at multiples of it, px.

    Returns:
        Spans of the rows and of the columns.
    """
    rows = max(pixels // width, STRIP_REACHES * reach)
    return cut(height, rows if rows <= height // 2 else height, reach, group), one_span(width)


def choose_tiles(height: int, width: int, reach: int, pixels: int, group: int = GROUP) -> Grid:
    """Cut a photo into tiles that overlap least.

    Args:
        height: of the photo, px.
        width: of the photo, px.
        reach: pixels that the network sees around each.
        pixels: of a tile with what it reads around it, at most (but for tiny tiles).
        group: tiles begin at multiples of it, px.

    Returns:
        Spans of the rows and of the columns.
    """
    smallest = 2 * reach + group

    def shape(columns: int) -> tuple[int, int]:
        """Height and width of what a tile reads."""
        wide = min(width, -(-(width - 2 * reach) // columns) + 2 * reach)
        return min(max(pixels // wide, smallest), height), wide

    def cost(columns: int) -> tuple[int, int]:
        high, wide = shape(columns)
        rows = 1 if high >= height else -(-(height - 2 * reach) // (high - 2 * reach))
        return max(high * wide - pixels, 0), rows * high * columns * wide

    most = max((width - 2 * reach) // (4 * GROUP), 1)
    high, wide = shape(min(range(1, min(most, MOST_COLUMNS) + 1), key=cost))
    return cut(height, high, reach, group), cut(width, wide, reach, group)


def cut(length: int, window: int, reach: int, group: int = GROUP) -> list[Span]:
    """Cut an axis into spans of which each reads as many pixels, if it is long enough.

    Args:
        length: of the axis, px.
        window: that a span reads, px; it becomes a multiple of `group` that leaves something.
        reach: pixels that the network sees around each.
        group: spans begin and read from multiples of it, px.
    """
    reach = -(-reach // group) * group
    window = max(-(-window // group) * group, 2 * reach + group)
    if window >= length:
        return one_span(length)
    edges = [0, *range(window - reach, length - reach, window - 2 * reach)]
    last = (length - window) // group * group
    spans = []
    for start, stop in pairwise([*edges, length]):
        reads_from = min(max(start - reach, 0), last)
        reads_to = length if reads_from == last else reads_from + window
        spans.append(Span(start, stop, reads_from, reads_to, length))
    return spans


def power_of_two(ratio: float) -> float:
    """The power of two next to a ratio of sizes, which padding makes a little more."""
    return float(2 ** round(np.log2(ratio)))
