"""Readers of photo files: each gives a header, and pixels as an image of libvips.

libvips decodes in strips. Its loaders are called by name, for its own choice among them changes
with its version.
"""

import logging
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image

from ppcn.errors import UserError
from ppcn.photos.camera_raw import develop_raw, raw_exif, raw_size
from ppcn.photos.containers.iso_media import read_items
from ppcn.photos.containers.jpeg_file import read_jpeg
from ppcn.photos.containers.png_file import read_png
from ppcn.photos.containers.tiff_file import read_tiff
from ppcn.photos.containers.webp_file import read_webp
from ppcn.photos.exif import EXIF_MARK
from ppcn.photos.header import (
    CHANNELS,
    UNKNOWN_LAYOUT,
    ColorTags,
    Header,
    Kind,
    Layout,
    Metadata,
)

if TYPE_CHECKING:
    from pillow_heif import HeifFile

Access = Literal["sequential", "random"]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]

KINDS: dict[str, Kind] = {
    "b-w": "GRAY",
    "grey16": "GRAY",
    "srgb": "RGB",
    "rgb": "RGB",
    "rgb16": "RGB",
    "cmyk": "CMYK",
}
DEPTHS = {"uchar": 8, "ushort": 16}
# Where the header of a BMP begins that its version names, and what its profile may be, bytes.
BMP_HEADER, LARGEST_PROFILE = 14, 64 * 2**20

logging.getLogger("pyvips").setLevel(logging.ERROR)
# A file that was replaced meanwhile must be read anew.
pyvips.cache_set_max(0)


def _message(pointer: Any) -> str:
    """What libvips says, which may quote bytes of a damaged file; pyvips takes UTF-8 alone."""
    is_null = pointer == pyvips.ffi.NULL
    return "" if is_null else pyvips.ffi.string(pointer).decode(errors="replace")


# Of the handler of log messages, and of errors.
pyvips._to_string = pyvips.error._to_string = _message


class OpenPhoto(Protocol):
    """A photo of which a reader has read the header."""

    header: Header

    def image(self, access: Access) -> pyvips.Image:
        """Its pixels as the file stores them, colours first; rows in order or at random."""


class VipsPhoto:
    """A file that libvips reads.

    Args:
        path: the file.
        loader: name of libvips' function.
        read_header: reads all but the layout.
        alpha: whether more channels than colours are transparency; None where the header tells.

    Raises:
        pyvips.Error: it is damaged.
        UserError: it stores pixels of a kind that cannot be kept.
    """

    def __init__(
        self,
        path: Path,
        loader: str,
        read_header: Callable[[Path], Header],
        alpha: bool | None = True,
    ) -> None:
        self._path, self._load = path, getattr(pyvips.Image, loader)
        header = read_header(path)
        image = self.image("sequential")
        self.header = replace(header, layout=_layout(path, image, header.layout, alpha))

    def image(self, access: Access, **options: int) -> pyvips.Image:
        """Its pixels as the file stores them; `shrink=2`, 4 or 8 decodes a JPEG file smaller."""
        return self._load(str(self._path), access=access, fail_on="error", **options)


def _layout(path: Path, image: pyvips.Image, said: Layout, alpha: bool | None) -> Layout:
    """The layout of an image, where what comes after the colours is what the header says."""
    kind, depth = KINDS.get(image.interpretation), DEPTHS.get(image.format)
    if kind is None or depth is None or image.bands < CHANNELS[kind]:
        stored = f"{image.bands} channels of {image.interpretation} pixels of kind {image.format}"
        raise UserError(f"{path}: stores {stored}; save it as RGB of 8 or 16 bits a channel")
    more = image.bands - CHANNELS[kind]
    has_alpha = more > 0 and (said.has_alpha if alpha is None else alpha)
    return Layout(
        image.width,
        image.height,
        kind,
        depth,
        has_alpha,
        has_alpha and said.is_associated,
        more - has_alpha,
    )


def open_jpeg(path: Path) -> VipsPhoto:
    """Open a JPEG file."""
    return VipsPhoto(path, "jpegload", read_jpeg)


def open_png(path: Path) -> VipsPhoto:
    """Open a PNG file."""
    return VipsPhoto(path, "pngload", read_png)


def open_tiff(path: Path) -> VipsPhoto:
    """Open a TIFF file; of several pages the first."""
    return VipsPhoto(path, "tiffload", read_tiff, alpha=None)


def open_webp(path: Path) -> VipsPhoto:
    """Open a WebP file; of an animation the first frame."""
    return VipsPhoto(path, "webpload", read_webp)


def open_avif(path: Path) -> VipsPhoto:
    """Open an AVIF file; of several images the primary one."""
    return VipsPhoto(path, "heifload", _avif_header)


