"""Photo input and output: one loader for everything, so orientation and colour are right once."""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ppcn.errors import UserError
from ppcn.files.artifacts import replacing

if TYPE_CHECKING:
    from pillow_heif import HeifFile

Photo = NDArray[np.uint8]
SUFFIXES = set(".avif .bmp .heic .heif .hif .jpg .jpeg .png .tif .tiff .webp".split())
# What Pillow may take a photo for, whatever its name; some others would run other programs.
FORMATS = ("AVIF", "BMP", "JPEG", "PNG", "TIFF", "WEBP")
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1"}
AVIF_BRANDS = {b"avif", b"avis"}
# Colours that are shown as sRGB: unspecified (2) or those of BT.709, BT.601 and sRGB itself.
HEIF_SRGB = {"color_primaries": {1, 2, 5, 6}, "transfer_characteristics": {1, 2, 6, 13}}
# Layouts of 16-bit TIFF that OpenCV reads right: grey from black or RGB, unsigned, channels
# together, at most mirrored or upside down.
TIFF_LAYOUT = {
    ExifTags.Base.BitsPerSample: {16},
    ExifTags.Base.PhotometricInterpretation: {1, 2},
    ExifTags.Base.SampleFormat: {1},
    ExifTags.Base.PlanarConfiguration: {1},
    ExifTags.Base.Orientation: {1, 2, 3, 4},
}
# Pillow's own limit, for what Pillow does not read.
MAX_PIXELS = 178_956_970
# Rows that are converted at a time.
STRIP = 64
# What decoders raise over a damaged file.
DAMAGE = (
    ArithmeticError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    ImageCms.PyCMSError,
)


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
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            if path.stem in photos:
                raise UserError(f"{path}: {photos[path.stem].name} has the same stem; rename one")
            if path.name.encode(errors="ignore").decode() != path.name:
                raise UserError(f"{folder}: the name {path.name!a} is not UTF-8; rename that photo")
            photos[path.stem] = path
    if not photos:
        raise UserError(f"{folder}: holds no photo ({', '.join(sorted(SUFFIXES))})")
    return dict(sorted(photos.items()))


def read_photo(path: Path) -> Photo:
    """Read a photo as (H, W, 3) uint8 sRGB, in the orientation that its file asks for.

    More than 8 bits are rounded to 8; ICC profiles are converted; transparency is dropped, since
    a camera's photo has none; of several images in a file the first (HEIF: the primary) is read.
    Besides the result only the decoded file is held: 7 bytes a pixel for a JPEG.

    Raises:
        UserError: the file is missing, truncated, no photo, implausibly large, HEIF without the
            extra `heic`, or stores its pixels in a way that would be read wrong.
    """
    with _opened(path) as file:
        if isinstance(file, ImageFile):
            return _upright_srgb(_decode(path, file))
        return _upright_srgb(decode_heif(path, file))


def photo_size(path: Path) -> tuple[int, int]:
    """Width and height in px of what `read_photo` returns, from the header alone.

    Raises:
        UserError: as `read_photo`, as far as the header tells.
    """
    with _opened(path) as file:
        width, height = file.size
        # libheif and Pillow's TIFF reader turn the photo themselves, and its size too.
        if isinstance(file, ImageFile) and file.format != "TIFF" and _orientation(file) >= 5:
            return height, width
        return width, height


def capture_time(path: Path) -> datetime | None:
    """When a photo was taken (EXIF DateTimeOriginal), from the header alone.

    Returns:
        The time with subseconds, aware where the offset to UTC is given; None where the file has
        no such time or a malformed one.

    Raises:
        UserError: as `photo_size`.
    """
    with _opened(path) as file:
        return _parse_time(*_time_tags(file))


def camera_model(path: Path) -> str:
    """Which camera took a photo, as "Apple iPhone 3GS" (EXIF Make and Model); "" if unknown.

    Raises:
        UserError: as `photo_size`.
    """
    with _opened(path) as file, suppress(*DAMAGE):
        return camera_of(_exif(file))
    return ""


def camera_of(exif: Image.Exif) -> str:
    """As `camera_model`, of EXIF that was read."""
    make, model = (
        " ".join(str(exif.get(tag, "")).strip(" \0").split())
        for tag in (ExifTags.Base.Make, ExifTags.Base.Model)
    )
    # Many cameras repeat the maker's name in the model's.
    return model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()


