"""Where a phone's pixel lies on the reference camera's photo of the same moment.

The mapping of a phone pixel p is H(p + d(p)): a smooth local displacement d for what a
homography cannot explain (lens, parallax), then the homography H (DPED section 2).
"""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ppcn.registration.geometry import (
    Array,
    inside,
    largest_rectangle,
    sample_displacement,
    square_centres,
    transform_points,
)
from ppcn.registration.pair_gates import Rejection

# Phone px between the exact points of a source map.
NODE = 8
NO_DISPLACEMENT = np.zeros((0, 0, 2), np.float32)


@dataclass(frozen=True)
class Alignment:
    """The geometry of one pair.

    Attributes:
        phone_size: (width, height), px.
        reference_size: (width, height), px.
        matches: mutual keypoint matches.
        inliers: matches that one homography explains.
        residual_px: median distance of the inliers from the whole mapping, phone px.
        agreement: share of the textured area in which the two photos correlate.
        homography: (3, 3) float64, phone pixels to reference pixels.
        displacement: (rows, columns, 2) float32 phone px, one node in the middle of every square
            of `step` phone pixels, the first square in the corner.
        step: side of a square, phone px.
        crop: (x0, y0, x1, y1) common part in phone pixels, end exclusive.
        rejection: why the pair must not be used; None if it may.
    """

    phone_size: tuple[int, int]
    reference_size: tuple[int, int]
    matches: int = 0
    inliers: int = 0
    residual_px: float = 0.0
    agreement: float = 0.0
    homography: Array = field(default_factory=lambda: np.eye(3))
    displacement: Array = field(default_factory=lambda: NO_DISPLACEMENT)
    step: int = 1
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)
    rejection: Rejection | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the pair may be used."""
        return self.rejection is None

    def to_reference(self, points: Array) -> Array:
        """Map phone pixels (..., 2) to reference pixels (..., 2) float64."""
        moved = points + sample_displacement(self.displacement, self.step, points)
        return transform_points(self.homography, moved)

    def source_map(self, x: int, y: int, width: int, height: int) -> NDArray[np.float32]:
        """Reference pixels of a rectangle of phone pixels: exact every NODE px, linear between.

        Over NODE px the perspective of any hand-held camera is linear to a thousandth of a pixel.

        Returns:
            (height, width, 2).
        """
        columns = range(x // NODE - 1, (x + width) // NODE + 2)
        rows = range(y // NODE - 1, (y + height) // NODE + 2)
        exact = self.to_reference(square_centres(columns, rows, NODE)).astype(np.float32)
        every = cv2.resize(exact, None, fx=NODE, fy=NODE, interpolation=cv2.INTER_LINEAR)
        left, top = x - columns.start * NODE, y - rows.start * NODE
        return every[top : top + height, left : left + width]

    def reference_scale(self) -> float:
        """Reference pixels per phone pixel at the centre of the phone's photo."""
        width, height = self.phone_size
        corners = np.array([[0, 0], [1, 0], [0, 1]]) + np.array([width / 2, height / 2])
        a, b, c = transform_points(self.homography, corners)
        return float(np.sqrt(abs(np.linalg.det(np.stack((b - a, c - a))))))

    def overlap(self) -> float:
        """Share of the phone's photo that the common crop covers."""
        x0, y0, x1, y1 = self.crop
        return (x1 - x0) * (y1 - y0) / max(1, self.phone_size[0] * self.phone_size[1])

    def reject(self, rejection: Rejection) -> "Alignment":
        """The same pair, not to be used."""
        return replace(self, rejection=rejection, displacement=NO_DISPLACEMENT, crop=(0, 0, 0, 0))


def common_crop(alignment: Alignment) -> tuple[int, int, int, int]:
    """The largest upright rectangle of phone pixels whose mapping lies on the reference photo.

    Its edges are multiples of a step, 8 px or a 128th of the photo's width.
    """
    width, height = alignment.phone_size
    step = max(8, width // 128)
    nodes = np.meshgrid(np.arange(width // step + 1), np.arange(height // step + 1))
    mask = inside(
        alignment.to_reference(np.stack(nodes, axis=-1) * float(step)), alignment.reference_size
    )
    squares = mask[:-1, :-1] & mask[:-1, 1:] & mask[1:, :-1] & mask[1:, 1:]
    x0, y0, x1, y1 = (edge * step for edge in largest_rectangle(squares))
    return x0, y0, x1, y1
