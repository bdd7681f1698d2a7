"""The directories of a TIFF structure, read within bounds whatever a damaged file claims.

Raw photos of most makers are TIFF structures, some with another number in place of TIFF's 42.
"""

import struct
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from PIL import ExifTags

ORDERS = {b"II": "<", b"MM": ">"}
# BigTIFF, whose offsets and counts have 64 bits.
BIG_MARKS = (b"+\0", b"\0+")
# Bytes of a value of each type.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
RATIONAL = 5
SUB_DIRECTORIES = 330
EXIF, GPS = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo
# No camera writes more; a loop of directories ends by the first.
MOST_DIRECTORIES, MOST_ENTRIES, MOST_BYTES = 64, 1000, 1 << 20
# What EXIF's main directory says of a photo, rather than of pixels or of a raw sensor.
MAIN_TAGS = {270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 316, 18246, 18249, 33432}
MAIN_TAGS |= {*range(40091, 40096)}
# Makers' notes, whose pointers go wrong when they move and which outgrow a JPEG, and Interop.
LEFT_OUT = {37500, 40965}
LARGEST_VALUE = 1 << 14
# Offsets and counts, of TIFF and of BigTIFF.
WORDS = {False: "I", True: "Q"}


@dataclass(frozen=True)
class Entry:
    """A value of a directory: TIFF's type, how many, and their bytes or where these are."""

    kind: int
    count: int
    field: bytes

    def size(self) -> int:
        """Bytes of the value; 0 of an unknown type."""
        return SIZES.get(self.kind, 0) * self.count


