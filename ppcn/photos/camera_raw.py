"""Raw photos of cameras by rawpy (LibRaw), which is an extra: what they hold, and developed."""

import io
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ppcn.errors import UserError
from ppcn.photos.decode_errors import DAMAGE, as_user_error, damaged
from ppcn.photos.exif import EXIF_MARK
from ppcn.photos.tiff_directories import (
    EXIF,
    GPS,
    Directory,
    directories_of,
    exif_block,
    first_directory,
)

if TYPE_CHECKING:
    from rawpy import ImageSizes, RawPy

RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mrw"),
    *(".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srw", ".x3f"),
)
# What cameras write beside a raw photo.
SIDECAR_SUFFIXES = (".jpg", ".jpeg", ".heic", ".heif", ".hif")

HEAD = 16
TIFF = (b"II*\0", b"MM\0*")
# TIFF structures with another number than TIFF's: Olympus and Panasonic.
ORF, RW2 = (b"IIRO", b"IIRS", b"MMOR"), b"IIU\0"
RAF, MRW, X3F = b"FUJIFILMCCD-RAW", b"\0MRM", b"FOVb"
# Tags of TIFF, DNG and RW2.
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES = 256, 257, 258, 259, 262, 277
STRIPS, TILES, RW2_OFFSET, DNG_VERSION = (273, 279), (324, 325), 280, 50706
SENSOR_DATA = {32803, 34892}
MOST_PIXELS = 1_000_000_000
# The emptiest picture of a sensor takes more than a hundredth of a byte a pixel, however packed.
PIXELS_A_BYTE = 100
# LibRaw's rule for the part that a camera keeps: this much of the sensor's sides at least.
LEAST_CROP = 0.55
CR3_BOX = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
MOST_BOXES = 1000
LARGEST_METADATA = 1 << 22


def may_be_raw(head: bytes) -> bool:
    """Whether a file that begins with these bytes may be raw; of TIFF's kin most are not."""
    is_known = head[:4] in (*TIFF, *ORF, RW2, MRW, X3F) or head.startswith(RAF)
    return is_known or head[6:14] == b"HEAPCCDR" or head[4:12] == b"ftypcrx "


def is_raw(path: Path) -> bool:
    """Whether a file is a raw photo, by its first bytes and, of a TIFF, its directories.

    A TIFF is one if it says that it is DNG, or if one of its pictures holds a sensor's data.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
        if head[:4] in (*ORF, RW2, MRW, X3F) or head.startswith(RAF):
            return True
        if head[6:14] == b"HEAPCCDR" or head[4:12] == b"ftypcrx ":
            return True
        if head[:4] not in TIFF:
            return False
        if head[8:10] == b"CR" or head[8:12] in (b"IIII", b"MMMM"):
            return True
        return any(_is_of_sensor(d) or DNG_VERSION in d.entries for d in directories_of(file))


def _is_of_sensor(directory: Directory) -> bool:
    return directory.number(PHOTOMETRIC) in SENSOR_DATA


def raw_size(path: Path) -> tuple[int, int]:
    """Width and height in px of what `develop_raw` returns, from the header alone.

    Raises:
        UserError: as `develop_raw`, as far as the header tells.
    """
    with _opened(path) as raw:
        rows, columns = _kept(raw.sizes)
        width, height = columns.stop - columns.start, rows.stop - rows.start
        aspect = raw.sizes.pixel_aspect
        # As LibRaw stretches.
        height = int(height / aspect + 0.5) if aspect < 1 else height
        width = int(width * aspect + 0.5) if aspect > 1 else width
        return (height, width) if raw.sizes.flip & 4 else (width, height)


def develop_raw(path: Path) -> NDArray[np.uint16]:
    """Develop a raw photo: (H, W, 3) uint16 sRGB, upright; its thumbnail is never used.

    White balance is the camera's as shot; where the file has none, daylight by the camera's
    colour matrix, since LibRaw's own choice, a grey mean, would make colours depend on what is in
    the picture. For the same reason brightness is not fitted to the picture: no tone curve and no
    exposure are added, so it looks flatter and often darker than the camera's JPEG.

    Highlights are clipped where the first channel is full: what is blown out is white, as in the
    camera's JPEG; LibRaw's other ways tint it, darken the picture, or make colours up. DNG's
    white level is taken as it stands. For other files LibRaw lowers it to the brightest pixel
    where that lies between 75 % and 100 % (`adjust_maximum_thr`), because its table's levels are
    too high for some cameras, whose highlights would turn pink.

    Of the sensor the part is kept that the file names, as in the camera's JPEG. Pixels that are
    not square are stretched along their shorter side, and then nothing is cut off. A sensor
    without colours gives grey.

    Raises:
        UserError: rawpy is not installed; or LibRaw does not know the format, or the file is
            damaged, cut off, or names a size that is too large or that it cannot hold.
    """
    with _opened(path) as raw:
        import rawpy

        # Developing changes them.
        sizes = raw.sizes
        # Typed as 8 bits by rawpy.
        pixels: NDArray[Any] = raw.postprocess(
            use_camera_wb=raw.camera_whitebalance[0] > 1e-5,
            no_auto_bright=True,
            adjust_maximum_thr=0.0 if _is_dng(path) else 0.75,
            highlight_mode=rawpy.HighlightMode.Clip,
            output_color=rawpy.ColorSpace.sRGB,
            output_bps=16,
            gamma=(2.4, 12.92),
            user_flip=0,
        )
    kept = pixels[_kept(sizes)] if sizes.pixel_aspect == 1 else pixels
    return _upright(kept, sizes.flip)


def _upright(pixels: NDArray[np.uint16], flip: int) -> NDArray[np.uint16]:
    """Turn pixels as LibRaw's bits say: 1 mirrors columns, 2 rows, 4 swaps them."""
    turned = pixels[:: -1 if flip & 2 else 1, :: -1 if flip & 1 else 1]
    turned = turned.swapaxes(0, 1) if flip & 4 else turned
    grey = turned.shape[2] == 1
    return np.ascontiguousarray(np.repeat(turned, 3, axis=2) if grey else turned)


