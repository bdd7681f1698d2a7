"""Points, photos' sizes and rectangles.

Points are (x, y), pixel centres, origin 0, in the photo after its EXIF orientation is applied.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# OpenCV maps at most 32767 points along an axis.
REMAP_COLUMNS = 16384


def sample_displacement(displacement: Array, step: int, points: Array) -> Array:
    """The displacement at phone pixels (..., 2), between its nodes and beyond them.

    Args:
        displacement: as in an Alignment; an empty one is 0 everywhere.
        step: as in an Alignment.
        points: (..., 2).
    """
    if not displacement.size or not points.size:
        return np.zeros_like(points)
    flat = points.reshape(-1, 2)
    rows = -(-len(flat) // REMAP_COLUMNS)
    squares = np.resize(flat, (rows, min(len(flat), REMAP_COLUMNS), 2))
    nodes = ((squares + 0.5) / step - 0.5).astype(np.float32)
    edge = cv2.BORDER_REPLICATE
    sampled = cv2.remap(displacement, nodes, None, cv2.INTER_LINEAR, borderMode=edge)
    return sampled.reshape(-1, 2)[: len(flat)].reshape(points.shape).astype(np.float64)


def size_of(photo: NDArray[np.generic]) -> tuple[int, int]:
    """(width, height) of a photo."""
    return photo.shape[1], photo.shape[0]


def transform_points(homography: Array, points: Array) -> Array:
    """Apply a (3, 3) homography to points (..., 2), the same bits however many they are."""
    x, y = points[..., 0], points[..., 1]
    lifted = [row[0] * x + row[1] * y + row[2] for row in homography]
    return np.stack((lifted[0] / lifted[2], lifted[1] / lifted[2]), axis=-1)


def square_centres(columns: range, rows: range, side: float) -> NDArray[np.float64]:
    """(rows, columns, 2) of (x, y): the middles of squares of `side` px that tile a photo."""
    grid = np.stack(np.meshgrid(np.array(columns), np.array(rows)), axis=-1)
    return (grid + 0.5) * side - 0.5


def low_pass(image: Array, scale: float) -> Array:
    """Blur what sampling at every `scale`-th pixel cannot carry; nothing when it enlarges.

    A Gaussian of 0.5 * sqrt(scale^2 - 1) px takes the source's own 0.5 px to that of the target.
    """
    if scale <= 1.02:
        return image
    return cv2.GaussianBlur(image, (0, 0), 0.5 * float(np.sqrt(scale**2 - 1)))


def inside(points: Array, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which points (..., 2) have all pixels that cubic interpolation reads inside `size`."""
    x, y = points[..., 0], points[..., 1]
    return np.asarray((x >= 1) & (y >= 1) & (x <= size[0] - 3) & (y <= size[1] - 3))


def largest_rectangle(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The largest all-true upright rectangle of a mask, (x0, y0, x1, y1), end exclusive."""
    best, area = (0, 0, 0, 0), 0
    heights = np.zeros(mask.shape[1] + 1, int)
    for y, row in enumerate(mask):
        heights[:-1] = np.where(row, heights[:-1] + 1, 0)
        starts: list[tuple[int, int]] = []
        for x, height in enumerate(heights):
            left = x
            while starts and starts[-1][1] >= height:
                left, tall = starts.pop()
                if tall * (x - left) > area:
                    area, best = tall * (x - left), (left, y + 1 - tall, x, y + 1)
            starts.append((left, int(height)))
    return best
