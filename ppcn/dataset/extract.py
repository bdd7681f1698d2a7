"""Matching patches of an aligned pair, by cross-correlation (DPED section 2).

Windows that do not overlap tile the phone's photo. Around each one the reference photo is searched
by shift and rotation; the patch is then warped once from the original file. The phone's pixels are
never resampled. For super-resolution (`patches.scale` k) the reference photo's patch is k times as
high and wide, warped in the same way from the same file; all gates judge it at the phone's size.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ppcn.dataset.color_match import match_colors
from ppcn.dataset.grid import place_windows
from ppcn.dataset.patch_set import Patch
from ppcn.dataset.window_gates import (
    Outcome,
    check_contrast,
    check_overlap,
    check_patch,
    check_resolution,
    check_search,
)
from ppcn.params import Patches
from ppcn.photos.color import luminance
from ppcn.photos.decode import Photo
from ppcn.registration.alignment import Alignment
from ppcn.registration.geometry import Array, inside, low_pass, size_of, square_centres

# The most by which turning a window is expected to lift correlation.
TURNING_GAIN = 0.1
STRIPE = 256


@dataclass(frozen=True)
class Window:
    """What became of one window.

    Attributes:
        xy: top-left corner in phone pixels.
        outcome: whether it was kept, or why not.
        ncc: correlation at the best position; 0 where none was computed.
    """

    xy: tuple[int, int]
    outcome: Outcome
    ncc: float


def cut_patches(
    phone: Photo, reference: Photo, alignment: Alignment, params: Patches
) -> tuple[list[Patch], list[Window]]:
    """Cut every acceptable window of a pair.

    Args:
        phone: (H, W, 3) uint8 RGB.
        reference: (H', W', 3) uint8 RGB.
        alignment: the pair's geometry, accepted.
        params: the `patches` group of params.yaml.

    Returns:
        The patches in reading order, and what became of every window.
    """
    cutter = _Cutter(phone, reference, alignment, params)
    kept: list[Patch] = []
    windows: list[Window] = []
    m, valid_mask = cutter.margin, cutter.valid_mask
    warped = cutter.warped[m : m + valid_mask.shape[0], m : m + valid_mask.shape[1]]
    for xy in place_windows(cutter.phone_grey, warped, valid_mask, alignment.crop, params):
        patch, window = cutter.cut(xy)
        windows.append(window)
        if patch:
            kept.append(patch)
    return kept, windows


@dataclass(frozen=True)
class _Position:
    """Where a window's template matches best for one rotation.

    Attributes:
        score: correlation.
        shift: (dx, dy) px to sub-pixel precision.
        rotation: degrees.
        scores: correlation at every whole shift, (rows, columns).
    """

    score: float
    shift: Array
    rotation: float
    scores: Array


class _Cutter:
    """A pair whose windows are cut one after another."""

    def __init__(
        self, phone: Photo, reference: Photo, alignment: Alignment, params: Patches
    ) -> None:
        self.phone, self.alignment, self.params = phone, alignment, params
        density = alignment.reference_scale()
        self.resolution = check_resolution(density, params)
        self.reference = low_pass(reference, density)
        self.fine = low_pass(reference, density / params.scale) if params.scale > 1 else None
        self.phone_grey = luminance(phone)
        self.margin = params.max_shift + 1
        grey = luminance(self.reference)
        self.warped, self.valid_mask = warp_to_phone(grey, alignment, self.margin)

    def cut(self, xy: tuple[int, int]) -> tuple[Patch | None, Window]:
        """One window: the patch if it is accepted, and what became of it."""
        (x, y), size = xy, self.params.size
        contrast = check_contrast(self.phone_grey[y : y + size, x : x + size], self.params)
        if rejection := self.resolution or contrast:
            return None, Window(xy, rejection, 0)
        positions = self._search(x, y)
        best = max(positions, key=lambda position: position.score)
        if rejection := check_search(best.scores, best.shift, self.params):
            return None, Window(xy, rejection, best.score)
        # Turning the warped photo blurs it, which flatters its score: the patch decides.
        candidates = [best]
        straight = positions[0]
        if best is not straight and not check_search(straight.scores, straight.shift, self.params):
            candidates.append(straight)
        patches = [self._warp_patch(xy, position) for position in candidates]
        patch = max(filter(None, patches), key=lambda p: p.ncc, default=None)
        if patch is None:
            return None, Window(xy, Outcome.OUTSIDE_OVERLAP, 0)
        if rejection := check_patch(patch.phone, patch.reference, patch.ncc, self.params):
            return None, Window(xy, rejection, patch.ncc)
        finished = self._finish(patch)
        outcome = Outcome.KEPT if finished else Outcome.OUTSIDE_OVERLAP
        return finished, Window(xy, outcome, patch.ncc if finished else 0)

    def _warp_patch(self, xy: tuple[int, int], position: _Position) -> Patch | None:
        """The patch at a position, unless the reference camera does not see all of it."""
        (x, y), size, shift = xy, self.params.size, position.shift
        where = self._points(xy, shift, position.rotation)
        if check_overlap(where, size_of(self.reference)):
            return None
        phone = self.phone[y : y + size, x : x + size]
        reference = warp(self.reference, where)
        moved = (float(shift[0]), float(shift[1]))
        return Patch(phone, reference, xy, moved, position.rotation, correlation(phone, reference))

    def _finish(self, patch: Patch) -> Patch | None:
        """The patch as it is stored: at patches.scale, its colours matched if wanted.

        None where the reference camera does not see the outer halves of its outer pixels.
        """
        fine = patch.reference
        if self.fine is not None:
            where = self._points(patch.xy, np.array(patch.shift), patch.rotation, self.params.scale)
            if check_overlap(where, size_of(self.fine)):
                return None
            fine = warp(self.fine, where)
        matched = match_colors(fine, patch.reference, patch.phone, self.params.match)
        return replace(patch, reference=matched)

    def _points(self, xy: tuple[int, int], shift: Array, rotation: float, scale: int = 1) -> Array:
        """Where the pixels of a patch lie on the reference photo."""
        points = window_points(*xy, self.params.size, shift, rotation, scale)
        return self.alignment.to_reference(points)

    def _search(self, x: int, y: int) -> list[_Position]:
        """The best position for every rotation worth trying, the smallest rotation first."""
        size = self.params.size
        template = self.phone_grey[y : y + size, x : x + size]
        positions: list[_Position] = []
        for rotation in sorted(self.params.rotations, key=abs):
            if positions and positions[0].score <= self.params.min_ncc - TURNING_GAIN:
                break
            scores = cv2.matchTemplate(self._area(x, y, rotation), template, cv2.TM_CCOEFF_NORMED)
            row, column = np.unravel_index(scores.argmax(), scores.shape)
            shift = _subpixel(scores, (int(column), int(row))) - self.margin
            positions.append(_Position(float(scores.max()), shift, rotation, scores))
        return positions

    def _area(self, x: int, y: int, rotation: float) -> Array:
        """The window and its margin on the reference photo, turned about the window's centre."""
        wide = self.params.size + 2 * self.margin
        if rotation == 0:
            return self.warped[y : y + wide, x : x + wide]
        turn, centre = _turn(rotation), np.array([x, y]) + (wide - 1) / 2
        matrix = np.column_stack((turn, centre - turn @ np.full(2, (wide - 1) / 2)))
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(
            self.warped, matrix, (wide, wide), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )


