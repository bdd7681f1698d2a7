"""Photos as arrays: one loader for everything, so orientation and colour are right once."""

import io
import logging
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image

from ppcn.errors import UserError
from ppcn.files.artifacts import replacing
from ppcn.photos.formats import BY_NAME, BY_SUFFIX, SUFFIXES, has_photo_suffix
from ppcn.photos.photo_file import PhotoFile

logger = logging.getLogger(__name__)

Photo = NDArray[np.uint8]
# Pixels of 8 or of 16 bits a channel, by their dtype.
Levels = NDArray[np.uint8] | NDArray[np.uint16]
# Which of several photos of one stem is taken.
PREFERRED = ("JPEG", "HEIF", "PNG", "TIFF", "WebP", "AVIF", "BMP", "RAW")
# Photos that are read whole are no larger, px: Pillow's own limit.
LARGEST = 178_956_970


def list_photos(folder: Path) -> dict[str, Path]:
    """Photos of a folder by stem, in sorted order.

    Of photos with one stem, as cameras and phones write them, one is taken, by the order of
    `PREFERRED`; a line of the log says which.

    Raises:
        UserError: no such folder, no photo in it, or a name that is not UTF-8.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; put the photos there or name another")
    photos: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if has_photo_suffix(path) and not path.name.startswith("."):
            if path.name.encode(errors="ignore").decode() != path.name:
                raise UserError(f"{folder}: the name {path.name!a} is not UTF-8; rename that photo")
            other = photos.get(path.stem, path)
            photos[path.stem], left = sorted((path, other), key=_rank)
            if left != photos[path.stem]:
                logger.warning("%s: left out for %s beside it", left, photos[path.stem].name)
    if not photos:
        raise UserError(f"{folder}: holds no photo ({', '.join(SUFFIXES)})")
    return dict(sorted(photos.items()))


def _rank(path: Path) -> tuple[int, str]:
    return PREFERRED.index(BY_SUFFIX[path.suffix.lower()].name), path.name


def read_photo(path: Path) -> Photo:
    """Read a photo as (H, W, 3) uint8 sRGB, in the orientation that its file asks for.

    More than 8 bits are rounded to 8; colours are converted; transparency is dropped, since
    a camera's photo has none; of several images in a file the first (HEIF: the primary) is read.

    Raises:
        UserError: the file is missing, truncated, no photo, implausibly large, HDR, of a format
            whose extra is not installed, or stores its pixels in a way that cannot be kept.
    """
    return _open(path).read()


def read_deep_photo(path: Path) -> Levels:
    """Read a photo as `read_photo` does, as uint16 where its file has 16 bits.

    It is uint16, too, where colours had to be converted.

    Raises:
        UserError: as `read_photo`.
    """
    photo = _open(path)
    with TemporaryDirectory(prefix="ppcn-") as scratch:
        return photo.decode(Path(scratch)).read(0, photo.height)


def read_reduced(path: Path, longest: int) -> Photo:
    """Read a photo as `read_photo` does, reduced to a long side of at most `longest` px.

    A JPEG file is decoded at about that size, which takes a fraction of the time.

    Raises:
        UserError: as `read_photo`.
    """
    photo = _open(path)
    side = max(photo.width, photo.height)
    times = max((n for n in (8, 4, 2) if side >= n * longest and photo.can_shrink(n)), default=1)
    pixels = photo.read(times)
    ratio = min(1.0, longest / side)
    size = (max(1, round(photo.width * ratio)), max(1, round(photo.height * ratio)))
    if size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def photo_size(path: Path) -> tuple[int, int]:
    """Width and height in px of what `read_photo` returns, from the header alone.

    Raises:
        UserError: as `read_photo`, as far as the header tells.
    """
    photo = _open(path)
    return photo.width, photo.height


def capture_time(path: Path) -> datetime | None:
    """When a photo was taken (EXIF DateTimeOriginal), from the header alone.

    Returns:
        The time with subseconds, aware where the offset to UTC is given; None where the file has
        no such time or a malformed one.

    Raises:
        UserError: as `photo_size`.
    """
    return _open(path).metadata.taken()


def camera_model(path: Path) -> str:
    """Which camera took a photo, as "Apple iPhone 3GS" (EXIF Make and Model); "" if unknown.

    Raises:
        UserError: as `photo_size`.
    """
    return PhotoFile(path).metadata.camera()


def _open(path: Path) -> PhotoFile:
    photo = PhotoFile(path)
    if photo.width * photo.height > LARGEST:
        raise UserError(f"{path}: more than 178 million pixels; reduce the photo first")
    return photo


def write_photo(path: Path, photo: Photo, quality: int = 95) -> None:
    """Write (H, W, 3) uint8 RGB as JPEG (4:4:4 from quality 90) or PNG, by the suffix."""
    with replacing(path) as temporary:
        image = Image.fromarray(photo)
        if path.suffix.lower() in BY_NAME["JPEG"].suffixes:
            image.save(temporary, quality=quality, subsampling=0 if quality >= 90 else 2)
        else:
            image.save(temporary)


def encode_png(levels: Levels) -> bytes:
    """A PNG file of (H, W) grey levels or (H, W, 3) RGB."""
    # All filters: photos take a third less than with none.
    return bytes(_image_of(levels).pngsave_buffer(keep="none", filter="all"))


def encode_tiff(levels: Levels) -> bytes:
    """A TIFF file of (H, W) grey levels or (H, W, 3) RGB, compressed without loss."""
    settings = {"compression": "deflate", "predictor": "horizontal"}
    return bytes(_image_of(levels).tiffsave_buffer(keep="none", **settings))


def _image_of(levels: Levels) -> pyvips.Image:
    """Pixels for libvips."""
    names = {(2, 1): "b-w", (2, 2): "grey16", (3, 1): "srgb", (3, 2): "rgb16"}
    image = pyvips.Image.new_from_array(np.ascontiguousarray(levels))
    return image.copy(interpretation=names[levels.ndim, levels.itemsize])


def encode_jpeg(photo: Photo, quality: int) -> bytes:
    """A JPEG file of (H, W, 3) uint8 RGB, 4:2:0."""
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