def _kept(sizes: "ImageSizes") -> tuple[slice, slice]:
    """Rows and columns of the sensor's picture that the file names as the photo; else all."""
    top, left = sizes.crop_top_margin - sizes.top_margin, sizes.crop_left_margin - sizes.left_margin
    height, width = sizes.crop_height, sizes.crop_width
    whole = top >= 0 <= left and top + height <= sizes.height and left + width <= sizes.width
    large = height >= LEAST_CROP * sizes.height and width >= LEAST_CROP * sizes.width
    if not (whole and large and sizes.pixel_aspect == 1):
        return slice(0, sizes.height), slice(0, sizes.width)
    return slice(top, top + height), slice(left, left + width)


@contextmanager
def _opened(path: Path) -> Iterator["RawPy"]:
    """A raw photo with its header read and checked.

    Raises:
        UserError: as `develop_raw`.
    """
    with as_user_error(path):
        rawpy = _rawpy(path)
        _check_ends(path)
        try:
            with _imread(rawpy, path) as raw:
                _check_size(path, raw.sizes)
                yield raw
        except rawpy.LibRawFileUnsupportedError:
            advice = "save it as TIFF, or as uncompressed DNG"
            raise UserError(f"{path}: RAW of a kind that LibRaw cannot read; {advice}") from None
        except (rawpy.LibRawError, rawpy.NotSupportedError, AssertionError) as error:
            message = error.args[0] if error.args else error
            text = message.decode(errors="replace") if isinstance(message, bytes) else message
            raise damaged(path, text) from None


def _imread(rawpy: ModuleType, path: Path) -> "RawPy":
    """Let LibRaw open a file; rawpy takes names in UTF-8 alone, and copies other files."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with path.open("rb") as file:
            return rawpy.imread(file)
    return rawpy.imread(str(path))


def _rawpy(path: Path) -> ModuleType:
    try:
        import rawpy
    except ImportError:
        raise UserError(f"{path}: RAW: to read it, pip install 'ppcn[raw]'") from None
    return rawpy


def _check_size(path: Path, sizes: "ImageSizes") -> None:
    """Make sure, before anything is allocated, that a picture is neither huge nor made up.

    Raises:
        UserError: it is.
    """
    pixels = max(sizes.raw_width * sizes.raw_height, sizes.width * sizes.height)
    if pixels > MOST_PIXELS:
        raise UserError(f"{path}: more than a billion pixels; reduce the photo first")
    if pixels > PIXELS_A_BYTE * path.stat().st_size:
        raise _cut_off(path)


def _cut_off(path: Path) -> UserError:
    return damaged(path, "the file is shorter than it says")


def _check_ends(path: Path) -> None:
    """Make sure that a file has all the bytes that its directories name.

    LibRaw returns black or grey where some compressed pixels are missing, without a word.

    Raises:
        UserError: it lacks some.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
        if head.startswith(RAF):
            file.seek(100)
            field = file.read(8)
            end = sum(struct.unpack_from(">II", field)) if len(field) == 8 else length + 1
        elif head[4:8] == b"ftyp":
            end = max((start + size for _, start, size in _boxes(file, 0, length)), default=0)
        elif head[:4] in (*TIFF, *ORF, RW2):
            end = _end_of_pixels(file, is_tiff=head[:4] in TIFF and head[8:10] != b"CR")
        else:
            return
    if end > length:
        raise _cut_off(path)


def _end_of_pixels(file: BinaryIO, is_tiff: bool) -> int:
    """Where the last pixels of a TIFF structure end; of a plain TIFF those of its sensor."""
    end = 0
    for directory in directories_of(file):
        if is_tiff and not _is_of_sensor(directory):
            continue
        for offsets, counts in (STRIPS, TILES):
            starts = directory.numbers(RW2_OFFSET) or directory.numbers(offsets)
            sizes = directory.numbers(counts)
            if len(starts) == 1 and len(sizes) == 1 and offsets == STRIPS[0]:
                sizes = (max(sizes[0], _plain_bytes(directory)),)
            ends = (start + size for start, size in zip(starts, sizes, strict=False))
            end = max(end, *ends, 0)
    return end


