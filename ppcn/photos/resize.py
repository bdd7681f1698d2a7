"""Bicubic resizing (a = -0.5, antialiased) in the two conventions of super-resolution tables.

Pillow's, which the papers' `sr_y_shave4` uses, and MATLAB's imresize, which made the standard
test sets. They differ at borders only (by up to 5 grey levels): MATLAB mirrors, Pillow cuts off.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ppcn.photos.decode import Photo

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SCALE = 4
Kind = TypeVar("Kind", np.uint8, np.float64)
Level = TypeVar("Level", np.uint8, np.float32)


def crop_to_multiple(photo: Photo, multiple: int = SCALE) -> Photo:
    """Cut the right and bottom so that height and width divide by `multiple`."""
    height, width = (n - n % multiple for n in photo.shape[:2])
    return photo[:height, :width]


def shrink(photo: Photo, factor: int = SCALE) -> Photo:
    """Reduce (H, W, 3) uint8 by `factor` as Pillow does; H and W must divide by it."""
    return _resized(photo, photo.shape[0] // factor, photo.shape[1] // factor)


def enlarge(image: NDArray[Level], factor: int = SCALE) -> NDArray[Level]:
    """Enlarge by `factor` as Pillow does.

    Args:
        image: (H, W, 3) uint8, which is rounded and clipped; or (H, W) or (H, W, C) float32, which
            may overshoot.
        factor: of both sides.

    Returns:
        The same kind of pixels.
    """
    height, width = image.shape[0] * factor, image.shape[1] * factor
    if image.dtype == np.uint8 or image.ndim == 2:
        return _resized(image, height, width)
    channels = [_resized(image[..., c], height, width) for c in range(image.shape[2])]
    return np.stack(channels, axis=-1)


def _resized(image: NDArray[Level], height: int, width: int) -> NDArray[Level]:
    """By Pillow, whose float32 images have one channel."""
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def matlab_shrink(photo: Photo, factor: int = SCALE) -> Photo:
    """Reduce (H, W, 3) uint8 by `factor` as MATLAB does."""
    return imresize(photo, 1 / factor)


def matlab_enlarge(photo: Photo, factor: int = SCALE) -> Photo:
    """Enlarge (H, W, 3) uint8 by `factor` as MATLAB does."""
    return imresize(photo, float(factor))


def imresize(image: NDArray[Kind], scale: float) -> NDArray[Kind]:
    """Resize as MATLAB does: bicubic, antialiased where it shrinks, borders mirrored.

    Rows are resized before columns; uint8 is rounded half up and clipped after each pass.

    Args:
        image: (H, W) or (H, W, C), uint8 or float64.
        scale: of both sides; sizes are rounded up.

    Returns:
        The same kind of pixels.
    """
    for axis in (0, 1):
        weights = _bicubic_weights(image.shape[axis], scale)
        moved = np.moveaxis(image, axis, 0)
        passed = weights @ moved.reshape(len(moved), -1).astype(np.float64)
        resized = np.moveaxis(passed.reshape(-1, *moved.shape[1:]), 0, axis)
        if image.dtype == np.uint8:
            resized = np.floor(resized + 0.5).clip(0, 255)
        image = resized.astype(image.dtype)
    return image


def _bicubic_weights(length: int, scale: float) -> "csr_array":
    """(ceil(length * scale), length) sparse matrix that resizes one axis."""
    # Imported only now, for enhancing photos takes no memory for it.
    from scipy.sparse import csr_array

    widening = min(scale, 1.0)
    support = 4 / widening
    out = np.arange(int(np.ceil(length * scale - 1e-9)))
    centre = (out + 0.5) / scale - 0.5
    first = np.floor(centre - support / 2).astype(int)
    index = first[:, None] + np.arange(int(np.ceil(support)) + 2)
    weight = widening * _cubic(widening * (centre[:, None] - index))
    weight /= weight.sum(axis=1, keepdims=True)
    mirrored = index % (2 * length)
    column = np.minimum(mirrored, 2 * length - 1 - mirrored)
    row = np.repeat(out, index.shape[1])
    return csr_array((weight.ravel(), (row, column.ravel())), shape=(len(out), length))


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic kernel with a = -0.5."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def tile(photo: Photo, size: int) -> Iterator[Photo]:
    """Whole (size, size, 3) tiles of a photo, in reading order."""
    height, width = photo.shape[:2]
    for y in range(0, height - size + 1, size):
        for x in range(0, width - size + 1, size):
            yield photo[y : y + size, x : x + size]
