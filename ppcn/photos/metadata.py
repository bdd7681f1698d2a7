"""EXIF and XMP of photos, carried over byte for byte but for what a new picture makes wrong."""

import re
import shutil
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from ppcn.errors import UserError
from ppcn.photos.decode_errors import DAMAGE
from ppcn.photos.exif import EXIF_MARK, OF_PIXELS, XMP_TAG, camera_of, corrected, entries_of

XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
STRIPS = 273
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
        return Metadata(corrected(self.exif, (width, height), keeps_thumbnail), xmp)


@contextmanager
def _rewriting(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Yield a file and its successor; what was not read is copied at the end."""
    copy = path.with_name(f"{path.name}.copy")
    try:
        with path.open("rb") as source, copy.open("wb") as target:
            yield source, target
            shutil.copyfileobj(source, target)
        copy.replace(path)
    finally:
        copy.unlink(missing_ok=True)


def insert_into_jpeg(path: Path, metadata: Metadata) -> None:
    """Put EXIF and XMP into a JPEG file that has none.

    Raises:
        UserError: JPEG cannot hold so much.
    """
    with _rewriting(path) as (source, target):
        target.write(source.read(2))
        # EXIF must be the first segment, but for JFIF's.
        head = source.read(4)
        if head[:2] == b"\xff\xe0":
            target.write(head + source.read(int.from_bytes(head[2:], "big") - 2))
        else:
            source.seek(2)
        for mark, block in ((EXIF_MARK, metadata.exif), (XMP_MARK, metadata.xmp)):
            if len(mark + block) > JPEG_SEGMENT:
                what = f"{len(block)} bytes of EXIF or XMP"
                raise UserError(f"{what} do not fit into a JPEG; write PNG")
            if block:
                size = len(mark) + len(block) + 2
                target.write(b"\xff\xe1" + size.to_bytes(2, "big") + mark + block)


def insert_into_png(path: Path, metadata: Metadata) -> None:
    """Put EXIF and XMP into a PNG file that has none."""
    with _rewriting(path) as (source, target):
        signature_and_header = source.read(8 + 25)
        target.write(signature_and_header)
        if metadata.exif:
            target.write(_png_chunk(b"eXIf", metadata.exif))
        if metadata.xmp:
            target.write(_png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def insert_into_webp(path: Path, metadata: Metadata) -> None:
    """Put EXIF and XMP into a WebP file that has none.

    A file with metadata begins with a VP8X chunk, which says so.
    """
    with Image.open(path) as image:
        width, height = image.size
        has_alpha = image.mode == "RGBA"
    flags = (0x10 if has_alpha else 0) | (8 if metadata.exif else 0) | (4 if metadata.xmp else 0)
    chunks = []
    with _rewriting(path) as (source, target):
        source.seek(12)
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


def insert_into_tiff(path: Path, metadata: Metadata) -> None:
    """Put EXIF and XMP into a TIFF file that has none.

    A longer directory is written at the end of the file, which then begins with it.

    Raises:
        UserError: the file is a BigTIFF, whose directories Pillow does not write.
    """
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
    entry = entries_of(directory, "<", 0)[0][STRIPS]
    place = entry + 8
    if len(offsets) > 1:
        place = struct.unpack_from("<I", directory, place)[0] - at
    struct.pack_into(f"<{len(offsets)}I", directory, place, *offsets)
