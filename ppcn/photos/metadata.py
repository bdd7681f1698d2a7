"""EXIF and XMP of photos, carried over byte for byte but for what a new picture makes wrong.

A general EXIF library would rewrite the block and lose tags that it does not know, and makers'
notes, whose pointers count from the block's beginning.
"""

import re
import shutil
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import TiffImageFile

from ppcn.errors import UserError
from ppcn.photos.decode import DAMAGE, camera_of

EXIF_MARK, XMP_MARK = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
SIZES = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
# What describes the pixels of a TIFF rather than the photo.
OF_PIXELS = set(range(254, 270)) | {273, *range(277, 282), 284, *range(288, 294), *range(317, 348)}
STRIPS, XMP_TAG, PROFILE_TAG = 273, 700, 34675
JPEG_SEGMENT = 65533
XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:>|=[\"']))[2-8]")


@dataclass(frozen=True)
class Metadata:
    """What a photo's file says of it.

    Attributes:
        exif: a TIFF structure, without the mark before it; empty if there is none.
        xmp: a packet; empty if there is none.
    """

    exif: bytes = b""
    xmp: bytes = b""

    def camera(self) -> str:
        """Which camera took the photo, as "Apple iPhone 3GS"; "" if unknown."""
        exif = Image.Exif()
        with suppress(*DAMAGE), warnings.catch_warnings(action="ignore"):
            exif.load(self.exif)
            return camera_of(exif)
        return ""

    def for_picture(self, width: int, height: int, keeps_thumbnail: bool) -> "Metadata":
        """The same for an upright picture of so many pixels.

        Args:
            width: px.
            height: px.
            keeps_thumbnail: whether the small picture within still shows the same.
        """
        xmp = XMP_ORIENTATION.sub(rb"\g<1>1", self.xmp)
        return Metadata(_corrected(self.exif, (width, height), keeps_thumbnail), xmp)


def exif_of_tiff(path: Path) -> bytes:
    """The directory of a TIFF, less what describes its pixels, as other files store EXIF."""
    exif = Image.Exif()
    with path.open("rb") as file, suppress(*DAMAGE):
        exif.load_from_fp(file)
        for tag in [*exif]:
            if tag in OF_PIXELS | {XMP_TAG, PROFILE_TAG}:
                del exif[tag]
        return exif.tobytes().removeprefix(EXIF_MARK) if len(exif) else b""
    return b""


def insert_metadata(path: Path, metadata: Metadata, kind: str) -> None:
    """Put EXIF and XMP into a file that has none.

    Args:
        path: JPEG, PNG, WebP or TIFF; it is rewritten.
        metadata: what to put there.
        kind: "jpeg", "png", "webp" or "tiff".

    Raises:
        UserError: JPEG cannot hold so much.
    """
    if metadata == Metadata():
        return
    if kind == "tiff":
        _append_to_tiff(path, metadata)
        return
    copy = path.with_name(f"{path.name}.copy")
    try:
        with path.open("rb") as source, copy.open("wb") as target:
            INSERT[kind](source, target, metadata)
            shutil.copyfileobj(source, target)
        copy.replace(path)
    finally:
        copy.unlink(missing_ok=True)


def _into_jpeg(source: BinaryIO, target: BinaryIO, metadata: Metadata) -> None:
    """EXIF must be the first segment, but for JFIF's."""
    target.write(source.read(2))
    head = source.read(4)
    if head[:2] == b"\xff\xe0":
        target.write(head + source.read(int.from_bytes(head[2:], "big") - 2))
    else:
        source.seek(2)
    for mark, block in ((EXIF_MARK, metadata.exif), (XMP_MARK, metadata.xmp)):
        if len(mark + block) > JPEG_SEGMENT:
            raise UserError(f"{len(block)} bytes of EXIF or XMP do not fit into a JPEG; write PNG")
        if block:
            size = len(mark) + len(block) + 2
            target.write(b"\xff\xe1" + size.to_bytes(2, "big") + mark + block)


