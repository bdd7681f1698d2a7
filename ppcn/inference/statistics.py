"""Mean and variance of maps of whole photos, added up tile by tile.

Of a photo with transparency they count what is visible: of the photo its visible pixels, of a
smaller map the cells in whose area any pixel is visible.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ppcn.inference.photo_rows import Rows
from ppcn.inference.segments import Statistic
from ppcn.networks.devices import WHITE
from ppcn.photos.hidden_pixels import Mask

# So many tiles are added up in float32 before their total is added in float64.
FLOAT32_TILES = 16
# Size of the rows of a map that are added up at once and so stay in the caches, bytes.
CACHED_BYTES = 2**20
# Number of rows that are read at once of a photo whose mean is wanted.
ROWS = 256


class RunningStatistics:
    """Mean and variance of each channel of one map over all of its tiles."""

    def __init__(self) -> None:
        self._count = self._waiting = 0
        self._sum = self._squares = torch.zeros(0)
        self._total: Any = 0.0
        self._total_squares: Any = 0.0

    def add_photo(self, photo: Rows) -> None:
        """Add a whole photo, exactly; of its values the mean alone is wanted."""
        total = np.zeros(3)
        for top in range(0, photo.height, ROWS):
            bottom = min(top + ROWS, photo.height)
            rows, visible = photo.read(top, bottom), photo.read_visible(top, bottom)
            if visible is not None:
                added = rows[visible].sum(axis=0, dtype=np.float64)
                total += added / WHITE.get(rows.dtype, 1)
            elif rows.dtype.kind == "f":
                total += rows.sum(axis=0, dtype=np.float64).sum(axis=0)
            else:
                total += np.divide(cv2.sumElems(rows)[:3], WHITE[rows.dtype])
            self._count += rows[..., 0].size if visible is None else int(visible.sum())
        self._total = torch.from_numpy(total)

    def add(self, x: Tensor, visible: Mask | None = None) -> None:
        """Add a tile (1, C, H, W), all of it or its visible cells (H, W)."""
        values = x[0].permute(1, 2, 0).float()
        if visible is not None:
            values = values * torch.from_numpy(visible)[..., None].to(values.device)
        for rows in values.split(max(CACHED_BYTES // (4 * values[0].numel()), 1)):
            self._add_strip(rows)
        self._count += x.shape[2] * x.shape[3] if visible is None else int(visible.sum())

    def add_rows(self, row_statistics: Sequence[Tensor], width: int) -> None:
        """Add rows of which a runtime computed statistics.

        Args:
            row_statistics: mean, and root of the sum of squares, of each row, (1, C, H, 1).
            width: of the rows, px.
        """
        means, roots = row_statistics
        self._count += means.shape[2] * width
        self._total += means.double().sum(dim=(0, 2, 3)) * width
        self._total_squares += roots.double().square().sum(dim=(0, 2, 3))

    def values(self, statistic: Statistic, device: torch.device) -> dict[str, Tensor]:
        """The inputs of segments that mean and variance give, on a device."""
        self._add_up()
        mean = (self._total / self._count).view(1, -1, 1, 1).cpu()
        squares = torch.as_tensor(self._total_squares).cpu() / self._count
        variance = (squares.view(1, -1, 1, 1) - mean.square()).clamp(min=0)
        return {name: v.to(device) for name, v in statistic.values(mean, variance).items()}

    def _add_strip(self, values: Tensor) -> None:
        height, width, channels = values.shape
        if not (self._waiting and height <= self._sum.shape[0] and width <= self._sum.shape[1]):
            self._add_up()
            self._sum = torch.zeros((height, width, channels), device=values.device)
            self._squares = torch.zeros_like(self._sum)
        self._sum[:height, :width].add_(values)
        self._squares[:height, :width].addcmul_(values, values)
        self._waiting += 1
        if self._waiting == FLOAT32_TILES:
            self._add_up()

    def _add_up(self) -> None:
        if self._waiting:
            self._total += self._sum.sum(dim=0).double().sum(dim=0)
            self._total_squares += self._squares.sum(dim=0).double().sum(dim=0)
            self._waiting = 0


def visible_cells(visible: Mask, scale: float, height: int, width: int) -> Mask:
    """Which cells of a map show anything, (height, width).

    Args:
        visible: which pixels of the photo are visible where the map lies, (H, W).
        scale: size of the map in that of the photo, a power of two.
        height: of the map, more than in scale where networks pad by repeating the border.
        width: of the map.
    """
    for axis, size in enumerate((height, width)):
        if scale > 1:
            visible = visible.repeat(int(scale), axis=axis)
        step = max(round(1 / scale), 1)
        around = [(0, 0), (0, 0)]
        around[axis] = (0, max(size * step - visible.shape[axis], 0))
        if any(around[axis]):
            visible = np.pad(visible, around, mode="edge")
        if step > 1:
            starts = np.arange(size) * step
            visible = np.logical_or.reduceat(visible, starts, axis=axis)
    return np.ascontiguousarray(visible)
