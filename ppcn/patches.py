"""Matching patches of an aligned pair, by cross-correlation (DPED section 2).

A window moves over the common crop without overlap. Around each window the DSLR's photo is
searched by shift and rotation; the patch is then warped once from the original file. The
phone's pixels are never resampled.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from ppcn.datasets import Patch
from ppcn.geometry import Alignment, Array, low_pass
from ppcn.images import Photo, luminance
from ppcn.params import Patches

# Grey levels: a closer pair is one image twice, not two cameras.
SAME_IMAGE = 1.0
REASONS = (
    "outside_overlap",
    "flat",
    "low_correlation",
    "shift_at_limit",
    "identical",
    "duplicate",
)


def cut_patches(
    phone: Photo, dslr: Photo, alignment: Alignment, params: Patches
) -> tuple[list[Patch], Counter[str]]:
    """Cut every acceptable window of a pair.

    Args:
        phone: (H, W, 3) uint8 RGB.
        dslr: (H', W', 3) uint8 RGB.
        alignment: the pair's geometry, with status "ok".
        params: the `patches` group of params.yaml.

    Returns:
        The patches in reading order, and the number of refused windows by reason.
    """
    source = low_pass(dslr, alignment.dslr_scale())
    search = _SearchArea(luminance(phone), luminance(source), alignment, params)
    kept: list[Patch] = []
    refused: Counter[str] = Counter()
    for xy in _grid(alignment, params):
        found = _cut_window(phone, source, alignment, search, xy, params)
        if isinstance(found, str):
            refused[found] += 1
        else:
            kept.append(found)
    return kept, refused


def drop_duplicates(patches: Sequence[Patch], seen: set[bytes]) -> list[Patch]:
    """Leave out patches whose phone pixels are in `seen`; adds the others to it."""
    fresh = []
    for patch in patches:
        digest = hashlib.sha256(patch.phone.tobytes()).digest()
        if digest not in seen:
            seen.add(digest)
            fresh.append(patch)
    return fresh


def _grid(alignment: Alignment, params: Patches) -> Iterator[tuple[int, int]]:
    """Top-left corners of windows that tile the phone's photo, in step with the common crop."""
    width, height = alignment.phone_size
    size, margin = params.size, params.max_shift + 1
    for y in range((alignment.crop[1] + margin) % size, height - size + 1, size):
        for x in range((alignment.crop[0] + margin) % size, width - size + 1, size):
            yield x, y


class _SearchArea:
    """The DSLR's grey photo as the alignment lays it over the phone's."""

    def __init__(
        self,
        phone: Array,
        dslr: Array,
        alignment: Alignment,
        params: Patches,
    ) -> None:
        self.phone = phone
        self.margin = params.max_shift + 1
        height, width = phone.shape
        wide, high = width + 2 * self.margin, height + 2 * self.margin
        self.warped = warp(dslr, alignment, window_points(-self.margin, -self.margin, wide, high))

    def best(self, x: int, y: int, params: Patches) -> tuple[float, Array, float]:
        """Highest correlation around a window.

        Returns:
            Correlation, shift (dx, dy) px to sub-pixel precision, rotation in degrees.
        """
        size = params.size
        template = self.phone[y : y + size, x : x + size]
        scored = []
        for rotation in params.rotations:
            area = self._rotated(x, y, size, rotation)
            scores = cv2.matchTemplate(area, template, cv2.TM_CCOEFF_NORMED)
            _, score, _, peak = cv2.minMaxLoc(scores)
            scored.append((score, -abs(rotation), rotation, peak, scores))
        score, _, rotation, peak, scores = max(scored, key=lambda item: item[:2])
        return score, _subpixel(scores, peak) - self.margin, rotation

    def _rotated(self, x: int, y: int, size: int, rotation: float) -> Array:
        """The window and its margin, turned by `rotation` about the window's centre."""
        wide = size + 2 * self.margin
        if rotation == 0:
            return self.warped[y : y + wide, x : x + wide]
        angle = np.deg2rad(rotation)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = np.array([x, y]) + (wide - 1) / 2
        matrix = np.column_stack((turn, centre - turn @ np.full(2, (wide - 1) / 2)))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(
            self.warped, matrix, (wide, wide), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )


def _cut_window(
    phone: Photo,
    dslr: Photo,
    alignment: Alignment,
    search: _SearchArea,
    xy: tuple[int, int],
    params: Patches,
) -> Patch | str:
    """One window: the accepted patch, or the reason of its refusal."""
    (x, y), size = xy, params.size
    x0, y0, x1, y1 = alignment.crop
    reach = search.margin
    if x < x0 + reach or y < y0 + reach or x + size > x1 - reach or y + size > y1 - reach:
        return "outside_overlap"
    if search.phone[y : y + size, x : x + size].std() < params.min_deviation:
        return "flat"
    score, shift, rotation = search.best(x, y, params)
    if score <= params.min_ncc - 0.05:
        return "low_correlation"
    if np.abs(shift).max() > params.max_shift:
        return "shift_at_limit"
    cut = phone[y : y + size, x : x + size]
    pair = warp(dslr, alignment, window_points(x, y, size, size, shift, rotation))
    if luminance(pair).std() < params.min_deviation:
        return "flat"
    if np.abs(cut.astype(int) - pair).mean() < SAME_IMAGE:
        return "identical"
    ncc = correlation(cut, pair)
    if ncc <= params.min_ncc:
        return "low_correlation"
    return Patch(cut, pair, xy, (float(shift[0]), float(shift[1])), rotation, ncc)


def correlation(first: Photo, second: Photo) -> float:
    """Normalised cross-correlation of two RGB patches' grey levels, -1 to 1; 0 when flat."""
    a, b = (luminance(patch).astype(np.float64).ravel() for patch in (first, second))
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else 0.0


def warp(image: Array, alignment: Alignment, points: Array) -> Array:
    """Sample the DSLR's photo where phone pixels (H, W, 2) lie, by bicubic interpolation."""
    where = alignment.to_dslr(points).astype(np.float32)
    return cv2.remap(image, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def window_points(
    x: int,
    y: int,
    width: int,
    height: int,
    shift: Array | None = None,
    rotation: float = 0.0,
) -> Array:
    """Phone coordinates (height, width, 2) of a window, turned about its centre and shifted."""
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)
    centre = np.array([width - 1, height - 1]) / 2
    angle = np.deg2rad(rotation)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    offset = grid - centre + (0 if shift is None else shift)
    return offset @ turn.T + centre + np.array([x, y], dtype=np.float64)


def _subpixel(scores: Array, peak: Sequence[int]) -> Array:
    """Refine the peak (x, y) of a correlation map by a parabola along each axis."""
    refined = np.array(peak, dtype=np.float64)
    for axis, (line, at) in enumerate(((scores[peak[1]], peak[0]), (scores[:, peak[0]], peak[1]))):
        if 0 < at < len(line) - 1:
            before, here, after = (float(v) for v in line[at - 1 : at + 2])
            bend = before - 2 * here + after
            refined[axis] += 0.5 * (before - after) / bend if bend < 0 else 0.0
    return refined
