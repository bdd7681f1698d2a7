"""The smooth displacement that lens and homography leave: parallax, and what else is local.

At every level of a pyramid, from coarse to fine, the reference photo is warped to the phone's and
the displacement d beyond the lens's is improved by Gauss-Newton steps u that minimise

    sum |n1 - n2 - g . u|^2 / s^2  +  alpha |grad (d + u)|^2,

the combined local-global optical flow of Bruhn, Weickert and Schnoerr (2005). n1 and n2 are the
photos after local mean and deviation are divided out, so that exposure and tone do not look like
motion; g is their mean gradient; s^2 is the local mean square of n1 - n2, so that noise, moving
things and blown highlights pull less than matching texture. Sums are over squares of CELL pixels,
one node each. Photos are passed over in bands of rows, so that memory does not grow with them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ppcn.params import Align
from ppcn.registration.alignment import Alignment
from ppcn.registration.geometry import (
    Array,
    inside,
    low_pass,
    sample_displacement,
    size_of,
    square_centres,
    transform_points,
)
from ppcn.registration.lens import Lens

Grey = NDArray[np.float32]
CELL = 8
# The coarsest level's long side is at most this, px.
COARSEST = 400
STEPS = 4
# Cells in a band, and cells beyond it that its filters read.
BAND, HALO = 32, 2
# Blurs of the photos, px; of the sums over cells and of s^2, cells.
PHOTO_BLUR, SUM_BLUR, NOISE_BLUR = 0.7, 0.5, 2.0
# Side of the box whose mean and deviation are divided out, px; grey levels added to the deviation.
BOX, FLAT = 25, 3.0
# Least s^2: even perfectly matching texture pulls no more than this lets it.
NOISE_FLOOR = 0.05
# A step moves a node by at most this many px of its level.
LONGEST_STEP = 1.5
# Solving stops after this many iterations, or when the residual has fallen to this share.
ITERATIONS, TOLERANCE = 30, 1e-3
LAPLACIAN = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
# Least mean square of the phone's n1 where correlation says something.
TEXTURED = 0.25


@dataclass(frozen=True)
class Level:
    """One level of the pyramid.

    Attributes:
        phone: n1 of whole cells, (8 rows + halo, 8 columns + halo) float32.
        reference: float32, the reference camera's grey photo, halved and low-passed for this level.
        shrink: full-size phone px per px.
        reference_shrink: full-size reference px per px of `reference`.
    """

    phone: Grey
    reference: Grey
    shrink: int
    reference_shrink: int

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = (n // CELL - 2 * HALO for n in self.phone.shape)
        return rows, columns

    @property
    def step(self) -> int:
        """Full-size phone px between nodes."""
        return CELL * self.shrink

    @cached_property
    def nodes(self) -> NDArray[np.float64]:
        """Full-size phone pixels in the middle of the cells, of the halo and of one more ring."""
        rows, columns = (range(-HALO - 1, n + HALO + 1) for n in self.cells)
        return square_centres(columns, rows, self.step)


def refine(
    phone: Grey, reference: Grey, alignment: Alignment, lens: Lens, params: Align
) -> Alignment:
    """Estimate the displacement of a pair.

    Args:
        phone: (H, W) float32 grey levels 0..255.
        reference: (H', W') float32 grey levels 0..255.
        alignment: the pair's alignment, with the lens's homography.
        lens: the lens, whose displacement is the start.
        params: the `align` group of params.yaml.

    Returns:
        The alignment with its displacement, rounded to float16 as it is stored.
    """
    levels = _pyramid(phone, reference, alignment, params.refine_size)
    local, step = np.zeros((0, 0, 2), np.float32), 1
    for level in levels:
        straight = lens.displacement(level.nodes)
        alpha = params.smoothness * level.shrink / levels[-1].shrink
        ring = HALO + 1
        for _ in range(STEPS):
            around = sample_displacement(local, step, level.nodes)
            equations = _normal_equations(level, alignment, straight + around)
            local = around[ring:-ring, ring:-ring].astype(np.float32)
            local += level.shrink * _solve(equations, alpha, local / level.shrink)
            step = level.step
    displacement = (straight[ring:-ring, ring:-ring] + local).astype(np.float16)
    return replace(alignment, displacement=displacement.astype(np.float32), step=step)


def agreement_map(phone: Grey, reference: Grey, alignment: Alignment) -> tuple[Grey, int]:
    """How the two photos, at half the phone's size, correlate around every cell.

    Returns:
        (rows, columns) float32, -1 to 1, NaN where the phone's photo is flat or the reference
        camera sees nothing; and the side of a cell in full-size phone px.
    """
    level = _pyramid(phone, reference, alignment, (max(size_of(phone)) + 1) // 2)[-1]
    moved = sample_displacement(alignment.displacement, alignment.step, level.nodes)
    bands = []
    for n1, n2, valid_mask in _bands(level, alignment, moved):
        terms = (n1 * n2 * valid_mask, n1 * n1 * valid_mask, n2 * n2 * valid_mask, valid_mask)
        bands.append(np.stack([_by_cell(term) for term in terms]))
    both, first, second, valid_mask = (cv2.blur(s, (5, 5)) for s in np.concatenate(bands, axis=1))
    known = (first > TEXTURED * np.maximum(valid_mask, 0.5)) & (second > 0)
    norm = np.sqrt(np.where(known, first * second, 1))
    return np.where(known, both / norm, np.nan).astype(np.float32), level.step


def _pyramid(phone: Grey, reference: Grey, alignment: Alignment, finest: int) -> list[Level]:
    """Levels from coarse to fine; the finest has a long side of at most `finest` px if it can."""
    levels: list[Level] = []
    shrink, reference_shrink = 1, 1
    while True:
        last = max(size_of(phone)) <= COARSEST or min(size_of(phone)) < 4 * CELL
        if last or max(size_of(phone)) <= finest:
            scale = alignment.reference_scale() * shrink
            while reference_shrink * 1.7 < scale:
                reference, reference_shrink = _halve(reference), reference_shrink * 2
            sharp = low_pass(reference, scale / reference_shrink)
            levels.insert(0, Level(_whole_cells(phone), sharp, shrink, reference_shrink))
        if last:
            return levels
        phone, shrink = _halve(phone), shrink * 2


def _halve(grey: Grey) -> Grey:
    """Means of 2 x 2 pixels; a last odd row or column is left out."""
    height, width = (n // 2 * 2 for n in grey.shape)
    return cv2.resize(
        grey[:height, :width], (width // 2, height // 2), interpolation=cv2.INTER_AREA
    )


def _whole_cells(phone: Grey) -> Grey:
    """n1 of the cells that lie on the photo, with a halo that repeats the edge."""
    height, width = (n // CELL * CELL for n in phone.shape)
    flat = _flatten_contrast(phone)[:height, :width]
    return cv2.copyMakeBorder(flat, *(CELL * HALO,) * 4, cv2.BORDER_REPLICATE)


def _flatten_contrast(grey: Grey) -> Grey:
    """Subtract the local mean and divide by the local deviation."""
    grey = cv2.GaussianBlur(grey, (0, 0), PHOTO_BLUR)
    mean = cv2.blur(grey, (BOX, BOX))
    variance = cv2.blur(grey * grey, (BOX, BOX)) - mean * mean
    return (grey - mean) / (np.sqrt(np.maximum(variance, 0)) + np.float32(FLAT))


def _bands(
    level: Level, alignment: Alignment, displacement: Array
) -> Iterator[tuple[Grey, Grey, Grey]]:
    """n1, n2 and the valid mask (0 or 1) of the reference photo, each with its halo, by band."""
    source = transform_points(alignment.homography, level.nodes + displacement)
    source = ((source + 0.5) / level.reference_shrink - 0.5).astype(np.float32)
    rows = level.cells[0]
    for top in range(0, rows, BAND):
        bottom = min(top + BAND, rows) + 2 * HALO
        nodes = source[top : bottom + 2]
        size = (nodes.shape[1] * CELL, nodes.shape[0] * CELL)
        where = cv2.resize(nodes, size, interpolation=cv2.INTER_LINEAR)[CELL:-CELL, CELL:-CELL]
        edge = cv2.BORDER_REPLICATE
        warped = cv2.remap(level.reference, where, None, cv2.INTER_LINEAR, borderMode=edge)
        valid_mask = inside(where, size_of(level.reference)).astype(np.float32)
        yield level.phone[top * CELL : bottom * CELL], _flatten_contrast(warped), valid_mask


def _by_cell(value: Grey) -> Grey:
    """Means over the cells of a band, its halo left out."""
    halo = CELL * HALO
    core = value[halo:-halo, halo:-halo]
    size = (core.shape[1] // CELL, core.shape[0] // CELL)
    return cv2.resize(core, size, interpolation=cv2.INTER_AREA)


def _normal_equations(level: Level, alignment: Alignment, displacement: Array) -> list[Grey]:
    """Cells' sums of g g^T (xx, xy, yy) and g (n1 - n2) (x, y), over s^2, in px of the level."""
    bands = []
    for n1, n2, valid_mask in _bands(level, alignment, displacement):
        both = n1 + n2
        gx = cv2.Sobel(both, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 16) * valid_mask
        gy = cv2.Sobel(both, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 16) * valid_mask
        change = (n1 - n2) * valid_mask
        terms = (gx * gx, gx * gy, gy * gy, gx * change, gy * change, change * change)
        bands.append(np.stack([_by_cell(term) for term in terms]))
    *pulls, square = np.concatenate(bands, axis=1)
    noise = cv2.GaussianBlur(square, (0, 0), NOISE_BLUR) + np.float32(NOISE_FLOOR)
    return [cv2.GaussianBlur(pull, (0, 0), SUM_BLUR) / noise for pull in pulls]


