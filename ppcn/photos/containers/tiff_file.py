"""TIFF files: what their first directory says."""

import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ppcn.photos.exif import (
    IPTC_TAG,
    OF_PIXELS,
    PHOTOSHOP_TAG,
    PROFILE_TAG,
    XMP_TAG,
    entries_of,
    exif_of_tiff,
)
from ppcn.photos.header import ColorTags, Density, Header, Layout, Metadata, Unit
from ppcn.photos.photoshop import IPTC, iptc_of, resource, without_iptc

STRIPS, ORIENTATION, EXTRA_SAMPLES, SUB_DIRECTORIES = 273, 274, 338, 330
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
UNITS: Mapping[int, Unit] = {1: "none", 2: "inch", 3: "cm"}
BIG_MARKS = (b"+\0", b"\0+")
# Kinds of channels beyond the colours.
ASSOCIATED, STRAIGHT = 1, 2
SIZE_OF_TYPE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4, 16: 8}
# No block of a photo's is larger, and no directory longer.
LARGEST, ENTRIES = 64 * 2**20, 4096
# Bytes of pixels that leave room for the rest in a file whose offsets have 32 bits.
LARGEST_CLASSIC = 4_000_000_000
LINK_TO_EXIF, LINK_TO_PLACE = 34665, 34853


class Directory:
    """The first directory of a TIFF or BigTIFF file.

    Attributes:
        has_more: whether further pictures follow.
        is_big: whether it is a BigTIFF.
    """

    def __init__(self, file: BinaryIO) -> None:
        head = file.read(16)
        self._file, self._order = file, "<" if head[:2] == b"II" else ">"
        self.is_big = head[2:4] in BIG_MARKS
        word = "Q" if self.is_big else "I"
        (start,) = struct.unpack_from(self._order + word, head, 8 if self.is_big else 4)
        file.seek(start)
        count = self._read("Q" if self.is_big else "H")
        size = 20 if self.is_big else 12
        table = file.read(min(count, ENTRIES) * size)
        self._entries = {
            struct.unpack_from(self._order + "H", table, at)[0]: table[at : at + size]
            for at in range(0, len(table) - size + 1, size)
        }
        self.has_more = count <= ENTRIES and bool(self._read(word))

    def _read(self, kind: str) -> int:
        (value,) = struct.unpack(self._order + kind, self._file.read(struct.calcsize(kind)))
        return int(value)

    def __contains__(self, tag: int) -> bool:
        return tag in self._entries

    def data(self, tag: int) -> bytes:
        """The bytes of an entry; empty where it is missing, damaged or implausibly large."""
        entry = self._entries.get(tag, b"")
        if not entry:
            return b""
        word = "Q" if self.is_big else "I"
        kind, count = struct.unpack_from(f"{self._order}H{word}", entry, 2)
        size = SIZE_OF_TYPE.get(kind, 0) * count
        inside = entry[12:] if self.is_big else entry[8:]
        if size <= len(inside):
            return inside[:size]
        if size > LARGEST:
            return b""
        (at,) = struct.unpack(self._order + word, inside)
        self._file.seek(at)
        data = self._file.read(size)
        return data if len(data) == size else b""

    def ratio(self, tag: int) -> float:
        """An entry of one fraction; 0 where it is missing or malformed."""
        data = self.data(tag)
        if len(data) < 8:
            return 0
        above, below = struct.unpack(self._order + "II", data[:8])
        return above / below if below else 0

    def shorts(self, tag: int) -> tuple[int, ...]:
        """An entry of short numbers."""
        data = self.data(tag)
        return struct.unpack(f"{self._order}{len(data) // 2}H", data[: len(data) & ~1])


