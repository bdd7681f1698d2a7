"""Photo input and output: one loader for everything, so orientation and colour are right once."""

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ppcn.errors import UserError
from ppcn.files.artifacts import replacing
from ppcn.photos.color import srgb_transform
from ppcn.photos.decode_errors import DAMAGE, as_user_error
from ppcn.photos.exif import camera_of, time_of
from ppcn.photos.formats import BY_NAME, SUFFIXES, has_photo_suffix, recognize
from ppcn.photos.pillow_reader import PillowPhoto
from ppcn.photos.stored_photo import OpenPhoto, Stored

Photo = NDArray[np.uint8]
# Rows that are converted at a time.
STRIP = 64


def list_photos(folder: Path) -> dict[str, Path]:
    """Photos of a folder by stem, in sorted order.

    Raises:
        UserError: no such folder, no photo in it, two photos with the same stem, or a name that
            is not UTF-8.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; put the photos there or name another")
    photos: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if has_photo_suffix(path) and not path.name.startswith("."):
            if path.stem in photos:
                raise UserError(f"{path}: {photos[path.stem].name} has the same stem; rename one")
            if path.name.encode(errors="ignore").decode() != path.name:
                raise UserError(f"{folder}: the name {path.name!a} is not UTF-8; rename that photo")
            photos[path.stem] = path
    if not photos:
        raise UserError(f"{folder}: holds no photo ({', '.join(SUFFIXES)})")
    return dict(sorted(photos.items()))


@contextmanager
def open_photo(path: Path) -> Iterator[OpenPhoto]:
    """A photo with its header read, whatever its name.

    Raises:
        UserError: the file is missing, no photo or implausibly large; and over whatever is wrong
            with it while it is open.
    """
    with as_user_error(path):
        photo_format = recognize(path)
        read = (photo_format and photo_format.reader) or PillowPhoto
        with closing(read(path)) as photo:
            yield photo


def read_photo(path: Path) -> Photo:
    """Read a photo as (H, W, 3) uint8 sRGB, in the orientation that its file asks for.

    More than 8 bits are rounded to 8; ICC profiles are converted; transparency is dropped, since
    a camera's photo has none; of several images in a file the first (HEIF: the primary) is read.
    Besides the result only the decoded file is held: 7 bytes a pixel for a JPEG.

    Raises:
        UserError: the file is missing, truncated, no photo, implausibly large, HEIF without the
            extra `heic`, or stores its pixels in a way that would be read wrong.
    """
    with open_photo(path) as photo:
        return upright_srgb(photo.decode())


def photo_size(path: Path) -> tuple[int, int]:
    """Width and height in px of what `read_photo` returns, from the header alone.

    Raises:
        UserError: as `read_photo`, as far as the header tells.
    """
    with open_photo(path) as photo:
        return photo.size()


def capture_time(path: Path) -> datetime | None:
    """When a photo was taken (EXIF DateTimeOriginal), from the header alone.

    Returns:
        The time with subseconds, aware where the offset to UTC is given; None where the file has
        no such time or a malformed one.

    Raises:
        UserError: as `photo_size`.
    """
    with open_photo(path) as photo, suppress(*DAMAGE):
        return time_of(photo.exif())
    return None


def camera_model(path: Path) -> str:
    """Which camera took a photo, as "Apple iPhone 3GS" (EXIF Make and Model); "" if unknown.

    Raises:
        UserError: as `photo_size`.
    """
    with open_photo(path) as photo, suppress(*DAMAGE):
        return camera_of(photo.exif())
    return ""


def upright_srgb(stored: Stored) -> Photo:
    """Turn a photo upright and its colours to sRGB, (H, W, 3) uint8.

    It is done in strips, so that no copy of the photo is made.
    """
    width, height = stored.size()
    turned, orientation = stored.orientation >= 5, stored.orientation
    photo = np.empty((width, height, 3) if turned else (height, width, 3), np.uint8)
    # The result, seen as the file stores it.
    view = photo[:: -1 if orientation in (3, 4, 7, 8) else 1]
    view = view[:, :: -1 if orientation in (2, 3, 6, 7) else 1]
    view = view.swapaxes(0, 1) if turned else view
    transform = srgb_transform(stored.profile, _without_alpha(stored.rows(0, 1)).mode)
    for top in range(0, height, STRIP):
        bottom = min(top + STRIP, height)
        rows = _without_alpha(stored.rows(top, bottom))
        view[top:bottom] = np.asarray(transform.apply(rows) if transform else rows.convert("RGB"))
    return photo


def _without_alpha(image: Image.Image) -> Image.Image:
    if image.mode in ("P", "1", "PA", "LA", "RGBA"):
        return image.convert("L" if image.mode in ("1", "LA") else "RGB")
    return image


def write_photo(path: Path, photo: Photo, quality: int = 95) -> None:
    """Write (H, W, 3) uint8 RGB as JPEG (4:4:4 from quality 90) or PNG, by the suffix."""
    with replacing(path) as temporary:
        image = Image.fromarray(photo)
        if path.suffix.lower() in BY_NAME["JPEG"].suffixes:
            image.save(temporary, quality=quality, subsampling=0 if quality >= 90 else 2)
        else:
            image.save(temporary)


def encode_jpeg(photo: Photo, quality: int) -> bytes:
    """A JPEG file of (H, W, 3) uint8 RGB, 4:2:0."""
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
