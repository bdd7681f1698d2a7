"""RGB pixels in a plain file on the disk, which a photo of any size takes instead of memory."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from ppcn.photos.hidden_pixels import ROWS, Mask, filled_bands

# First row and column, and pixels.
Piece = tuple[int, int, NDArray[np.float32]]


class RawPhoto:
    """RGB pixels in a plain file, row after row.

    Args:
        path: the file.
        height: px.
        width: px.
        depth: bits a channel, 8 or 16.

    Attributes:
        hides_some: whether a file beside it says which pixels are visible, one byte each; it lacks
            where all are, or none.
    """

    def __init__(self, path: Path, height: int, width: int, depth: int) -> None:
        self.path, self.height, self.width = path, height, width
        self.depth, self.white = depth, 2**depth - 1
        self.dtype = np.dtype(np.uint8 if depth == 8 else np.uint16)
        self.hides_some, self._mask = False, path.with_suffix(".mask")

    def read(self, top: int, bottom: int) -> NDArray[Any]:
        """Rows top to bottom, (bottom - top, width, 3)."""
        return self._rows(self.path, self.dtype, 3, top, bottom)

    def read_visible(self, top: int, bottom: int) -> Mask | None:
        """Which pixels of rows top to bottom are visible; None where all are, or none."""
        return self._read_mask(top, bottom) if self.hides_some else None

    def save(self, image: pyvips.Image, visible: pyvips.Image | None = None) -> None:
        """Write all pixels of a picture.

        Args:
            image: RGB of this size and depth.
            visible: one band that is 0 where pixels are invisible, if any may be; those are filled
                from the visible ones, see `hidden_pixels`.
        """
        if visible is None:
            image.rawsave(str(self.path), keep="none")
            return
        # Together, for the rows of a photo can be read only once.
        both = self.path.with_suffix(".both")
        image.bandjoin(visible).rawsave(str(both), keep="none")
        self.hides_some = self._split(both)
        both.unlink()
        if self.hides_some:
            self._fill()
        else:
            self._mask.unlink()

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

    def _split(self, both: Path) -> bool:
        """Take colours and visibility apart; returns whether some pixels are hidden, not all."""
        any_visible, all_visible = False, True
        with self.path.open("wb") as colors, self._mask.open("wb") as masks:
            for top in range(0, self.height, ROWS):
                rows = self._rows(both, self.dtype, 4, top, min(top + ROWS, self.height))
                visible = rows[..., 3] > 0
                colors.write(rows[..., :3].tobytes())
                masks.write(visible.tobytes())
                any_visible |= bool(visible.any())
                all_visible &= bool(visible.all())
        return any_visible and not all_visible

    def _fill(self) -> None:
        """Give hidden pixels colours of visible ones."""
        with self.path.open("r+b") as file:
            for top, rows in filled_bands(self.read, self._read_mask, self.height):
                file.seek(top * self.width * 3 * self.dtype.itemsize)
                file.write(rows.tobytes())

    def _read_mask(self, top: int, bottom: int) -> Mask:
        return self._rows(self._mask, np.dtype(np.bool_), 1, top, bottom)[..., 0]

    def _rows(
        self, path: Path, dtype: np.dtype[Any], bands: int, top: int, bottom: int
    ) -> NDArray[Any]:
        row = self.width * bands
        values = np.fromfile(path, dtype, (bottom - top) * row, offset=top * row * dtype.itemsize)
        return values.reshape(-1, self.width, bands)

    def image(self) -> pyvips.Image:
        """The same for libvips."""
        kind = "uchar" if self.depth == 8 else "ushort"
        raw = pyvips.Image.rawload(str(self.path), self.width, self.height, 3, format=kind)
        return raw.copy(interpretation="srgb" if self.depth == 8 else "rgb16")
