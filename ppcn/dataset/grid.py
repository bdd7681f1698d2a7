"""Where on a photo the windows lie: as many as possible that will pass, none over another."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ppcn.params import Patches
from ppcn.registration.geometry import Array

# Windows may begin at every so many-th pixel.
STRIDE = 4
# Grades of correlation above the gate.
GRADES = 100


def place_windows(
    phone: Array,
    warped: Array,
    valid_mask: NDArray[np.bool_],
    crop: tuple[int, int, int, int],
    params: Patches,
) -> list[tuple[int, int]]:
    """Choose the top-left corners of windows that tile the photo.

    `patches.grid` is `dped`, a grid from the corner of the common crop; `offset`, the grid that
    begins where most windows pass; or `packed`, rows of windows that lie where most pass.

    Args:
        phone: (H, W) float32 grey levels.
        warped: (H, W) float32, the reference photo warped to it.
        valid_mask: (H, W) bool, what the reference camera sees.
        crop: (x0, y0, x1, y1), the common part in phone pixels, end exclusive.
        params: the `patches` group of params.yaml.

    Returns:
        Corners (x, y) in reading order, of windows that both photos see.
    """
    if params.grid == "dped":
        x0, y0, x1, y1 = crop
        return _grid(x0, y0, x1, y1, params.size)
    score = _score_corners(phone, warped, valid_mask, params)
    if not score.size:
        return []
    corners = (
        _best_offset(score, params.size) if params.grid == "offset" else _best_rows(score, params)
    )
    return [(x, y) for x, y in corners if score[y // STRIDE, x // STRIDE] > 0]


def _grid(x0: int, y0: int, x1: int, y1: int, size: int) -> list[tuple[int, int]]:
    columns, rows = range(x0, x1 - size + 1, size), range(y0, y1 - size + 1, size)
    return [(x, y) for y in rows for x in columns]


def _score_corners(
    phone: Array, warped: Array, valid_mask: NDArray[np.bool_], params: Patches
) -> NDArray[np.int64]:
    """The score of a window at every STRIDE-th corner.

    Returns:
        (rows, columns): 0 where the reference camera does not see all of it; where it would
        pass as it is, so much that one window more counts more than how well the others correlate;
        1 elsewhere.
    """
    size = params.size
    if min(phone.shape) < size:
        return np.zeros((0, 0), np.int64)
    a, b = phone - np.float32(128), warped - np.float32(128)
    first, second = _means(a, size), _means(b, size)
    spread = _means(a * a, size) - first**2, _means(b * b, size) - second**2
    together = _means(a * b, size) - first * second
    flat = np.minimum(*spread) < params.min_deviation**2
    ncc = together / np.sqrt(np.maximum(spread[0] * spread[1], 1e-6))
    grade = np.floor(GRADES * (ncc - params.min_ncc) / (1 - params.min_ncc)).clip(0, GRADES - 1)
    whole = _means(valid_mask.astype(np.float32), size) > 1 - 0.5 / size**2
    most = phone.size // size**2 + 1
    passing = np.where((ncc > params.min_ncc) & ~flat, most * GRADES + grade, 1)
    return np.where(whole, passing, 0).astype(np.int64)


def _means(values: Array, size: int) -> NDArray[np.float64]:
    """Means over all size x size windows whose corners are multiples of STRIDE."""
    integral = cv2.integral(values, sdepth=cv2.CV_64F)
    after, before = np.s_[size::STRIDE], np.s_[: len(integral) - size : STRIDE]
    over, under = np.s_[size::STRIDE], np.s_[: integral.shape[1] - size : STRIDE]
    lower = integral[after, over] - integral[before, over]
    return (lower - integral[after, under] + integral[before, under]) / size**2


def _best_offset(score: NDArray[np.int64], size: int) -> list[tuple[int, int]]:
    step = -(-size // STRIDE)
    offsets = [
        (y, x) for y in range(min(step, len(score))) for x in range(min(step, score.shape[1]))
    ]
    y, x = max(offsets, key=lambda o: score[o[0] :: step, o[1] :: step].sum())
    rows, columns = score.shape
    return [(c * STRIDE, r * STRIDE) for r in range(y, rows, step) for c in range(x, columns, step)]


def _best_rows(score: NDArray[np.int64], params: Patches) -> list[tuple[int, int]]:
    """Rows of windows with the highest scores in all, and in each row such windows."""
    step = -(-params.size // STRIDE)
    row_scores = _best_scores(score, step)
    corners: list[tuple[int, int]] = []
    for row in _chosen(_best_scores(row_scores[None, :, -1], step)[0], row_scores[:, -1], step):
        along = _chosen(row_scores[row], score[row], step)
        corners += [(column * STRIDE, row * STRIDE) for column in along]
    return corners


def _best_scores(score: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    """The highest total score of windows `step` long among the first ones of each row.

    Returns:
        (rows, columns + step): entry i is of windows that end at or before i.
    """
    rows, columns = score.shape
    best = np.zeros((rows, columns + step), np.int64)
    for at in range(columns):
        best[:, at + step] = np.maximum(best[:, at + step - 1], best[:, at] + score[:, at])
    return best


def _chosen(best: NDArray[np.int64], score: NDArray[np.int64], step: int) -> list[int]:
    """Where the windows of one row begin that reach the row's best total."""
    starts, end = [], len(best) - 1
    while end >= step:
        if best[end] == best[end - 1]:
            end -= 1
        else:
            end -= step
            starts.append(end)
    return starts[::-1]
