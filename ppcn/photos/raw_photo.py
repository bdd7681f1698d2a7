"""RGB pixels in a plain file on the disk, which a photo of any size takes instead of memory."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

# First row and column, and pixels.
Piece = tuple[int, int, NDArray[np.float32]]


class RawPhoto:
    """RGB pixels in a plain file, row after row.

    Args:
        path: the file.
        height: px.
        width: px.
        depth: bits a channel, 8 or 16.
    """

    def __init__(self, path: Path, height: int, width: int, depth: int) -> None:
        self.path, self.height, self.width = path, height, width
        self.depth, self.white = depth, 2**depth - 1
        self.dtype = np.dtype(np.uint8 if depth == 8 else np.uint16)

    def read(self, top: int, bottom: int) -> NDArray[Any]:
        """Rows top to bottom, (bottom - top, width, 3)."""
        row = self.width * 3
        start = top * row * self.dtype.itemsize
        values = np.fromfile(self.path, self.dtype, (bottom - top) * row, offset=start)
        return values.reshape(-1, self.width, 3)

    def write(self, pieces: Iterable[Piece]) -> None:
        """Write all pixels, in pieces that cover them.

        Args:
            pieces: first row, first column, and pixels (rows, columns, 3) in [0, 1]; what
                overshoots is clipped.
        """
        with self.path.open("wb") as file:
            for top, left, pixels in pieces:
                levels = np.rint(pixels.clip(0, 1) * np.float32(self.white)).astype(self.dtype)
                for row, line in enumerate(levels, start=top):
                    file.seek((row * self.width + left) * 3 * self.dtype.itemsize)
                    file.write(line.tobytes())

    def enlarged(self, path: Path, scale: int) -> "RawPhoto":
        """Room for a picture of so many times the size, of the same depth."""
        return RawPhoto(path, self.height * scale, self.width * scale, self.depth)

    def image(self) -> pyvips.Image:
        """The same for libvips."""
        kind = "uchar" if self.depth == 8 else "ushort"
        raw = pyvips.Image.rawload(str(self.path), self.width, self.height, 3, format=kind)
        return raw.copy(interpretation="srgb" if self.depth == 8 else "rgb16")