def warp_to_phone(
    image: Array, alignment: Alignment, margin: int
) -> tuple[Array, NDArray[np.bool_]]:
    """The reference photo as the phone would see it.

    Args:
        image: (H', W') or (H', W', C), the reference camera's.
        alignment: the pair's geometry.
        margin: pixels beyond the phone's photo on every side.

    Returns:
        (H + 2 margin, W + 2 margin) or with C channels, of the image's dtype, and what the
        reference camera sees of the phone's photo, (H, W).
    """
    width, height = (n + 2 * margin for n in alignment.phone_size)
    warped = np.empty((height, width, *image.shape[2:]), image.dtype)
    valid_mask = np.empty((height, width), bool)
    for top in range(0, height, STRIPE):
        rows = np.s_[top : min(top + STRIPE, height)]
        where = alignment.source_map(-margin, top - margin, width, rows.stop - top)
        warped[rows], valid_mask[rows] = warp(image, where), inside(where, size_of(image))
    return warped, valid_mask[margin : height - margin, margin : width - margin]


def correlation(first: Photo, second: Photo) -> float:
    """Normalised cross-correlation of two RGB patches' grey levels, -1 to 1; 0 when flat."""
    a, b = (luminance(patch).astype(np.float64).ravel() for patch in (first, second))
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else 0.0


def warp(image: Array, where: Array) -> Array:
    """Sample an image at points (H, W, 2) by bicubic interpolation."""
    points = where.astype(np.float32)
    return cv2.remap(image, points, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def window_points(
    x: int,
    y: int,
    size: int,
    shift: Array | None = None,
    rotation: float = 0.0,
    scale: int = 1,
) -> Array:
    """Phone coordinates of a window, turned about its centre and shifted.

    Returns:
        (scale * size, scale * size, 2): of its pixels, or of scale x scale in the place of each.
    """
    side = range(scale * size)
    offset = square_centres(side, side, 1 / scale) - (size - 1) / 2
    moved = offset + (0 if shift is None else shift)
    return moved @ _turn(rotation).T + (size - 1) / 2 + np.array([x, y], dtype=np.float64)


def _turn(degrees: float) -> Array:
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _subpixel(scores: Array, peak: tuple[int, int]) -> Array:
    """Refine the peak (x, y) of a correlation map by a parabola along each axis."""
    refined = np.array(peak, dtype=np.float64)
    for axis, (line, at) in enumerate(((scores[peak[1]], peak[0]), (scores[:, peak[0]], peak[1]))):
        if 0 < at < len(line) - 1:
            before, middle, after = (float(v) for v in line[at - 1 : at + 2])
            bend = before - 2 * middle + after
            refined[axis] += 0.5 * (before - after) / bend if bend < 0 else 0.0
    return refined
