"""Radial distortion and a homography, fitted to matches over the whole photo.

Points are (x, y), pixel centres, origin 0, (M, 2) float64 in full-size pixels.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from ppcn.registration.geometry import Array, transform_points

# Matches this far from the robust homography, as a share of half the diagonal, may still be right:
# lens and parallax move them.
NEAR = 0.05
# Scale, in phone px, at which a match's distance begins to count less (Cauchy).
SOFT = 2.0
# What two hand-held cameras beside each other are expected to differ by, standard deviations:
# aspect and shear; change of scale from the centre to half a diagonal; radial distortion there.
SHEAR, PERSPECTIVE, RADIAL = 0.01, 0.015, 0.03


@dataclass(frozen=True)
class Lens:
    """Phone pixels to reference pixels by a lens and a homography: H(c + (p - c)(1 + k r^2)).

    Attributes:
        homography: (3, 3) float64.
        k: radial distortion for radii r relative to half the diagonal.
        size: (width, height) of the phone's photo, px.
    """

    homography: Array
    k: float
    size: tuple[int, int]

    def displacement(self, points: Array) -> Array:
        """By how much the lens moves phone pixels (..., 2), px."""
        radius = np.hypot(*self.size) / 2
        offset = points - (np.array(self.size) - 1) / 2
        return self.k * offset * ((offset / radius) ** 2).sum(-1, keepdims=True)


def fit_lens(
    homography: Array,
    kpts_phone: Array,
    kpts_reference: Array,
    inlier: Array,
    size: tuple[int, int],
    base: Array | None = None,
) -> Lens:
    """Refit homography and radial distortion to every match near a robust homography.

    A homography of close matches alone is far off where there are none. Here more matches count,
    each less the further off it is, and what cameras beside each other are expected to differ by
    holds the corners that have no match.

    Args:
        homography: robust estimate, phone pixels to reference pixels.
        kpts_phone: the phone's points.
        kpts_reference: the reference camera's points.
        inlier: which of them the homography explains closely.
        size: (width, height) of the phone's photo, px.
        base: homography that the cameras' difference is expected to be near; by default a
            rotation, scale and translation of the inliers.
    """
    radius, centre = np.hypot(*size) / 2, (np.array(size) - 1) / 2
    unit = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]], [0, 0, radius]]) / radius
    if base is None:
        base = _similarity(kpts_phone[inlier], kpts_reference[inlier])
    distance = np.linalg.norm(
        transform_points(np.linalg.inv(homography), kpts_reference) - kpts_phone, axis=1
    )
    near = distance < NEAR * radius
    points = transform_points(unit, kpts_phone[near])
    targets = transform_points(unit @ np.linalg.inv(base), kpts_reference[near])
    squared = (points**2).sum(1, keepdims=True)

    def residuals(x: Array) -> Array:
        moved = transform_points(_near_identity(x), points * (1 + x[8] * squared))
        error = (moved - targets) * radius
        length = np.linalg.norm(error, axis=1, keepdims=True)
        softened = SOFT * np.sqrt(np.log1p((length / SOFT) ** 2)) / np.maximum(length, 1e-9)
        spread = [SHEAR, SHEAR, PERSPECTIVE, PERSPECTIVE, RADIAL]
        expected = np.array([x[0] - x[3], x[1] + x[2], x[6], x[7], x[8]]) / spread
        return np.concatenate(((error * softened).ravel(), SOFT * expected))

    solved = least_squares(residuals, np.zeros(9), method="lm").x
    fitted = base @ np.linalg.inv(unit) @ _near_identity(solved) @ unit
    return Lens(fitted / fitted[2, 2], float(solved[8]), size)


def _near_identity(x: Array) -> Array:
    """The homography near the identity with the parameters x[:8]."""
    return np.array([[1 + x[0], x[1], x[4]], [x[2], 1 + x[3], x[5]], [x[6], x[7], 1]])


def _similarity(source: Array, target: Array) -> Array:
    """Least-squares rotation, scale and translation (3, 3) of points (M, 2) to others."""
    a, b = source - source.mean(0), target - target.mean(0)
    cosine, sine = (a * b).sum(), (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    turn = np.array([[cosine, -sine], [sine, cosine]]) / (a**2).sum()
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = turn, target.mean(0) - turn @ source.mean(0)
    return matrix