def _solve(equations: list[Grey], alpha: float, local: Array) -> Array:
    """The step (rows, columns, 2) by conjugate gradients, preconditioned cell by cell."""
    xx, xy, yy, x, y = equations

    def apply(u: Array) -> Array:
        out = -alpha * _laplacian(u)
        out[..., 0] += xx * u[..., 0] + xy * u[..., 1]
        out[..., 1] += xy * u[..., 0] + yy * u[..., 1]
        return out

    def precondition(r: Array) -> Array:
        a, c = xx + 4 * alpha, yy + 4 * alpha
        u = np.stack((c * r[..., 0] - xy * r[..., 1], a * r[..., 1] - xy * r[..., 0]), axis=-1)
        return u / (a * c - xy * xy)[..., None]

    solution = np.zeros_like(local)
    residual = np.stack((x, y), axis=-1) + alpha * _laplacian(local)
    direction = towards = precondition(residual)
    size = first = float((residual * towards).sum())
    for _ in range(ITERATIONS):
        if size <= TOLERANCE**2 * first:
            break
        applied = apply(direction)
        length = size / float((direction * applied).sum())
        solution = solution + length * direction
        residual = residual - length * applied
        towards = precondition(residual)
        size, before = float((residual * towards).sum()), size
        direction = towards + (size / before) * direction
    length = np.linalg.norm(solution, axis=-1, keepdims=True)
    return solution * np.minimum(1, LONGEST_STEP / np.maximum(length, 1e-6))


def _laplacian(u: Array) -> Array:
    return cv2.filter2D(u, cv2.CV_32F, LAPLACIAN, borderType=cv2.BORDER_REPLICATE)
