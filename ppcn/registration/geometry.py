"""Where a phone's pixel lies on the DSLR's photo of the same moment.

Points are (x, y), pixel centres, origin 0, in the photo after its EXIF orientation is applied.
The mapping of a phone pixel p is H(p + d(p)): a smooth local displacement d for what a
homography cannot explain (lens, parallax), then the homography H (DPED section 2).
"""

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
OK = "ok"
# OpenCV maps at most 32767 points along an axis.
REMAP_COLUMNS = 16384
# Phone px between the exact points of a source map.
NODE = 8
NO_DISPLACEMENT = np.zeros((0, 0, 2), np.float32)


@dataclass(frozen=True)
class Alignment:
    """The geometry of one pair.

    Attributes:
        status: "ok", or the reason why the pair is refused.
        phone_size: (width, height), px.
        dslr_size: (width, height), px.
        matches: mutual keypoint matches.
        inliers: matches that one homography explains.
        residual_px: median distance of the inliers from the whole mapping, phone px.
        agreement: share of the textured area in which the two photos correlate.
        homography: (3, 3) float64, phone pixels to DSLR pixels.
        displacement: (rows, columns, 2) float32 phone px, one node in the middle of every square
            of `step` phone pixels, the first square in the corner.
        step: side of a square, phone px.
        crop: (x0, y0, x1, y1) common part in phone pixels, end exclusive.
    """

    status: str
    phone_size: tuple[int, int]
    dslr_size: tuple[int, int]
    matches: int = 0
    inliers: int = 0
    residual_px: float = 0.0
    agreement: float = 0.0
    homography: Array = field(default_factory=lambda: np.eye(3))
    displacement: Array = field(default_factory=lambda: NO_DISPLACEMENT)
    step: int = 1
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)

    def to_dslr(self, points: Array) -> Array:
        """Map phone pixels (..., 2) to DSLR pixels (..., 2) float64."""
        moved = points + sample_displacement(self.displacement, self.step, points)
        return transform_points(self.homography, moved)

    def source_map(self, x: int, y: int, width: int, height: int) -> NDArray[np.float32]:
        """DSLR pixels of a rectangle of phone pixels, exact at every NODE-th and linear between.

        Over NODE px the perspective of any hand-held camera is linear to a thousandth of a pixel.

        Returns:
            (height, width, 2).
        """
        columns = range(x // NODE - 1, (x + width) // NODE + 2)
        rows = range(y // NODE - 1, (y + height) // NODE + 2)
        exact = self.to_dslr(square_centres(columns, rows, NODE)).astype(np.float32)
        every = cv2.resize(exact, None, fx=NODE, fy=NODE, interpolation=cv2.INTER_LINEAR)
        left, top = x - columns.start * NODE, y - rows.start * NODE
        return every[top : top + height, left : left + width]

    def dslr_scale(self) -> float:
        """DSLR pixels per phone pixel at the centre of the phone's photo."""
        width, height = self.phone_size
        corners = np.array([[0, 0], [1, 0], [0, 1]]) + np.array([width / 2, height / 2])
        a, b, c = transform_points(self.homography, corners)
        return float(np.sqrt(abs(np.linalg.det(np.stack((b - a, c - a))))))

    def overlap(self) -> float:
        """Share of the phone's photo that the common crop covers."""
        x0, y0, x1, y1 = self.crop
        return (x1 - x0) * (y1 - y0) / max(1, self.phone_size[0] * self.phone_size[1])

    def refuse(self, reason: str) -> "Alignment":
        """The same pair, not to be used."""
        return replace(self, status=reason, displacement=NO_DISPLACEMENT, crop=(0, 0, 0, 0))


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
    found = cv2.remap(displacement, nodes, None, cv2.INTER_LINEAR, borderMode=edge)
    return found.reshape(-1, 2)[: len(flat)].reshape(points.shape).astype(np.float64)


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


def common_crop(found: Alignment) -> tuple[int, int, int, int]:
    """The largest upright rectangle of phone pixels whose mapping lies on the DSLR's photo.

    Its edges are multiples of a step, 8 px or a 128th of the photo's width.
    """
    width, height = found.phone_size
    step = max(8, width // 128)
    nodes = np.meshgrid(np.arange(width // step + 1), np.arange(height // step + 1))
    mask = inside(found.to_dslr(np.stack(nodes, axis=-1) * float(step)), found.dslr_size)
    squares = mask[:-1, :-1] & mask[:-1, 1:] & mask[1:, :-1] & mask[1:, 1:]
    x0, y0, x1, y1 = (edge * step for edge in largest_rectangle(squares))
    return x0, y0, x1, y1


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