def _avif_header(path: Path) -> Header:
    image = pyvips.Image.heifload(str(path))
    exif, xmp, profile = (
        bytes(image.get(name)) if image.get_typeof(name) else b""
        for name in ("exif-data", "xmp-data", "icc-profile-data")
    )
    items = read_items(path)
    metadata = Metadata(exif.removeprefix(EXIF_MARK), xmp, profile=profile)
    # libheif turns the picture as the file says, whatever its EXIF says.
    colors = ColorTags(profile, codes=items.codes)
    return Header(UNKNOWN_LAYOUT, colors, metadata, 1, items.others)


class ArrayPhoto:
    """A file that is decoded at once.

    Args:
        header: read already.
        decode: gives the pixels, (H, W) or (H, W, channels), uint8 or uint16 over its whole range.
    """

    def __init__(self, header: Header, decode: Callable[[], Pixels]) -> None:
        self.header, self._decode = header, decode

    @cached_property
    def _image(self) -> pyvips.Image:
        pixels = np.ascontiguousarray(self._decode())
        is_grey, deep = self.header.layout.kind == "GRAY", pixels.dtype == np.uint16
        names = {(True, True): "grey16", (True, False): "b-w", (False, True): "rgb16"}
        name = names.get((is_grey, deep), "srgb")
        return pyvips.Image.new_from_array(pixels).copy(interpretation=name)

    def image(self, access: Access) -> pyvips.Image:
        """Its pixels as the file stores them."""
        return self._image


def open_heif(path: Path) -> ArrayPhoto:
    """Open a HEIF file (HEIC) by pillow-heif; of several images the primary one.

    Raises:
        UserError: the extra `heic` is not installed.
    """
    file = _heif_file(path)
    info, items = file.info, read_items(path)
    exif, xmp, profile = (info.get(name) or b"" for name in ("exif", "xmp", "icc_profile"))
    white = 2 ** int(info.get("bit_depth", 8)) - 1
    codes = info.get("nclx_profile", {})
    primaries, transfer = codes.get("color_primaries"), codes.get("transfer_characteristics")
    said = (primaries, transfer) if primaries and transfer else items.codes
    mode = file.mode.partition(";")[0]
    kind: Kind = "GRAY" if mode.startswith("L") else "RGB"
    width, height = file.size
    layout = Layout(width, height, kind, 8 if white == 255 else 16, mode.endswith("A"))

    def decode() -> Pixels:
        pixels = np.asarray(file)
        return pixels if white == 255 else np.rint(pixels * (65535 / white)).astype(np.uint16)

    metadata = Metadata(exif.removeprefix(EXIF_MARK), xmp, profile=profile)
    # libheif turns the picture as the file says, whatever its EXIF says.
    return ArrayPhoto(
        Header(layout, ColorTags(profile, codes=said), metadata, 1, items.others), decode
    )


def _heif_file(path: Path) -> "HeifFile":
    try:
        import pillow_heif
    except ImportError:
        raise UserError(f"{path}: to read HEIC photos, pip install 'ppcn[heic]'") from None
    return pillow_heif.open_heif(path, convert_hdr_to_8bit=False, hdr_to_16bit=False)


def open_bmp(path: Path) -> ArrayPhoto:
    """Open a BMP file by Pillow, which leaves its ICC profile alone."""
    with Image.open(path, formats=["BMP"]) as file:
        width, height = file.size
        mode = file.mode

    def decode() -> Pixels:
        with Image.open(path, formats=["BMP"]) as file:
            return np.asarray(file.convert("L" if is_grey else "RGBA" if has_alpha else "RGB"))

    is_grey, has_alpha = mode in ("1", "L"), mode == "RGBA"
    layout = Layout(width, height, "GRAY" if is_grey else "RGB", 8, has_alpha)
    profile = _bmp_profile(path)
    header = Header(layout, ColorTags(profile), Metadata(profile=profile))
    return ArrayPhoto(header, decode)


def _bmp_profile(path: Path) -> bytes:
    """The ICC profile that a BMP of version 5 holds."""
    with path.open("rb") as file:
        head = file.read(BMP_HEADER + 124)
        if len(head) < BMP_HEADER + 124 or head[BMP_HEADER + 56 : BMP_HEADER + 60] != b"DEBM":
            return b""
        start, size = struct.unpack_from("<II", head, BMP_HEADER + 112)
        file.seek(BMP_HEADER + start)
        profile = file.read(min(size, LARGEST_PROFILE))
    return profile if len(profile) == size else b""


def open_raw(path: Path) -> ArrayPhoto:
    """Open a camera's raw photo, which is developed when its pixels are wanted.

    Raises:
        UserError: the extra `raw` is not installed.
    """
    width, height = raw_size(path)
    header = Header(
        Layout(width, height, "RGB", 16),
        metadata=Metadata(raw_exif(path)),
        others=("what is said of the sensor",),
    )
    return ArrayPhoto(header, lambda: develop_raw(path))
