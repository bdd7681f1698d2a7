"""Whether two photos show one scene: a hash knows copies, keypoints know crops and bursts."""

from dataclasses import dataclass
from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from ppcn.photos.color import luminance
from ppcn.photos.decode import Photo
from ppcn.registration.geometry import Array, size_of, transform_points
from ppcn.registration.keypoints import detect_keypoints, estimate_homography, mutual_matches

# px of the long side of the copy on which keypoints are detected, and how many are kept.
SIZE, KEYPOINTS = 640, 400
# A match's distance against the second best's; px of the copy by which matches may disagree.
RATIO, TOLERANCE = 0.8, 4.0
# Share of both photos that the matches span: more than a date or a maker's name in a corner.
COVERAGE = 0.03
# Matches that agree on one homography. Of 2,221 pairs of different scenes none had more than 7, of
# 57 pairs of one scene by two cameras none fewer than 36.
INLIERS = 15
# The same, and the share of the hash that may differ, for any two photos ...
COPY = 0.1
# ... and for those that one camera took within so many seconds of each other.
BURST_SECONDS, BURST_INLIERS, BURST_COPY = 10.0, 9, 0.2
# Side of the copy that is hashed, and of the square of its frequencies that are kept.
HASHED, FREQUENCIES = 64, 16


@dataclass(frozen=True)
class Appearance:
    """What a photo is recognised by.

    Attributes:
        size: (width, height) of the reduced copy, px.
        points: (K, 2) float32 keypoints, (x, y) in px of that copy.
        descriptors: (K, 128) uint8, SIFT.
        hashed: (255,) bool, which low frequencies of the picture are above their median.
        taken: when it was taken, if known.
    """

    size: tuple[int, int]
    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    hashed: NDArray[np.bool_]
    taken: datetime | None = None


def describe_photo(photo: Photo, taken: datetime | None = None) -> Appearance:
    """What a photo (H, W, 3) uint8 RGB is recognised by."""
    grey = luminance(photo)
    width, height = size_of(grey)
    ratio = min(1.0, SIZE / max(width, height))
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    points, descriptors = detect_keypoints(small, SIZE, KEYPOINTS)
    strongest = np.s_[:KEYPOINTS]
    return Appearance(
        size,
        points[strongest].astype(np.float32),
        descriptors[strongest].astype(np.uint8),
        _hash(small),
        taken,
    )


def _hash(grey: Array) -> NDArray[np.bool_]:
    """Which low frequencies of a picture are above their median (after Zauner 2010)."""
    small = cv2.resize(grey, (HASHED, HASHED), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:FREQUENCIES, :FREQUENCIES].ravel()[1:]
    return np.asarray(low > np.median(low))


def seconds_apart(first: Appearance, second: Appearance) -> float:
    """Seconds between two photos' capture times; infinite where one is unknown."""
    if first.taken is None or second.taken is None:
        return float("inf")
    times = [first.taken, second.taken]
    if any(time.tzinfo is None for time in times):
        times = [time.replace(tzinfo=None) for time in times]
    return abs((times[0] - times[1]).total_seconds())


def show_one_scene(first: Appearance, second: Appearance) -> bool:
    """Whether two photos show the same: copies, crops of one photo, or shots of one place.

    Photos that were taken within seconds need less evidence, never none: a walk through a town is
    no scene.
    """
    burst = seconds_apart(first, second) <= BURST_SECONDS
    differing = float(np.mean(first.hashed != second.hashed))
    if differing <= (BURST_COPY if burst else COPY):
        return True
    return _one_plane(first, second, BURST_INLIERS if burst else INLIERS)


def _one_plane(first: Appearance, second: Appearance, needed: int) -> bool:
    """Whether enough matches agree on a homography that two cameras can see."""
    if min(len(first.points), len(second.points)) < needed:
        return False
    ours, theirs = mutual_matches(
        first.descriptors.astype(np.float32), second.descriptors.astype(np.float32), RATIO
    )
    if len(ours) < needed:
        return False
    points = (first.points[ours].astype(float), second.points[theirs].astype(float))
    homography, inlier = estimate_homography(*points, TOLERANCE)
    if inlier.sum() < needed or _is_folded(homography, first.size):
        return False
    spans = (
        cv2.contourArea(cv2.convexHull(at[inlier].astype(np.float32))) / (size[0] * size[1])
        for at, size in zip(points, (first.size, second.size), strict=True)
    )
    return min(spans) >= COVERAGE


def _is_folded(homography: Array, size: tuple[int, int]) -> bool:
    """Whether a homography turns a photo's outline inside out or over."""
    width, height = size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=float)
    if (corners @ homography[2, :2] + homography[2, 2] <= 0).any():
        return True
    quad = transform_points(homography, corners)
    edges = np.roll(quad, -1, axis=0) - quad
    following = np.roll(edges, -1, axis=0)
    return bool((edges[:, 0] * following[:, 1] <= edges[:, 1] * following[:, 0]).any())
