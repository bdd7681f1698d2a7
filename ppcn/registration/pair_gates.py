"""Every reason to reject a pair of photos, and the checks that find it.

Each check returns the rejection, or None where the pair may go on.
"""

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from ppcn.params import Align
from ppcn.registration.geometry import Array, transform_points

# px; a smaller photo holds no window and too little to match.
SMALLEST = 128
# px; OpenCV samples no larger photo.
LARGEST = 32766
# Correlation from which a neighbourhood agrees.
AGREES = 0.5


class RejectionReason(StrEnum):
    """Why a pair must not be used."""

    UNREADABLE_PHOTO = "unreadable_photo"
    COMPUTATION_FAILED = "computation_failed"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    FEW_MATCHES = "few_matches"
    FEW_INLIERS = "few_inliers"
    FOLDED = "folded"
    MIRRORED = "mirrored"
    SCALE_CHANGE = "scale_change"
    LOW_COVERAGE = "low_coverage"
    SMALL_OVERLAP = "small_overlap"
    DISAGREEMENT = "disagreement"
    BAD_POINTS = "bad_points"
    BY_HAND = "by_hand"
    # Stored by a version that kept the sentence alone.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Rejection:
    """That a pair must not be used.

    Attributes:
        reason: for code.
        sentence: for people, with the numbers.
    """

    reason: RejectionReason
    sentence: str


def check_sizes(*sizes: tuple[int, int]) -> Rejection | None:
    """Whether photos are neither too small nor too large.

    Args:
        sizes: (width, height) of each, px.
    """
    sides = [side for size in sizes for side in size]
    if min(sides) < SMALLEST:
        sentence = f"a photo is less than {SMALLEST} px wide or high"
        return Rejection(RejectionReason.TOO_SMALL, sentence)
    if max(sides) > LARGEST:
        sentence = f"a photo is more than {LARGEST} px wide or high"
        return Rejection(RejectionReason.TOO_LARGE, sentence)
    return None


def check_matches(matches: int, params: Align) -> Rejection | None:
    """Whether there are enough keypoint matches to go on with."""
    if matches < params.min_inliers:
        return Rejection(RejectionReason.FEW_MATCHES, f"only {matches} keypoint matches")
    return None


def check_inliers(inliers: int, matches: int, params: Align) -> Rejection | None:
    """Whether enough of the matches agree on one homography."""
    if inliers < params.min_inliers:
        sentence = f"only {inliers} of {matches} matches agree on one homography"
        return Rejection(RejectionReason.FEW_INLIERS, sentence)
    return None


def check_homography(
    homography: Array, inliers: Array, size: tuple[int, int], params: Align
) -> Rejection | None:
    """Whether two cameras side by side can see this homography.

    Args:
        homography: (3, 3), phone pixels to reference pixels.
        inliers: (M, 2) the phone's points that agree on it.
        size: (width, height) of the phone's photo, px.
        params: the `align` group of params.yaml.
    """
    if rejection := check_unfolded(homography, size):
        return rejection
    width, height = size
    quad = transform_points(homography, _corners(size))
    edges = np.roll(quad, -1, axis=0) - quad
    scales = np.linalg.norm(edges, axis=1) / [width, height, width, height]
    change = scales.max() / scales.min()
    if change > params.max_scale_change:
        sentence = f"homography changes scale {change:.1f} times over the photo"
        return Rejection(RejectionReason.SCALE_CHANGE, sentence)
    covered = cv2.contourArea(cv2.convexHull(inliers.astype(np.float32))) / (width * height)
    if covered < params.min_coverage:
        sentence = f"matches that agree cover only {covered:.1%} of the phone's photo"
        return Rejection(RejectionReason.LOW_COVERAGE, sentence)
    return None


def check_unfolded(homography: Array, size: tuple[int, int]) -> Rejection | None:
    """Whether a homography leaves the phone's photo neither folded nor mirrored.

    Args:
        homography: (3, 3), phone pixels to reference pixels.
        size: (width, height) of the phone's photo, px.
    """
    corners = _corners(size)
    if (corners @ homography[2, :2] + homography[2, 2] <= 0).any():
        return Rejection(RejectionReason.FOLDED, "homography folds the photo")
    quad = transform_points(homography, corners)
    edges = np.roll(quad, -1, axis=0) - quad
    following = np.roll(edges, -1, axis=0)
    if (edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0] <= 0).any():
        return Rejection(RejectionReason.MIRRORED, "homography mirrors or folds the photo")
    return None


def _corners(size: tuple[int, int]) -> Array:
    """The corners (4, 2) of a photo in order around it."""
    width, height = size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=float)


def check_overlap(overlap: float, params: Align) -> Rejection | None:
    """Whether the common crop covers enough of the phone's photo.

    Args:
        overlap: the share that it covers, 0 to 1.
        params: the `align` group of params.yaml.
    """
    if overlap < params.min_overlap:
        sentence = f"common part is only {overlap:.0%} of the phone's photo"
        return Rejection(RejectionReason.SMALL_OVERLAP, sentence)
    return None


def agreement_share(agreement: Array) -> float:
    """Share of the textured area in which the two photos correlate, 0 to 1.

    Args:
        agreement: (rows, columns) correlations, NaN where nothing is known.
    """
    known = agreement[~np.isnan(agreement)]
    return float((known > AGREES).mean()) if known.size else 0.0


def check_agreement(share: float, params: Align) -> Rejection | None:
    """Whether the photos look alike under the whole mapping.

    Args:
        share: of the textured area in which they correlate, 0 to 1.
        params: the `align` group of params.yaml.
    """
    if share < params.min_agreement:
        sentence = f"the photos agree in only {share:.0%} of the textured area"
        return Rejection(RejectionReason.DISAGREEMENT, sentence)
    return None
