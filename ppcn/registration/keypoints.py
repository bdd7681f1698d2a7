"""The cameras' relation from keypoints: SIFT matches, a robust homography, then a lens as well.

Points are (x, y), pixel centres, origin 0, (M, 2) float64 in full-size pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from ppcn.params import Align
from ppcn.registration.geometry import Array, size_of, transform_points

# Matches this far from the robust homography, as a share of half the diagonal, may still be right:
# lens and parallax move them.
REACH = 0.05
# Scale, in phone px, at which a match's distance begins to count less (Cauchy).
SOFT = 2.0
# What two hand-held cameras beside each other are expected to differ by, standard deviations:
# aspect and shear; change of scale from the centre to half a diagonal; radial distortion there.
SHEAR, PERSPECTIVE, RADIAL = 0.01, 0.015, 0.03


@dataclass(frozen=True)
class Lens:
    """Phone pixels to DSLR pixels by a lens and a homography: H(c + (p - c)(1 + k r^2)).

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


def match_keypoints(phone: Array, dslr: Array, params: Align) -> tuple[Array, Array]:
    """Match SIFT keypoints (Lowe 2004) of two grey photos, detected on reduced copies.

    Returns:
        Points of the phone and of the DSLR that pass the ratio test and choose each other.
    """
    points, descriptors = zip(*(_detect(photo, params) for photo in (phone, dslr)), strict=True)
    if min(map(len, points)) < 2:
        return np.zeros((0, 2)), np.zeros((0, 2))
    here, there = _mutual_matches(descriptors[0], descriptors[1], params.ratio)
    return points[0][here], points[1][there]


def _detect(grey: Array, params: Align) -> tuple[Array, NDArray[np.float32]]:
    width, height = size_of(grey)
    ratio = min(1.0, params.detect_size / max(width, height))
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    # SIFT passes over low contrast, so a dark or hazy photo is stretched first.
    dark, bright = np.percentile(small, [1, 99])
    small = np.clip((small - dark) * (255 / max(bright - dark, 1)), 0, 255)
    sift = cv2.SIFT_create(nfeatures=params.keypoints, enable_precise_upscale=True)
    keypoints, descriptors = sift.detectAndCompute(np.rint(small).astype(np.uint8), None)
    points = np.array([k.pt for k in keypoints], dtype=np.float64).reshape(-1, 2)
    return (points + 0.5) * [width / size[0], height / size[1]] - 0.5, descriptors


def _mutual_matches(
    first: NDArray[np.float32], second: NDArray[np.float32], ratio: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of descriptors that are each other's nearest, clearly nearer than the second.

    SIFT's descriptors are whole numbers up to 255, so that these sums are exact in float32 and
    the same in whatever order a machine adds them up.
    """
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * (first @ second.T)
    rows, best = np.arange(len(first)), squares.argmin(1)
    nearest = squares[rows, best]
    mutual = squares.argmin(0)[best] == rows
    squares[rows, best] = np.inf
    chosen = mutual & (nearest < ratio**2 * squares.min(1))
    return rows[chosen], best[chosen]


def estimate_homography(
    here: Array, there: Array, params: Align
) -> tuple[Array, NDArray[np.bool_]]:
    """Robust homography phone -> DSLR (MAGSAC++, Barath et al. 2020) and its inliers."""
    cv2.setRNGSeed(0)
    inverse, mask = cv2.findHomography(
        there, here, cv2.USAC_MAGSAC, params.ransac_threshold, maxIters=10000, confidence=0.9999
    )
    inlier = np.zeros(len(here), bool) if mask is None else mask.ravel().astype(bool)
    if inverse is None or inlier.sum() < 4 or abs(np.linalg.det(inverse)) < 1e-12:
        return np.eye(3), np.zeros(len(here), bool)
    homography = np.linalg.inv(inverse)
    return homography / homography[2, 2], inlier


def fit_lens(
    homography: Array, here: Array, there: Array, inlier: Array, size: tuple[int, int]
) -> Lens:
    """Refit homography and radial distortion to every match near a robust homography.

    A homography of close matches alone is far off where there are none. Here more matches count,
    each less the further off it is, and what cameras beside each other are expected to differ by
    holds the corners that no match reaches.

    Args:
        homography: robust estimate, phone pixels to DSLR pixels.
        here: the phone's points.
        there: the DSLR's points.
        inlier: which of them the homography explains closely.
        size: (width, height) of the phone's photo, px.
    """
    radius, centre = np.hypot(*size) / 2, (np.array(size) - 1) / 2
    unit = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]], [0, 0, radius]]) / radius
    similarity = _similarity(here[inlier], there[inlier])
    distance = np.linalg.norm(transform_points(np.linalg.inv(homography), there) - here, axis=1)
    near = distance < REACH * radius
    points = transform_points(unit, here[near])
    targets = transform_points(unit @ np.linalg.inv(similarity), there[near])
    squared = (points**2).sum(1, keepdims=True)

    def residuals(x: Array) -> Array:
        moved = transform_points(_change(x), points * (1 + x[8] * squared))
        error = (moved - targets) * radius
        length = np.linalg.norm(error, axis=1, keepdims=True)
        softened = SOFT * np.sqrt(np.log1p((length / SOFT) ** 2)) / np.maximum(length, 1e-9)
        spread = [SHEAR, SHEAR, PERSPECTIVE, PERSPECTIVE, RADIAL]
        expected = np.array([x[0] - x[3], x[1] + x[2], x[6], x[7], x[8]]) / spread
        return np.concatenate(((error * softened).ravel(), SOFT * expected))

    solved = least_squares(residuals, np.zeros(9), method="lm").x
    fitted = similarity @ np.linalg.inv(unit) @ _change(solved) @ unit
    return Lens(fitted / fitted[2, 2], float(solved[8]), size)


def _change(x: Array) -> Array:
    """The homography near the identity with the parameters x[:8]."""
    return np.array([[1 + x[0], x[1], x[4]], [x[2], 1 + x[3], x[5]], [x[6], x[7], 1]])


def _similarity(here: Array, there: Array) -> Array:
    """Least-squares rotation, scale and translation (3, 3)."""
    a, b = here - here.mean(0), there - there.mean(0)
    cosine, sine = (a * b).sum(), (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    turn = np.array([[cosine, -sine], [sine, cosine]]) / (a**2).sum()
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = turn, there.mean(0) - turn @ here.mean(0)
    return matrix
