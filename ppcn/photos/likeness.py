"""Whether two photos show the same picture, whatever their size, format and quality."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ppcn.photos.color import luminance
from ppcn.photos.decode import Photo

SIDE = 32
# Copies that were encoded at quality 30 or reduced to 100 px have 0.99 or more, different photos
# of the sample 0.14 or less.
ALIKE = 0.9
# Grey levels between neighbours of the thumbnail, root mean square: less is a plain surface.
PLAIN = 0.3


def gradient_key(photo: Photo) -> NDArray[np.float32]:
    """The gradients of a small grey version of a photo, as a vector of length 1.

    A difference hash that keeps the differences and not their signs alone.

    Args:
        photo: (H, W, 3) uint8 RGB.

    Returns:
        (2 * SIDE * SIDE,); zeros for a plain surface, which is like nothing.
    """
    small = cv2.resize(luminance(photo), (SIDE + 1, SIDE + 1), interpolation=cv2.INTER_AREA)
    across, down = small[:-1, 1:] - small[:-1, :-1], small[1:, :-1] - small[:-1, :-1]
    key = np.concatenate((across.ravel(), down.ravel())).astype(np.float32)
    length = float(np.linalg.norm(key))
    return key / length if length > PLAIN * len(key) ** 0.5 else np.zeros_like(key)


def likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The correlation of two keys, -1 .. 1; from `ALIKE` on it is one picture."""
    return float(one @ other)