@dataclass(frozen=True)
class Directory:
    """A directory of an open file.

    Attributes:
        file: a TIFF structure from its first byte.
        order: of bytes, "<" or ">".
        entries: by tag.
        following: where the next directory begins; 0 after the last.
        is_big: whether it is a BigTIFF's.
    """

    file: BinaryIO
    order: str
    entries: Mapping[int, Entry]
    following: int = 0
    is_big: bool = False

    def value(self, tag: int, most: int = MOST_BYTES) -> bytes:
        """The bytes of a value; empty if it is missing, cut off or longer than `most`."""
        entry = self.entries.get(tag)
        if entry is None or not 0 < entry.size() <= most:
            return b""
        if entry.size() <= len(entry.field):
            return entry.field[: entry.size()]
        (start,) = struct.unpack_from(self.order + WORDS[self.is_big], entry.field)
        if start >= 1 << 63:
            return b""
        self.file.seek(start)
        data = self.file.read(entry.size())
        return data if len(data) == entry.size() else b""

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The value as whole numbers; empty if it has none."""
        entry, data = self.entries.get(tag), self.value(tag)
        if entry is None or not data or entry.kind not in WHOLE_NUMBERS:
            return ()
        return struct.unpack_from(f"{self.order}{entry.count}{WHOLE_NUMBERS[entry.kind]}", data)

    def number(self, tag: int, default: int = 0) -> int:
        """The first of the numbers."""
        return next(iter(self.numbers(tag)), default)

    def ratio(self, tag: int) -> float:
        """The value as a fraction; 0 where it is none."""
        entry, data = self.entries.get(tag), self.value(tag)
        if entry is None or entry.kind != RATIONAL or len(data) < 8:
            return 0.0
        above, below = struct.unpack_from(self.order + "II", data)
        return above / below if below else 0.0

    def at(self, tag: int) -> "Directory | None":
        """The directory that a value points at."""
        start = self.number(tag)
        return read_directory(self.file, self.order, start, self.is_big) if start else None


def read_directory(
    file: BinaryIO, order: str, start: int, is_big: bool = False
) -> Directory | None:
    """Read the directory that begins at a byte of a file; None if there is none."""
    word, wide = WORDS[is_big], 8 if is_big else 4
    counter, size = ("Q", 20) if is_big else ("H", 12)
    if start >= 1 << 63:
        return None
    file.seek(start)
    head = file.read(struct.calcsize(counter))
    whole = len(head) == struct.calcsize(counter)
    count = struct.unpack_from(order + counter, head)[0] if whole else 0
    block = file.read(size * count) if 0 < count <= MOST_ENTRIES else b""
    if not block or len(block) < size * count:
        return None
    entries = {}
    for place in range(0, size * count, size):
        tag, kind, number = struct.unpack_from(f"{order}HH{word}", block, place)
        entries[tag] = Entry(kind, number, block[place + 4 + wide : place + size])
    end = file.read(wide)
    following = struct.unpack_from(order + word, end)[0] if len(end) == wide else 0
    return Directory(file, order, entries, following, is_big)


def first_directory(file: BinaryIO) -> Directory | None:
    """The main directory of a TIFF structure."""
    file.seek(0)
    head = file.read(16)
    order = ORDERS.get(head[:2])
    is_big = head[2:4] in BIG_MARKS
    if len(head) < (16 if is_big else 8) or order is None:
        return None
    (start,) = struct.unpack_from(order + WORDS[is_big], head, 8 if is_big else 4)
    return read_directory(file, order, start, is_big)


def directories_of(file: BinaryIO) -> Iterator[Directory]:
    """All directories of a TIFF structure and those below them, at most `MOST_DIRECTORIES`."""
    main = first_directory(file)
    waiting = deque([main] if main else [])
    visited: set[int] = set()
    while waiting:
        directory = waiting.popleft()
        yield directory
        for start in (directory.following, *directory.numbers(SUB_DIRECTORIES)):
            if start and start not in visited and len(visited) < MOST_DIRECTORIES:
                visited.add(start)
                other = read_directory(file, directory.order, start, directory.is_big)
                if other is not None:
                    waiting.append(other)


def exif_block(main: Directory, own: Directory | None, place: Directory | None) -> bytes:
    """EXIF for an upright picture that was made of a photo.

    What describes the pixels, thumbnails and makers' notes are left out, and values of more than
    16 kB.

    Args:
        main: the main directory.
        own: EXIF's own directory.
        place: that of GPS.

    Returns:
        A TIFF structure in the byte order of `main`; empty if there is nothing to say.
    """
    order = main.order
    mark = b"II*\0" if order == "<" else b"MM\0*"
    block = bytearray(mark + bytes(4))
    values = {tag: entry for tag, entry in main.entries.items() if tag in MAIN_TAGS - {274}}
    stated = _values(main, values)
    if 274 in main.entries:
        stated[274] = (3, 1, struct.pack(order + "H", 1))
    for pointer, directory in ((EXIF, own), (GPS, place)):
        if directory is not None and directory.order == order:
            kept = {t: e for t, e in directory.entries.items() if t not in LEFT_OUT}
            if below := _values(directory, kept):
                stated[pointer] = (4, 1, struct.pack(order + "I", len(block)))
                _append(block, order, below)
    if not stated:
        return b""
    struct.pack_into(order + "I", block, 4, len(block))
    _append(block, order, stated)
    return bytes(block)


def _values(
    directory: Directory, entries: Mapping[int, Entry]
) -> dict[int, tuple[int, int, bytes]]:
    """Type, count and bytes of values that are whole and not too long."""
    values = {}
    for tag, entry in entries.items():
        data = directory.value(tag) if entry.size() <= LARGEST_VALUE else b""
        if data:
            values[tag] = (entry.kind, entry.count, data)
    return values


def _append(block: bytearray, order: str, values: dict[int, tuple[int, int, bytes]]) -> None:
    """Write a directory at the end of a TIFF structure, with its values behind it."""
    room = len(block) + 2 + 12 * len(values) + 4
    block += struct.pack(order + "H", len(values))
    longer = bytearray()
    for tag, (kind, count, data) in sorted(values.items()):
        if len(data) <= 4:
            field = data.ljust(4, b"\0")
        else:
            field = struct.pack(order + "I", room + len(longer))
            longer += data + b"\0" * (len(data) % 2)
        block += struct.pack(order + "HHI", tag, kind, count) + field
    block += bytes(4) + longer