def read_tiff(path: Path) -> Header:
    """Read a TIFF file, less the layout of its pixels, but for what follows the colours."""
    with path.open("rb") as file, suppress(struct.error, OverflowError):
        directory = Directory(file)
        profile = directory.data(PROFILE_TAG)
        photoshop = without_iptc(directory.data(PHOTOSHOP_TAG))
        iptc = directory.data(IPTC_TAG) or iptc_of(directory.data(PHOTOSHOP_TAG))
        photoshop += resource(IPTC, iptc) if iptc else b""
        metadata = Metadata(
            exif_of_tiff(path),
            directory.data(XMP_TAG),
            photoshop=photoshop,
            profile=profile,
            density=_density(directory),
        )
        extra = directory.shorts(EXTRA_SAMPLES)
        # Without a word on it, a fourth channel of RGB is transparency to most programs.
        first = extra[0] if extra else STRAIGHT
        layout = Layout(0, 0, "RGB", 8, first in (ASSOCIATED, STRAIGHT), first == ASSOCIATED)
        orientation = (directory.shorts(ORIENTATION) or (1,))[0]
        orientation = orientation if 1 <= orientation <= 8 else 1
        others = ["further pages"] if directory.has_more else []
        others += ["smaller pictures"] if SUB_DIRECTORIES in directory else []
        return Header(layout, ColorTags(profile), metadata, orientation, tuple(others))
    return Header(Layout(0, 0, "RGB", 8))


def _density(directory: Directory) -> Density | None:
    x, y = directory.ratio(X_RESOLUTION), directory.ratio(Y_RESOLUTION)
    unit = (directory.shorts(RESOLUTION_UNIT) or (2,))[0]
    return Density(x, y, UNITS[unit]) if x > 0 and y > 0 and unit in UNITS else None


def is_big(path: Path) -> bool:
    """Whether a file is a BigTIFF."""
    with path.open("rb") as file:
        return file.read(4)[2:] in BIG_MARKS


def tiff_problem(metadata: Metadata, size: int) -> str | None:
    """Why a TIFF file of so many bytes of pixels cannot hold metadata; None if it can."""
    if size > LARGEST_CLASSIC and replace(metadata, density=None) != Metadata():
        return "EXIF does not fit into a TIFF of more than 4 GB; write another format"
    return None


def insert_into_tiff(path: Path, metadata: Metadata) -> None:
    """Put metadata into a TIFF file that has none.

    A longer directory is written at the end of the file, which then begins with it; not in a
    BigTIFF (`tiff_problem`), whose directories Pillow does not write.
    """
    if replace(metadata, density=None) == Metadata() and is_big(path):
        return
    with path.open("rb") as file:
        directory = ImageFileDirectory_v2(file.read(8))
        file.seek(directory.next)
        directory.load(file)
        # Pillow writes what was looked at.
        strips = dict(directory)[STRIPS]
    exif = Image.Exif()
    exif.load(metadata.exif)
    for tag, value in exif.items():
        if tag not in OF_PIXELS and tag not in directory:
            is_link = tag in (LINK_TO_EXIF, LINK_TO_PLACE)
            directory[tag] = exif.get_ifd(tag) if is_link else value
    if density := metadata.density:
        unit: Unit = "cm" if density.unit == "metre" else density.unit
        directory[X_RESOLUTION], directory[Y_RESOLUTION] = density.per(unit)
        directory[RESOLUTION_UNIT] = {name: code for code, name in UNITS.items()}[unit]
    for tag, block in _blocks(metadata).items():
        if block:
            directory.tagtype[tag] = 7 if tag == PROFILE_TAG else 1
            directory[tag] = block
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        end += file.write(b"\0" * (end % 2))
        written = bytearray(directory.tobytes(end))
        _set_strips(written, strips, end)
        file.write(written)
        file.seek(4)
        file.write(end.to_bytes(4, "little"))


def _blocks(metadata: Metadata) -> Mapping[int, bytes]:
    return {
        XMP_TAG: metadata.xmp,
        IPTC_TAG: iptc_of(metadata.photoshop),
        PHOTOSHOP_TAG: without_iptc(metadata.photoshop),
        PROFILE_TAG: metadata.profile,
    }


def _set_strips(directory: bytearray, offsets: tuple[int, ...], at: int) -> None:
    """Store where strips begin; Pillow counts them from the end of the directory that it writes."""
    entry = entries_of(directory, "<", 0)[0][STRIPS]
    place = entry + 8
    if len(offsets) > 1:
        place = struct.unpack_from("<I", directory, place)[0] - at
    struct.pack_into(f"<{len(offsets)}I", directory, place, *offsets)
