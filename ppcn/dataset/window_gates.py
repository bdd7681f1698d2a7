"""What may become of a window, and every reason to reject one.

Each check returns the outcome of a window that must not be kept, or None where it may go on.
"""

from enum import StrEnum

import cv2
import numpy as np

from ppcn.params import Patches
from ppcn.photos.color import luminance
from ppcn.photos.decode import Photo
from ppcn.registration.geometry import Array, inside

# Grey levels: a closer pair is one image twice, not two cameras.
SAME_IMAGE = 1.0
# All three channels from here on are a blown highlight.
BLOWN = 250
# A second peak nearly as high as the best one is a repetition if correlation sinks between them.
CLOSE, VALLEY = 0.02, 0.05
# Correlation that falls by less over the whole search is a gradient's: a sky matches anywhere.
FEATURELESS = 0.02
# The most by which warping a window exactly is expected to lift correlation.
WARPING_GAIN = 0.03
# Share of the pixels along a side of its patch that the reference camera must have recorded.
RECORDED = 0.9


class Outcome(StrEnum):
    """What became of a window; shards number the outcomes in this order."""

    KEPT = "kept"
    OUTSIDE_OVERLAP = "outside_overlap"
    FLAT = "flat"
    BLOWN_HIGHLIGHTS = "blown_highlights"
    LOW_CORRELATION = "low_correlation"
    SHIFT_AT_LIMIT = "shift_at_limit"
    REPEATED_TEXTURE = "repeated_texture"
    IDENTICAL = "identical"
    DUPLICATE = "duplicate"
    TOO_FEW_PIXELS = "too_few_pixels"


MEANING = {
    Outcome.KEPT: "it is in the patch set",
    Outcome.OUTSIDE_OVERLAP: "the reference camera does not see all of it",
    Outcome.FLAT: "too little contrast, or none that tells one place from another",
    Outcome.BLOWN_HIGHLIGHTS: "too large a share is overexposed in one of the photos",
    Outcome.LOW_CORRELATION: "the two photos do not look alike there",
    Outcome.SHIFT_AT_LIMIT: "it matches best at the edge of the search, perhaps better beyond it",
    Outcome.REPEATED_TEXTURE: "it matches as well in another place",
    Outcome.IDENTICAL: "the two photos are one image twice",
    Outcome.DUPLICATE: "another photo has given a patch of the same pixels",
    Outcome.TOO_FEW_PIXELS: "the reference camera did not record as many as patches.scale asks for",
}
REJECTIONS = tuple(outcome for outcome in Outcome if outcome is not Outcome.KEPT)


def check_resolution(reference_scale: float, params: Patches) -> Outcome | None:
    """Whether the reference camera recorded the pixels of patches for super-resolution.

    Args:
        reference_scale: its pixels per phone pixel, along a side.
        params: the `patches` group of params.yaml.
    """
    enough = params.scale == 1 or reference_scale >= RECORDED * params.scale
    return None if enough else Outcome.TOO_FEW_PIXELS


def check_contrast(grey: Array, params: Patches) -> Outcome | None:
    """Whether a window (S, S) of grey levels is more than a plain surface."""
    return Outcome.FLAT if grey.std() < params.min_deviation else None


def check_search(scores: Array, shift: Array, params: Patches) -> Outcome | None:
    """Whether a search settles where the window lies.

    Args:
        scores: (rows, columns) correlation at every whole shift.
        shift: (dx, dy) px of the best one, to sub-pixel precision.
        params: the `patches` group of params.yaml.
    """
    if float(scores.max()) <= params.min_ncc - WARPING_GAIN:
        return Outcome.LOW_CORRELATION
    if not _has_features(scores):
        return Outcome.FLAT
    if np.abs(shift).max() > params.max_shift:
        return Outcome.SHIFT_AT_LIMIT
    return None if _stands_alone(scores) else Outcome.REPEATED_TEXTURE


def check_overlap(points: Array, size: tuple[int, int]) -> Outcome | None:
    """Whether the reference photo shows all of a window.

    Args:
        points: (S, S, 2) where its pixels lie on the reference photo.
        size: (width, height) of the reference photo, px.
    """
    return None if inside(points, size).all() else Outcome.OUTSIDE_OVERLAP


def check_patch(phone: Photo, reference: Photo, ncc: float, params: Patches) -> Outcome | None:
    """Whether a patch may be stored.

    Args:
        phone: (S, S, 3) uint8 RGB.
        reference: (S, S, 3) uint8 RGB.
        ncc: their correlation.
        params: the `patches` group of params.yaml.
    """
    if ncc <= params.min_ncc:
        return Outcome.LOW_CORRELATION
    if check_contrast(luminance(reference), params):
        return Outcome.FLAT
    if max((pixels.min(2) >= BLOWN).mean() for pixels in (phone, reference)) > params.max_blown:
        return Outcome.BLOWN_HIGHLIGHTS
    # One camera at two focal lengths may well record the same, but for detail.
    same = params.scale == 1 and np.abs(phone.astype(int) - reference).mean() < SAME_IMAGE
    return Outcome.IDENTICAL if same else None


def _has_features(scores: Array) -> bool:
    """Whether correlation falls from its peak to the edge of the search."""
    edge = np.concatenate((scores[0], scores[-1], scores[:, 0], scores[:, -1]))
    return bool(scores.max() - np.median(edge) >= FEATURELESS)


def _stands_alone(scores: Array) -> bool:
    """Whether no other peak of a correlation map is nearly as high as the best one."""
    best = np.array(np.unravel_index(scores.argmax(), scores.shape))
    peaks = scores == cv2.dilate(scores, np.ones((3, 3), np.uint8))
    for other in np.argwhere(peaks & (scores > scores.max() - CLOSE)):
        between = np.rint(np.linspace(best, other, 2 * len(scores))).astype(int)
        if scores[between[:, 0], between[:, 1]].min() < scores[tuple(other)] - VALLEY:
            return False
    return True
