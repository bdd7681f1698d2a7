"""Bicubic resizing in the convention of the papers' super-resolution tables.

Pillow's BICUBIC (a = -0.5, antialiased) on 8-bit RGB, rounded after each pass.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from ppcn.images import Photo

SCALE = 4


def crop_to_multiple(photo: Photo, multiple: int = SCALE) -> Photo:
    """Cut the right and bottom so that height and width divide by `multiple`."""
    height, width = (n - n % multiple for n in photo.shape[:2])
    return photo[:height, :width]


def shrink(photo: Photo, factor: int = SCALE) -> Photo:
    """Reduce (H, W, 3) uint8 by `factor`; H and W must divide by it."""
    size = (photo.shape[1] // factor, photo.shape[0] // factor)
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))


def enlarge(photo: Photo, factor: int = SCALE) -> Photo:
    """Enlarge (H, W, 3) uint8 by `factor`."""
    size = (photo.shape[1] * factor, photo.shape[0] * factor)
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))


def tile(photo: Photo, size: int) -> Iterator[Photo]:
    """Whole (size, size, 3) tiles of a photo, in reading order."""
    height, width = photo.shape[:2]
    for y in range(0, height - size + 1, size):
        for x in range(0, width - size + 1, size):
            yield photo[y : y + size, x : x + size]
