"""What `enhance` and `upscale` take: arrays, pictures of Pillow and paths, and the way back."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ppcn.errors import UserError
from ppcn.inference.photo_rows import Pixels
from ppcn.networks.devices import WHITE
from ppcn.photos.color import LUMA_WEIGHTS
from ppcn.photos.decode import read_photo
from ppcn.photos.decode_errors import DAMAGE
from ppcn.photos.hidden_pixels import Mask, filled, hides_some
from ppcn.photos.icc_profile import srgb_transform
from ppcn.photos.resize import enlarge

# Modes of pictures that are taken as they are, and those that become another.
MODES = {"RGB", "RGBA", "L", "LA", "I;16", "I;16B", "I;16L", "I;16N", "F"}
BECOMES = {"1": "L", "P": "RGB", "PA": "RGBA", "RGBX": "RGB", "RGBa": "RGBA", "La": "LA"}
BECOMES |= dict.fromkeys(("CMYK", "YCbCr", "HSV"), "RGB")
PROFILE, TRANSPARENCY = "icc_profile", "transparency"


class Colours:
    """The colours of an array, as rows of RGB, and which of its pixels are visible, if not all.

    Args:
        image: (H, W) or (H, W, 1) grey, (H, W, 2) grey with transparency, (H, W, 3) RGB or
            (H, W, 4) RGB with transparency; uint8, uint16, or floating point in [0, 1]; of any
            order of bytes and axes in memory.

    Attributes:
        alpha: (H, W), the transparency; None if there is none.
        height: px.
        width: px.

    Raises:
        UserError: the array is no photo.
    """

    def __init__(self, image: NDArray[Any]) -> None:
        _check_array(image)
        self._kind, self._has_channels = image.dtype, image.ndim == 3
        native = image.astype(image.dtype.newbyteorder("="), copy=False)
        channels = native if self._has_channels else native[..., None]
        count = channels.shape[-1]
        self._is_grey = count < 3
        self._white = WHITE.get(native.dtype, 1)
        self.alpha = channels[..., -1] if count in (2, 4) else None
        self.height, self.width = image.shape[:2]
        self._pixels = np.broadcast_to(
            channels[..., : 1 if self._is_grey else 3], (self.height, self.width, 3)
        )
        visible = None if self.alpha is None else self.alpha > 0
        self._visible = visible if visible is not None and hides_some(visible) else None
        if self._visible is not None:
            self._pixels = filled(self._pixels, self._visible)

    @property
    def values(self) -> NDArray[np.float32]:
        """(H, W, 3) in [0, 1]."""
        return self._pixels.astype(np.float32) / np.float32(self._white)

    def read(self, top: int, bottom: int) -> Pixels:
        """Rows top to bottom."""
        rows = self._pixels[top:bottom]
        kind = rows.dtype if rows.dtype in WHITE else np.dtype(np.float32)
        return np.require(rows, kind, ["C", "W"])

    def read_visible(self, top: int, bottom: int) -> Mask | None:
        """See `Rows`."""
        return None if self._visible is None else self._visible[top:bottom]

    def enlarged_alpha(self, scale: int) -> NDArray[Any] | None:
        """Transparency enlarged bicubically."""
        if self.alpha is None:
            return None
        return enlarge(self.alpha.astype(np.float32, order="C"), scale).clip(0, self._white)

    def like_photo(self, result: NDArray[np.float32], alpha: NDArray[Any] | None) -> NDArray[Any]:
        """A result (H, W, 3) in [0, 1] with its transparency, as an array of the photo's kind."""
        if self._is_grey:
            result = (result @ np.array(LUMA_WEIGHTS, np.float32))[..., None]
        array = self._of_kind(result.clip(0, 1) * self._white)
        if alpha is not None:
            array = np.concatenate((array, self._of_kind(alpha)[..., None]), axis=-1)
        return (array if self._has_channels else array[..., 0]).astype(self._kind, copy=False)

    def _of_kind(self, values: NDArray[Any]) -> NDArray[Any]:
        return (values if self._white == 1 else np.rint(values)).astype(self._kind)


def _check_array(image: NDArray[Any]) -> None:
    """Make sure that an array is a photo.

    Raises:
        UserError: it is none.
    """
    channels = image.shape[2] if image.ndim == 3 else 1
    floating = np.issubdtype(image.dtype, np.floating)
    if image.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or not image.size:
        raise UserError(
            f"an array of shape {image.shape}: give (H, W) or (H, W, C) with 1 to 4 channels"
        )
    if image.dtype.newbyteorder("=") not in WHITE and not floating:
        raise UserError(f"an array of {image.dtype}: give uint8, uint16, or floats in [0, 1]")
    if floating and not np.isfinite(image).all():
        raise UserError("an array with values that are NaN or infinite: replace these first")
    if floating and not (image.min() >= 0 and image.max() <= 1):
        raise UserError("an array of floats outside [0, 1]: divide it by its white")


def to_array(
    image: NDArray[Any] | Image.Image | str | os.PathLike[str],
) -> tuple[NDArray[Any], Callable[[NDArray[Any]], Any]]:
    """The array of whatever was given, and what turns a result into the same.

    Args:
        image: an array, which is taken as it is; a picture; or a path of a photo, which is read
            as (H, W, 3) uint8 and gives an array.

    Raises:
        UserError: it is none of them, a picture of another mode, or a photo that cannot be read.
    """
    if isinstance(image, np.ndarray):
        return np.asarray(image), lambda result: result
    if isinstance(image, Image.Image):
        return _picture_to_array(image)
    if isinstance(image, str | os.PathLike):
        return read_photo(Path(image)), lambda result: result
    kind = type(image).__name__
    raise UserError(f"{kind}: give an array of NumPy, a picture of Pillow, or a photo's path")


def _picture_to_array(
    picture: Image.Image,
) -> tuple[NDArray[Any], Callable[[NDArray[Any]], Image.Image]]:
    if picture.mode not in MODES | BECOMES.keys():
        raise UserError(f"a picture of mode {picture.mode}: convert it to RGB, L or I;16 first")
    try:
        plain, info = _in_srgb(picture)
    except DAMAGE as error:
        name = getattr(picture, "filename", "") or "a picture"
        raise UserError(f"{name}: damaged picture ({error}); open another") from None

    def as_picture(result: NDArray[Any]) -> Image.Image:
        made = Image.fromarray(result)
        made.info = info
        return made

    return np.asarray(plain), as_picture


def _in_srgb(picture: Image.Image) -> tuple[Image.Image, dict[Any, Any]]:
    """A picture of a mode that arrays have, in sRGB, and what of its `info` is still true."""
    mode = BECOMES.get(picture.mode, picture.mode)
    if picture.has_transparency_data and not mode.endswith("A"):
        mode += "A"
    plain = picture if picture.mode == "CMYK" else picture.convert(mode)
    alpha = plain.getchannel("A") if mode.endswith("A") else None
    plain = plain.convert(mode.removesuffix("A")) if alpha else plain
    transform = srgb_transform(picture.info.get(PROFILE), plain.mode)
    plain = transform.apply(plain) if transform else plain
    plain = plain.convert(mode.removesuffix("A"))
    if alpha:
        plain.putalpha(alpha)
    keeps_profile = transform is None and plain.mode == picture.mode
    untrue = {TRANSPARENCY} if keeps_profile else {TRANSPARENCY, PROFILE}
    return plain, {key: value for key, value in picture.info.items() if key not in untrue}