def _into_png(source: BinaryIO, target: BinaryIO, metadata: Metadata) -> None:
    signature_and_header = source.read(8 + 25)
    target.write(signature_and_header)
    if metadata.exif:
        target.write(_png_chunk(b"eXIf", metadata.exif))
    if metadata.xmp:
        target.write(_png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _into_webp(source: BinaryIO, target: BinaryIO, metadata: Metadata) -> None:
    """A file with metadata begins with a VP8X chunk, which says so."""
    source.seek(0)
    with Image.open(source) as image:
        width, height = image.size
        has_alpha = image.mode == "RGBA"
    source.seek(12)
    flags = (0x10 if has_alpha else 0) | (8 if metadata.exif else 0) | (4 if metadata.xmp else 0)
    chunks = []
    for name, data in _riff_chunks(source):
        if name == b"VP8X":
            flags |= data[0]
        else:
            chunks.append((name, data))
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    chunks.insert(0, (b"VP8X", bytes([flags, 0, 0, 0]) + size))
    chunks += [(b"EXIF", metadata.exif)] if metadata.exif else []
    chunks += [(b"XMP ", metadata.xmp)] if metadata.xmp else []
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for name, data in chunks
    )
    target.write(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body)


def _riff_chunks(source: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    while len(head := source.read(8)) == 8:
        size = int.from_bytes(head[4:], "little")
        yield head[:4], source.read(size)
        source.read(size % 2)


INSERT: dict[str, Callable[[BinaryIO, BinaryIO, Metadata], None]] = {
    "jpeg": _into_jpeg,
    "png": _into_png,
    "webp": _into_webp,
}


def _append_to_tiff(path: Path, metadata: Metadata) -> None:
    """Write a longer directory at the end of the file and let the file begin with it."""
    with path.open("rb") as file:
        if file.read(4)[2:] != b"*\0":
            raise UserError("EXIF does not fit into a TIFF of more than 4 GB; write another format")
    with TiffImageFile(path) as image:
        directory = image.tag_v2
        # Pillow writes what was looked at.
        strips = dict(directory)[STRIPS]
    exif = Image.Exif()
    exif.load(metadata.exif)
    for tag, value in exif.items():
        if tag not in OF_PIXELS and tag not in directory:
            directory[tag] = exif.get_ifd(tag) if tag in (34665, 34853) else value
    if metadata.xmp:
        directory.tagtype[XMP_TAG] = 1
        directory[XMP_TAG] = metadata.xmp
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        end += file.write(b"\0" * (end % 2))
        written = bytearray(directory.tobytes(end))
        _set_strips(written, strips, end)
        file.write(written)
        file.seek(4)
        file.write(end.to_bytes(4, "little"))


def _set_strips(directory: bytearray, offsets: tuple[int, ...], at: int) -> None:
    """Store where strips begin; Pillow counts them from the end of the directory that it writes."""
    entry = _entries(directory, "<", 0)[0][STRIPS]
    place = entry + 8
    if len(offsets) > 1:
        place = struct.unpack_from("<I", directory, place)[0] - at
    struct.pack_into(f"<{len(offsets)}I", directory, place, *offsets)


def _corrected(exif: bytes, size: tuple[int, int], keeps_thumbnail: bool) -> bytes:
    """Set orientation and size, where they are stored, and cut off the thumbnail."""
    block = bytearray(exif)
    order = {b"II": "<", b"MM": ">"}.get(bytes(block[:2]))
    if not order:
        return exif
    try:
        (first,) = struct.unpack_from(order + "I", block, 4)
        entries, end = _entries(block, order, first)
        if (at := entries.get(ExifTags.Base.Orientation)) is not None:
            _set_number(block, order, at, 1)
        if not keeps_thumbnail:
            struct.pack_into(order + "I", block, end, 0)
        if (at := entries.get(ExifTags.IFD.Exif)) is not None:
            (start,) = struct.unpack_from(order + "I", block, at + 8)
            own, _ = _entries(block, order, start)
            for tag, number in zip(SIZES, size, strict=True):
                if tag in own:
                    _set_number(block, order, own[tag], number)
    except struct.error:
        # Damaged EXIF is passed on as it is.
        return exif
    return bytes(block)


def _entries(block: bytearray, order: str, start: int) -> tuple[dict[int, int], int]:
    """Where the entry of each tag of a directory begins, and where the directory's last word is."""
    (count,) = struct.unpack_from(order + "H", block, start)
    places = [start + 2 + 12 * index for index in range(count)]
    tags = {struct.unpack_from(order + "H", block, place)[0]: place for place in places}
    return tags, start + 2 + 12 * count


def _set_number(block: bytearray, order: str, at: int, number: int) -> None:
    """Replace the value of an entry of one short or long."""
    (kind,) = struct.unpack_from(order + "H", block, at + 2)
    if kind in (3, 4):
        struct.pack_into(order + {3: "H", 4: "I"}[kind], block, at + 8, number)