def _plain_bytes(directory: Directory) -> int:
    """Bytes of pixels that are not compressed; 0 of others."""
    if directory.number(COMPRESSION) != 1 or not _is_of_sensor(directory):
        return 0
    pixels = directory.number(WIDTH) * directory.number(HEIGHT)
    return pixels * directory.number(SAMPLES, 1) * directory.number(BITS) // 8


def _is_dng(path: Path) -> bool:
    with path.open("rb") as file:
        main = first_directory(file)
        return main is not None and DNG_VERSION in main.entries


def raw_exif(path: Path) -> bytes:
    """EXIF of a raw photo for the upright picture that `develop_raw` makes of it.

    TIFF's kin hold it in their directories, RAF in the JPEG within, CR3 in boxes. Orientation
    becomes 1; makers' notes, thumbnails and what describes the sensor are left out.

    Returns:
        A TIFF structure without the mark before it; empty where there is none, or none that can
        be read.
    """
    with path.open("rb") as file, suppress(*DAMAGE):
        head = file.read(HEAD)
        if head[:4] in (*TIFF, *ORF, RW2):
            return _exif_of(file)
        if head.startswith(RAF):
            return _exif_of_raf(file)
        if head[4:12] == b"ftypcrx ":
            return _exif_of_cr3(file, path.stat().st_size)
    return b""


def _exif_of(file: BinaryIO) -> bytes:
    main = first_directory(file)
    return exif_block(main, main.at(EXIF), main.at(GPS)) if main else b""


def _exif_of_raf(file: BinaryIO) -> bytes:
    """EXIF of the JPEG in a RAF file, whose place is in the header."""
    file.seek(84)
    start = struct.unpack_from(">I", file.read(4))[0]
    file.seek(start + 2)
    for _ in range(MOST_BOXES):
        mark, size = struct.unpack_from(">HH", file.read(4))
        if not 0xFFE0 <= mark <= 0xFFEF or size < 2:
            break
        data = file.read(size - 2)
        if mark == 0xFFE1 and data.startswith(EXIF_MARK):
            return _exif_of(io.BytesIO(data.removeprefix(EXIF_MARK)))
    return b""


def _exif_of_cr3(file: BinaryIO, length: int) -> bytes:
    """EXIF of a CR3 file: CMT1, CMT2 and CMT4 in Canon's box are main, own and GPS directories."""
    blocks: dict[bytes, Directory | None] = {}
    for name, start, size in _boxes(file, 0, length):
        if name != b"moov":
            continue
        for kind, inner, room in _boxes(file, start, start + size):
            file.seek(inner)
            if kind == b"uuid" and file.read(16) == CR3_BOX:
                for part, at, bytes_of in _boxes(file, inner + 16, inner + room):
                    if part.startswith(b"CMT") and bytes_of <= LARGEST_METADATA:
                        file.seek(at)
                        blocks[part] = first_directory(io.BytesIO(file.read(bytes_of)))
    main = blocks.get(b"CMT1")
    return exif_block(main, blocks.get(b"CMT2"), blocks.get(b"CMT4")) if main else b""


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and size of the content of each box of an ISO media file."""
    for _ in range(MOST_BOXES):
        file.seek(start)
        head = file.read(16)
        if start + 8 > end or len(head) < 8:
            return
        size, name = struct.unpack_from(">I4s", head)
        inner = 8
        if size == 1 and len(head) == 16:
            size, inner = struct.unpack_from(">Q", head, 8)[0], 16
        elif size == 0:
            size = end - start
        if size < inner:
            return
        yield name, start + inner, size - inner
        start += size


def prefer_sidecars(paths: Iterable[Path]) -> tuple[list[Path], dict[Path, Path]]:
    """Leave out raw photos beside which the camera wrote a JPEG or HEIC, by names alone.

    Args:
        paths: photos, of which those in one folder whose names differ in the suffix, and in
            upper and lower case, show the same.

    Returns:
        The photos to use, in the given order; and which JPEG or HEIC each left-out raw photo
        gave way to. Of several the first by `SIDECAR_SUFFIXES` is named.
    """
    photos = list(paths)
    sidecars: dict[tuple[Path, str], Path] = {}
    for path in sorted(photos, key=_rank, reverse=True):
        if path.suffix.lower() in SIDECAR_SUFFIXES:
            sidecars[path.parent, path.stem.lower()] = path
    replaced = {
        path: sidecars[path.parent, path.stem.lower()]
        for path in photos
        if path.suffix.lower() in RAW_SUFFIXES
        if (path.parent, path.stem.lower()) in sidecars
    }
    return [path for path in photos if path not in replaced], replaced


def _rank(path: Path) -> tuple[int, Path]:
    suffix = path.suffix.lower()
    return SIDECAR_SUFFIXES.index(suffix) if suffix in SIDECAR_SUFFIXES else 0, path