@contextmanager
def _opened(path: Path) -> "Iterator[ImageFile | HeifFile]":
    """A photo with its header read; what goes wrong with it becomes a UserError."""
    with _refusing(path):
        if is_heif(path):
            yield open_heif(path)
        else:
            with Image.open(path, formats=FORMATS) as file:
                yield file


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn whatever is wrong with a photo into one sentence.

    Pillow's warnings stay unseen: half of the largest size is no danger, and what else it warns
    of it raises where the pixels suffer.
    """
    try:
        if not path.is_file():
            what = "not a file" if path.exists() else "no such photo"
            raise UserError(f"{path}: {what}")
        with warnings.catch_warnings(action="ignore"):
            yield
    except UnidentifiedImageError:
        raise UserError(f"{path}: not a photo that can be read") from None
    except Image.DecompressionBombError:
        raise UserError(f"{path}: more than 178 million pixels; reduce the photo first") from None
    except PermissionError:
        raise UserError(f"{path}: may not be read; change its permissions") from None
    except DAMAGE as error:
        what = " ".join(str(error).split())
        raise UserError(f"{path}: damaged photo ({what}); replace or remove it") from None


@dataclass(frozen=True)
class Stored:
    """A photo as its file stores it: as it lies there, in the file's colours and depth.

    Attributes:
        pixels: an image of 8 bits a channel, or an array (H, W) or (H, W, 3 or 4).
        white: the largest value of an array's channels.
        profile: the ICC profile.
        orientation: EXIF's number for how to hold it, 1..8.
    """

    pixels: Image.Image | NDArray[np.uint8 | np.uint16]
    white: int
    profile: bytes | None
    orientation: int = 1

    def size(self) -> tuple[int, int]:
        """Width and height in px."""
        if isinstance(self.pixels, Image.Image):
            return self.pixels.size
        return self.pixels.shape[1], self.pixels.shape[0]

    def rows(self, top: int, bottom: int) -> Image.Image:
        """Some rows, in 8 bits a channel."""
        if isinstance(self.pixels, Image.Image):
            return self.pixels.crop((0, top, self.pixels.width, bottom))
        part = self.pixels[top:bottom]
        if part.dtype != np.uint8:
            part = np.rint(part * (255 / self.white)).astype(np.uint8)
        return Image.fromarray(part)


def _decode(path: Path, file: ImageFile) -> Stored:
    """Decode what Pillow knows; 16 bits a channel by OpenCV, since Pillow would cut them."""
    deep = _is_deep(path, file)
    # OpenCV would fill the missing part of a truncated file with grey; Pillow raises.
    file.load()
    profile, orientation = file.info.get("icc_profile"), _orientation(file)
    if not deep:
        return Stored(file, 255, profile, orientation)
    file.close()
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError("OpenCV cannot read it")
    return Stored(pixels[..., 2::-1] if pixels.ndim == 3 else pixels, 65535, profile, orientation)


def _is_deep(path: Path, file: ImageFile) -> bool:
    """Whether a file holds 16 bits a channel.

    Raises:
        UserError: it does in a way that OpenCV misreads, or holds another number above 8.
    """
    if isinstance(file, PngImageFile):
        with path.open("rb") as raw:
            return raw.read(25)[-1] == 16
    if not isinstance(file, TiffImageFile):
        return False
    found = {tag: file.tag_v2.get(tag, 1) for tag in TIFF_LAYOUT}
    values = {tag: set(v) if isinstance(v, tuple) else {v} for tag, v in found.items()}
    if max(values[ExifTags.Base.BitsPerSample]) <= 8:
        return False
    if any(not values[tag] <= allowed for tag, allowed in TIFF_LAYOUT.items()):
        raise UserError(f"{path}: unusual TIFF; save it upright as RGB of 8 or 16 bits a channel")
    return True


def is_heif(path: Path) -> bool:
    """Whether the file's type box names HEIF and not AVIF, which Pillow reads."""
    with path.open("rb") as file:
        head = file.read(64)
    size = int.from_bytes(head[:4], "big")
    brands = {head[at : at + 4] for at in range(8, min(size, len(head)), 4)}
    return head[4:8] == b"ftyp" and bool(brands & HEIF_BRANDS) and not brands & AVIF_BRANDS


