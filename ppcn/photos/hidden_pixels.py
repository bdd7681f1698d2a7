"""Invisible pixels: what stands in for their colours, so that no network sees what they hide.

Around visible pixels it is the colour of the nearest one, farther away the mean of all visible
ones. A photo is read by rows, so that it may be of any size.
"""

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
"""(H, W): which pixels are visible, be it a little."""

# Hidden pixels take the colour of a visible one so far away, px: most networks see less.
NEAR = 64
# Rows that are filled at once; part of the result, for of two colours as near either may be taken.
ROWS = 128


def hides_some(visible: Mask) -> bool:
    """Whether some pixels are hidden and some are not."""
    return bool(visible.any()) and not bool(visible.all())


def filled(pixels: NDArray[Any], visible: Mask) -> NDArray[Any]:
    """Pixels (H, W, 3) of any kind, the hidden ones filled; some have to be visible."""
    result = pixels.copy()
    bands = filled_bands(
        lambda top, bottom: pixels[top:bottom], lambda top, bottom: visible[top:bottom], len(pixels)
    )
    for top, rows in bands:
        result[top : top + len(rows)] = rows
    return result


def filled_bands(
    read: Callable[[int, int], NDArray[Any]], read_visible: Callable[[int, int], Mask], height: int
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Fill the hidden pixels of a photo, of which some have to be visible.

    Args:
        read: gives rows from top to before bottom, (bottom - top, W, 3).
        read_visible: gives which pixels of them are visible.
        height: of the photo, px.

    Yields:
        First row, and rows, of every band that hides pixels. They may take the photo's place at
        once, for visible pixels stay as they are.
    """
    far = _mean(read, read_visible, height)
    for top in range(0, height, ROWS):
        bottom = min(top + ROWS, height)
        if read_visible(top, bottom).all():
            continue
        first, last = max(top - NEAR, 0), min(bottom + NEAR, height)
        rows = _filled(read(first, last), read_visible(first, last), far)
        yield top, rows[top - first : bottom - first]


def _mean(
    read: Callable[[int, int], NDArray[Any]], read_visible: Callable[[int, int], Mask], height: int
) -> NDArray[Any]:
    """The mean of the visible pixels, (3,), of the photo's kind."""
    added, count = np.zeros(3), 0
    for top in range(0, height, ROWS):
        bottom = min(top + ROWS, height)
        shown = read(top, bottom)[read_visible(top, bottom)]
        added += shown.sum(axis=0, dtype=np.float64)
        count += len(shown)
    mean = added / count
    return (mean if shown.dtype.kind == "f" else np.rint(mean)).astype(shown.dtype)


def _filled(pixels: NDArray[Any], visible: Mask, far: NDArray[Any]) -> NDArray[Any]:
    result = np.where(visible[..., None], pixels, far)
    if not visible.any():
        return result
    hidden = np.logical_not(visible)
    distances, labels = cv2.distanceTransformWithLabels(
        hidden.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colors = np.empty((int(labels.max()) + 1, 3), pixels.dtype)
    colors[labels[visible]] = pixels[visible]
    near = hidden & (distances <= NEAR)
    result[near] = colors[labels[near]]
    return result
