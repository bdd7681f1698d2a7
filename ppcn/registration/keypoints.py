"""The cameras' relation from keypoints: SIFT matches and a robust homography.

Points are (x, y), pixel centres, origin 0, (M, 2) float64 in full-size pixels.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from ppcn.params import Align
from ppcn.registration.geometry import Array, size_of


def match_keypoints(phone: Array, reference: Array, params: Align) -> tuple[Array, Array]:
    """Match SIFT keypoints (Lowe 2004) of two grey photos, detected on reduced copies.

    Returns:
        (M, 2) the phone's points and (M, 2) the reference camera's, in the same order: those that
        pass the ratio test and choose each other.
    """
    points, descriptors = zip(
        *(
            detect_keypoints(photo, params.detect_size, params.keypoints)
            for photo in (phone, reference)
        ),
        strict=True,
    )
    if min(map(len, points)) < 2:
        return np.zeros((0, 2)), np.zeros((0, 2))
    of_phone, of_reference = mutual_matches(descriptors[0], descriptors[1], params.ratio)
    return points[0][of_phone], points[1][of_reference]


def detect_keypoints(grey: Array, detect_size: int, most: int) -> tuple[Array, NDArray[np.float32]]:
    """SIFT keypoints of a grey photo, detected on a copy of `detect_size` px at most.

    Returns:
        (M, 2) points in the photo's px, about `most` at most, and their descriptors (M, 128),
        whole numbers up to 255.
    """
    width, height = size_of(grey)
    ratio = min(1.0, detect_size / max(width, height))
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    # SIFT passes over low contrast, so a dark or hazy photo is stretched first.
    dark, bright = np.percentile(small, [1, 99])
    small = np.clip((small - dark) * (255 / max(bright - dark, 1)), 0, 255)
    sift = cv2.SIFT_create(nfeatures=most, enable_precise_upscale=True)
    keypoints, descriptors = sift.detectAndCompute(np.rint(small).astype(np.uint8), None)
    points = np.array([k.pt for k in keypoints], dtype=np.float64).reshape(-1, 2)
    if descriptors is None:
        descriptors = np.zeros((0, 128), np.float32)
    return (points + 0.5) * [width / size[0], height / size[1]] - 0.5, descriptors


def mutual_matches(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    ratio: float,
    barred: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of descriptors that are each other's nearest, clearly nearer than the second.

    SIFT's descriptors are whole numbers up to 255, so that these sums are exact in float32 and
    the same in whatever order a machine adds them up.

    Args:
        first: (M, 128).
        second: (N, 128).
        ratio: the nearest one's distance against the second nearest's, at most.
        barred: (M, N) which pairs cannot match, whatever they look like.
    """
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * (first @ second.T)
    if barred is not None:
        squares[barred] = np.inf
    rows, best = np.arange(len(first)), squares.argmin(1)
    nearest = squares[rows, best]
    mutual = squares.argmin(0)[best] == rows
    squares[rows, best] = np.inf
    chosen = mutual & (nearest < ratio**2 * squares.min(1)) & np.isfinite(nearest)
    return rows[chosen], best[chosen]


def estimate_homography(
    kpts_phone: Array, kpts_reference: Array, threshold: float
) -> tuple[Array, NDArray[np.bool_]]:
    """Robust homography phone -> reference (MAGSAC++, Barath et al. 2020) and its inliers.

    Args:
        kpts_phone: (M, 2) the phone's points.
        kpts_reference: (M, 2) the reference camera's, in the same order.
        threshold: px of the phone's photo by which an inlier may be off.
    """
    cv2.setRNGSeed(0)
    inverse, mask = cv2.findHomography(
        kpts_reference,
        kpts_phone,
        cv2.USAC_MAGSAC,
        threshold,
        maxIters=10000,
        confidence=0.9999,
    )
    inlier = np.zeros(len(kpts_phone), bool) if mask is None else mask.ravel().astype(bool)
    if inverse is None or inlier.sum() < 4 or abs(np.linalg.det(inverse)) < 1e-12:
        return np.eye(3), np.zeros(len(kpts_phone), bool)
    homography = np.linalg.inv(inverse)
    return homography / homography[2, 2], inlier
