"""Photos of which rows can be read, so that no photo has to lie in memory whole."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
