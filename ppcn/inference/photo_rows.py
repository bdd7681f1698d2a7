"""Photos of which rows can be read, so that no photo has to lie in memory whole."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ppcn.networks.layers import mirrored_indices

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
        rows = self._rows[top:bottom]
        first = int(rows.min())
        return self._photo.read(first, int(rows.max()) + 1)[rows - first][:, self._columns]


class ArrayRows:
    """An array as a photo of which rows can be read.

    Args:
        pixels: (H, W, 3).
    """

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self.height, self.width = pixels.shape[:2]

    def read(self, top: int, bottom: int) -> Pixels:
        """Read the rows from top to before bottom, (bottom - top, width, 3)."""
        return self.pixels[top:bottom]
