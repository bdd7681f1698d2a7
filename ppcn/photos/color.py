"""Colours: which ones are sRGB, and every set of weights that makes brightness of RGB, once."""

import io
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""Of red, green and blue in the brightness of R'G'B' (ITU-R BT.601)."""
TF_GRAY_WEIGHTS = (0.2989, 0.5870, 0.1140)
"""The same as TensorFlow's `rgb_to_grayscale` rounds them, with which published weights trained."""
Y_WEIGHTS = (65.481, 128.553, 24.966)
"""Of R'G'B' in [0, 1] in BT.601's Y, which begins at Y_BLACK."""
Y_BLACK = 16.0

# Codes of HEIF for colours that are shown as sRGB: unspecified (2), or those of BT.709, BT.601 and
# sRGB itself.
NCLX_SRGB = {"color_primaries": {1, 2, 5, 6}, "transfer_characteristics": {1, 2, 6, 13}}
# Colour spaces of ICC profiles, by Pillow's mode of the pixels that they describe.
ICC_SPACES = {"RGB": "RGB ", "CMYK": "CMYK", "L": "GRAY"}
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


def srgb_transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from a photo's ICC profile to sRGB.

    Args:
        profile: the profile, if any.
        mode: Pillow's, of the pixels.

    Returns:
        The transform; None without a profile for pixels of this mode, which count as sRGB.

    Raises:
        OSError, PyCMSError: the profile is damaged.
    """
    if not profile:
        return None
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if source.profile.xcolor_space != ICC_SPACES.get(mode):
        return None
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")


def describes_other_rgb(profile: bytes | None) -> bool:
    """Whether an ICC profile describes RGB colours other than sRGB; a damaged one does not."""
    if not profile:
        return False
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if opened.profile.xcolor_space.strip() != "RGB":
            return False
        return "sRGB" not in ImageCms.getProfileDescription(opened)
    except (OSError, ImageCms.PyCMSError):
        return False


def is_srgb_nclx(codes: Mapping[str, int]) -> bool:
    """Whether the colour codes of a HEIF file (its nclx box, by pillow-heif's names) mean sRGB."""
    return all(codes.get(key, 2) in allowed for key, allowed in NCLX_SRGB.items())
