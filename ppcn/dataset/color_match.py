"""The better camera's colours brought to the phone's, window by window (`patches.match`).

Real super-resolution pairs should differ in detail alone: a network that sees other colours on one
side learns these (RealSR, Cai et al. 2019, section 3.2, which matches luminance). What is fitted
says what the reference photo's patch would look like in the phone's tones:

    phone ~ a * reference + b                  luminance: one a and b for the three channels
    phone ~ A @ reference + b                  color: A is 3x3

by least squares over the two patches at the phone's size, blurred, so that neither noise nor a
difference in sharpness or a fraction of a pixel counts.
"""

from typing import Literal

import cv2
import numpy as np

from ppcn.photos.color import luminance
from ppcn.photos.decode import Photo
from ppcn.registration.geometry import Array

Match = Literal["none", "luminance", "color"]
# Standard deviation of the blur, phone px.
BLUR = 2.5
# How strongly A is held to the luminance's a where a patch has too few colours to tell, as the
# variance in grey levels that counts as much as the patch's own.
RIDGE = 25.0


def match_colors(patch: Photo, reference: Photo, phone: Photo, match: Match) -> Photo:
    """Bring a patch of the reference photo to the phone's tones or colours.

    Args:
        patch: (k S, k S, 3) uint8 RGB, the reference photo's patch.
        reference: (S, S, 3) uint8 RGB, the same at the phone's size.
        phone: (S, S, 3) uint8 RGB, the phone's patch.
        match: what is matched.

    Returns:
        (k S, k S, 3) uint8 RGB.
    """
    if match == "none":
        return patch
    source, target = (
        cv2.GaussianBlur(p.astype(np.float32), (0, 0), BLUR) for p in (reference, phone)
    )
    slope, offset = _luminance_fit(source, target)
    if match == "color":
        matrix, offset = _color_fit(source, target, slope)
    else:
        matrix = slope * np.eye(3)
    matched = patch.astype(np.float64) @ matrix.T + offset
    return np.rint(matched.clip(0, 255)).astype(np.uint8)


def _luminance_fit(source: Array, target: Array) -> tuple[float, Array]:
    """One slope and one offset for all channels, from grey levels."""
    x, y = (luminance(image).astype(np.float64).ravel() for image in (source, target))
    variance = float(x.var())
    slope = float(((x - x.mean()) * (y - y.mean())).mean()) / variance if variance > 0 else 1.0
    return slope, np.full(3, y.mean() - slope * x.mean())


def _color_fit(source: Array, target: Array, slope: float) -> tuple[Array, Array]:
    """A matrix (3, 3) and offsets (3,), held to `slope` times the identity by a ridge."""
    x, y = (image.reshape(-1, 3).astype(np.float64) for image in (source, target))
    centre, middle = x.mean(axis=0), y.mean(axis=0)
    covariance = (x - centre).T @ (x - centre) / len(x) + RIDGE * np.eye(3)
    together = (x - centre).T @ (y - middle) / len(x) + RIDGE * slope * np.eye(3)
    matrix = np.linalg.solve(covariance, together).T
    return matrix, middle - matrix @ centre