def open_heif(path: Path) -> "HeifFile":
    """Read the header of a HEIF file.

    Raises:
        UserError: the extra `heic` is not installed.
    """
    try:
        import pillow_heif
    except ImportError:
        raise UserError(f"{path}: to read HEIC photos, pip install 'ppcn[heic]'") from None
    file = pillow_heif.open_heif(path, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    if file.size[0] * file.size[1] > MAX_PIXELS:
        raise Image.DecompressionBombError
    return file


def decode_heif(path: Path, file: "HeifFile") -> Stored:
    """Decode the primary image; libheif turns it, whatever its EXIF says."""
    colours = file.info.get("nclx_profile", {})
    if any(colours.get(key, 2) not in codes for key, codes in HEIF_SRGB.items()):
        raise UserError(f"{path}: HDR or wide colours without an ICC profile; save it as sRGB")
    white = 2 ** file.info["bit_depth"] - 1
    return Stored(np.asarray(file), white, file.info.get("icc_profile"))


def _upright_srgb(stored: Stored) -> Photo:
    """Turn a photo upright and its colours to sRGB, in strips, so that no copy of it is made."""
    width, height = stored.size()
    turned, orientation = stored.orientation >= 5, stored.orientation
    photo = np.empty((width, height, 3) if turned else (height, width, 3), np.uint8)
    # The result, seen as the file stores it.
    view = photo[:: -1 if orientation in (3, 4, 7, 8) else 1]
    view = view[:, :: -1 if orientation in (2, 3, 6, 7) else 1]
    view = view.swapaxes(0, 1) if turned else view
    transform = _to_srgb(stored)
    for top in range(0, height, STRIP):
        bottom = min(top + STRIP, height)
        rows = _without_alpha(stored.rows(top, bottom))
        view[top:bottom] = np.asarray(transform.apply(rows) if transform else rows.convert("RGB"))
    return photo


def _without_alpha(image: Image.Image) -> Image.Image:
    if image.mode in ("P", "1", "PA", "LA", "RGBA"):
        return image.convert("L" if image.mode in ("1", "LA") else "RGB")
    return image


def _to_srgb(stored: Stored) -> ImageCms.ImageCmsTransform | None:
    """The way from a photo's ICC profile to sRGB; None without one for pixels of its mode."""
    if not stored.profile:
        return None
    mode = _without_alpha(stored.rows(0, 1)).mode
    source = ImageCms.ImageCmsProfile(io.BytesIO(stored.profile))
    if source.profile.xcolor_space != {"RGB": "RGB ", "CMYK": "CMYK", "L": "GRAY"}.get(mode):
        return None
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")


def _exif(file: "ImageFile | HeifFile") -> Image.Exif:
    if isinstance(file, ImageFile):
        # A PNG's own method would decode it, to look for EXIF behind the pixels.
        return Image.Image.getexif(file)
    exif = Image.Exif()
    exif.load(file.info["exif"] or b"")
    return exif


def _orientation(file: ImageFile) -> int:
    """EXIF's number for how to hold a photo; 1, upright, where it is damaged or missing."""
    value = None
    with suppress(*DAMAGE):
        value = _exif(file).get(ExifTags.Base.Orientation)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _time_tags(file: "ImageFile | HeifFile") -> list[str]:
    """DateTimeOriginal, SubSecTimeOriginal, OffsetTimeOriginal; empty where damaged or missing."""
    tags = [
        ExifTags.Base.DateTimeOriginal,
        ExifTags.Base.SubsecTimeOriginal,
        ExifTags.Base.OffsetTimeOriginal,
    ]
    values: dict[int, object] = {}
    with suppress(*DAMAGE):
        values = _exif(file).get_ifd(ExifTags.IFD.Exif)
    return [str(values.get(tag, "")).strip(" \0") for tag in tags]


def _parse_time(moment: str, fraction: str, offset: str) -> datetime | None:
    """EXIF's "2024:05:01 12:30:00", "25" and "+02:00" as a time."""
    try:
        zone = "%z" if offset else ""
        text = f"{moment}.{fraction[:6] or 0}{offset}"
        return datetime.strptime(text, f"%Y:%m:%d %H:%M:%S.%f{zone}")
    except ValueError:
        return None


def write_photo(path: Path, photo: Photo, quality: int = 95) -> None:
    """Write (H, W, 3) uint8 RGB as JPEG (4:4:4 from quality 90) or PNG, by the suffix."""
    with replacing(path) as temporary:
        image = Image.fromarray(photo)
        if path.suffix.lower() in (".jpg", ".jpeg"):
            image.save(temporary, quality=quality, subsampling=0 if quality >= 90 else 2)
        else:
            image.save(temporary)


def encode_jpeg(photo: Photo, quality: int) -> bytes:
    """A JPEG file of (H, W, 3) uint8 RGB, 4:2:0."""
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
