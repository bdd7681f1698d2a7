"""Photo input and output: one loader for everything, so orientation and colour are right once."""

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ppcn.artifacts import replacing
from ppcn.errors import UserError

Photo = NDArray[np.uint8]
SUFFIXES = {".bmp", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}


def list_photos(folder: Path) -> dict[str, Path]:
    """Photos of a folder by stem, in sorted order.

    Raises:
        UserError: no such folder, no photo in it, or two photos with the same stem.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; put the photos there or name another")
    photos: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            if path.stem in photos:
                raise UserError(f"{path}: {photos[path.stem].name} has the same stem; rename one")
            photos[path.stem] = path
    if not photos:
        raise UserError(f"{folder}: holds no photo ({', '.join(sorted(SUFFIXES))})")
    return dict(sorted(photos.items()))


def read_photo(path: Path) -> Photo:
    """Read a photo as (H, W, 3) uint8 sRGB, in the orientation that EXIF asks for.

    16-bit files are rounded to 8 bits; ICC profiles are converted; transparency is dropped,
    since a camera's photo has none.

    Raises:
        UserError: the file is missing, truncated, no photo, or implausibly large.
    """
    try:
        with Image.open(path) as file:
            file.load()
            image: Image.Image = file
            if file.format in ("PNG", "TIFF"):
                image = _reread_16_bit(path, image)
            return np.asarray(_to_srgb(ImageOps.exif_transpose(image)), dtype=np.uint8)
    except FileNotFoundError:
        raise UserError(f"{path}: no such photo") from None
    except UnidentifiedImageError:
        raise UserError(f"{path}: not a photo that can be read") from None
    except Image.DecompressionBombError:
        raise UserError(f"{path}: more than 178 million pixels; reduce the photo first") from None
    except (OSError, SyntaxError, ValueError, ImageCms.PyCMSError) as error:
        raise UserError(f"{path}: damaged photo ({error}); replace or remove it") from None


def _reread_16_bit(path: Path, image: Image.Image) -> Image.Image:
    """Round a 16-bit file to 8 bits; Pillow would cut colour and misread grey."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        if image.mode.startswith(("I", "F")):
            raise ValueError("only 8 and 16 bits a channel are supported")
        return image
    rounded = Image.fromarray(_rounded_rgb(pixels))
    rounded.info = image.info
    rounded.getexif().update(image.getexif())
    return rounded


def _rounded_rgb(pixels: NDArray[np.uint16]) -> Photo:
    """16-bit grey, BGR or BGRA to 8-bit RGB."""
    eight = np.rint(pixels / 257.0).astype(np.uint8)
    if eight.ndim == 2:
        return np.repeat(eight[..., None], 3, axis=2)
    return np.ascontiguousarray(eight[..., 2::-1])


def _to_srgb(image: Image.Image) -> Image.Image:
    """Convert to RGB, through the embedded ICC profile where there is one."""
    profile = image.info.get("icc_profile")
    if image.mode in ("P", "1", "PA", "LA", "RGBA"):
        image = image.convert("L" if image.mode in ("1", "LA") else "RGB")
    if profile and image.mode in ("RGB", "CMYK", "L"):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        spaces = {"RGB": "RGB ", "CMYK": "CMYK", "L": "GRAY"}
        if source.profile.xcolor_space == spaces[image.mode]:
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            if converted is not None:
                return converted
    return image.convert("RGB")


def write_photo(path: Path, photo: Photo, quality: int = 95) -> None:
    """Write (H, W, 3) uint8 RGB as JPEG (4:4:4 from quality 90) or PNG, by the suffix."""
    with replacing(path) as temporary:
        image = Image.fromarray(photo)
        if path.suffix.lower() in (".jpg", ".jpeg"):
            image.save(temporary, quality=quality, subsampling=0 if quality >= 90 else 2)
        else:
            image.save(temporary)


def luminance(photo: Photo) -> NDArray[np.float32]:
    """Grey levels (H, W) float32 in 0..255 (weights 0.299, 0.587, 0.114) of an RGB photo."""
    return cv2.cvtColor(photo.astype(np.float32), cv2.COLOR_RGB2GRAY)
