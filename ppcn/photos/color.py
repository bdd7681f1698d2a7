"""Brightness of RGB: every set of weights that makes it, once."""

import cv2
import numpy as np
from numpy.typing import NDArray

LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""Of red, green and blue in the brightness of R'G'B' (ITU-R BT.601)."""
TF_GRAY_WEIGHTS = (0.2989, 0.5870, 0.1140)
"""The same as TensorFlow's `rgb_to_grayscale` rounds them, with which published weights trained."""
Y_WEIGHTS = (65.481, 128.553, 24.966)
"""Of R'G'B' in [0, 1] in BT.601's Y, which begins at Y_BLACK."""
Y_BLACK = 16.0

# Rows that are converted at a time.
STRIP = 64


def luminance(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey levels (H, W) float32 in 0..255 of an RGB photo (H, W, 3), by `LUMA_WEIGHTS`."""
    grey = np.empty(photo.shape[:2], np.float32)
    for top in range(0, len(photo), STRIP):
        rows = slice(top, top + STRIP)
        grey[rows] = cv2.cvtColor(photo[rows].astype(np.float32), cv2.COLOR_RGB2GRAY)
    return grey


def luma(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """BT.601's Y in 16..235, (H, W), of RGB (H, W, 3) in [0, 1]."""
    return np.asarray(image @ np.array(Y_WEIGHTS) + Y_BLACK)
