"""Photos of which rows can be read, so that no photo has to lie in memory whole."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ppcn.networks.layers import mirrored_indices
from ppcn.photos.hidden_pixels import Mask

Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
"""(H, W, 3) RGB: uint8, uint16, or float32 in [0, 1]."""


class Rows(Protocol):
    """A photo of which rows can be read."""

    @property
    def height(self) -> int:
        """Height of the photo, px."""

    @property
    def width(self) -> int:
        """Width of the photo, px."""

    def read(self, top: int, bottom: int) -> Pixels:
        """Read the rows from top to before bottom, (bottom - top, width, 3)."""

    def read_visible(self, top: int, bottom: int) -> Mask | None:
        """Which pixels of these rows statistics count, (bottom - top, width).

        None, whatever the rows, where they count all: of a photo that is wholly visible, or not at
        all. Of others at least one pixel counts, and those that do not have colours of visible
        ones.
        """


class MirroredRows:
    """A photo that goes on beyond its border by its mirror image, border pixels not repeated.

    Args:
        photo: the photo.
        margin: how many pixels are added on each side.
    """

    def __init__(self, photo: Rows, margin: int) -> None:
        self._photo = photo
        self.height, self.width = photo.height + 2 * margin, photo.width + 2 * margin
        self._rows, self._columns = (
            mirrored_indices(size, margin).numpy() for size in (photo.height, photo.width)
        )

    def read(self, top: int, bottom: int) -> Pixels:
        """Read the rows from top to before bottom, (bottom - top, width, 3)."""
        first, last, rows = self._read_for(top, bottom)
        return self._photo.read(first, last)[rows][:, self._columns]

    def read_visible(self, top: int, bottom: int) -> Mask | None:
        """See `Rows`."""
        first, last, rows = self._read_for(top, bottom)
        visible = self._photo.read_visible(first, last)
        return None if visible is None else visible[rows][:, self._columns]

    def _read_for(self, top: int, bottom: int) -> tuple[int, int, NDArray[np.int64]]:
        """Which rows of the photo to read, from first to before last, and each row's place."""
        rows = self._rows[top:bottom]
        first = int(rows.min())
        return first, int(rows.max()) + 1, rows - first


class ArrayRows:
    """An array as a photo of which rows can be read.

    Args:
        pixels: (H, W, 3).
        visible: which of them statistics count, (H, W); see `Rows`.
    """

    def __init__(self, pixels: Pixels, visible: Mask | None = None) -> None:
        self.pixels, self._visible = pixels, visible
        self.height, self.width = pixels.shape[:2]

    def read(self, top: int, bottom: int) -> Pixels:
        """Read the rows from top to before bottom, (bottom - top, width, 3)."""
        return self.pixels[top:bottom]

    def read_visible(self, top: int, bottom: int) -> Mask | None:
        """See `Rows`."""
        return None if self._visible is None else self._visible[top:bottom]
