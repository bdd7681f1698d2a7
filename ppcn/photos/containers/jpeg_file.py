"""JPEG files: segments before the picture, and what lies behind it."""

import io
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ppcn.photos.containers.rewriting import rewriting
from ppcn.photos.exif import EXIF_MARK, orientation_in
from ppcn.photos.header import UNKNOWN_LAYOUT, ColorTags, Density, Header, Metadata, Unit
from ppcn.photos.photoshop import resources

JFIF_MARK = b"JFIF\0"
UNITS: tuple[Unit, ...] = ("none", "inch", "cm")
XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED_MARK = b"http://ns.adobe.com/xmp/extension/\0"
PROFILE_MARK = b"ICC_PROFILE\0"
PHOTOSHOP_MARK = b"Photoshop 3.0\0"
MPF_MARK = b"MPF\0"
ISO_GAIN_MAP_MARK = b"urn:iso:std:iso:ts:21496:-1\0"
# What a segment holds at most, less its own length.
SEGMENT = 65533
# Contents of one segment of an extended XMP packet: mark, digest, size and place come before them.
EXTENDED_PART = SEGMENT - len(EXTENDED_MARK) - 40
PROFILE_PART = SEGMENT - len(PROFILE_MARK) - 2
APP0, APP1, APP2, APP13, COMMENT = 0xE0, 0xE1, 0xE2, 0xED, 0xFE
START_OF_SCAN = 0xDA
# A marker within coded data, other than restarts; 0 and FF stand for data.
MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)
# Names of what makers keep in further segments, by number and first bytes.
KNOWN_SEGMENTS = (
    (0xE0, b"JFIF", ""),
    (0xE0, b"JFXX", "JFIF thumbnail"),
    (0xE0, b"AVI1", "AVI1 marker"),
    (0xE2, MPF_MARK, ""),
    (0xE2, ISO_GAIN_MAP_MARK, ""),
    (0xE2, b"FPXR", "FlashPix streams"),
    (0xEB, b"JP", "content credentials (C2PA)"),
    (0xEB, b"HDR_RI", "JPEG-HDR"),
    (0xEC, b"Ducky", "Photoshop's save settings"),
    (0xEE, b"Adobe", ""),
)


# Segments before a picture: number and contents of each.
Segments = tuple[tuple[int, bytes], ...]


def read_segments(file: BinaryIO) -> Segments:
    """Segments up to the first scan; as far as they are whole."""
    parts = []
    file.seek(2)
    while len(head := file.read(2)) == 2 and head[0] == 0xFF:
        if head[1] == 0xFF:
            file.seek(-1, 1)
            continue
        size = int.from_bytes(file.read(2), "big") - 2
        if head[1] == START_OF_SCAN or size < 0:
            break
        is_kept = 0xE0 <= head[1] <= 0xEF or head[1] == COMMENT
        data = file.read(size) if is_kept else b""
        if not is_kept:
            file.seek(size, 1)
        if is_kept and len(data) == size:
            parts.append((head[1], data))
    return tuple(parts)


def read_jpeg(path: Path) -> Header:
    """Read what a JPEG file holds before its picture, less the layout of its pixels."""
    with path.open("rb") as file:
        segments = read_segments(file)
    exif = _first(segments, APP1, EXIF_MARK)
    xmp = _first(segments, APP1, XMP_MARK)
    extended, is_whole = _extended_xmp(segments, xmp)
    photoshop = b"".join(
        data.removeprefix(PHOTOSHOP_MARK)
        for number, data in segments
        if number == APP13 and data.startswith(PHOTOSHOP_MARK)
    )
    comments = tuple(data for number, data in segments if number == COMMENT)
    profile = _profile(segments)
    density = _density(_first(segments, APP0, JFIF_MARK))
    metadata = Metadata(exif, xmp, extended, photoshop, comments, profile=profile, density=density)
    others = [*_unknown(segments)]
    if not is_whole:
        others.append("extended XMP (incomplete)")
    if photoshop and not any(resources(photoshop)):
        others.append("Photoshop's resources (malformed)")
    color = ColorTags(profile)
    return Header(UNKNOWN_LAYOUT, color, metadata, orientation_in(exif), tuple(others))


def _density(jfif: bytes) -> Density | None:
    if len(jfif) < 7:
        return None
    unit, x, y = struct.unpack_from(">BHH", jfif, 2)
    return Density(x, y, UNITS[unit]) if unit < len(UNITS) and x and y else None


def _jfif(density: Density) -> bytes:
    """JFIF's segment, which has whole numbers up to 65535."""
    unit: Unit = "cm" if density.unit == "metre" else density.unit
    x, y = (min(max(round(value), 1), 0xFFFF) for value in density.per(unit))
    return JFIF_MARK + b"\1\1" + struct.pack(">BHHBB", UNITS.index(unit), x, y, 0, 0)


def _first(segments: Segments, number: int, mark: bytes) -> bytes:
    whole = (data for n, data in segments if n == number and data.startswith(mark))
    return next(whole, b"").removeprefix(mark)


def _extended_xmp(segments: Segments, xmp: bytes) -> tuple[bytes, bool]:
    """The extension that the main packet names, and whether nothing of it is missing."""
    parts: dict[int, bytes] = {}
    total = 0
    marked = [d for n, d in segments if n == APP1 and d.startswith(EXTENDED_MARK)]
    for data in marked:
        body = data.removeprefix(EXTENDED_MARK)
        if len(body) < 40 or body[:32] not in xmp:
            continue
        total, offset = struct.unpack_from(">II", body, 32)
        parts[offset] = body[40:]
    joined = b"".join(parts[offset] for offset in sorted(parts))
    if marked and (not parts or len(joined) != total):
        return b"", False
    return joined, True


def _profile(segments: Segments) -> bytes:
    """The ICC profile, put together in the order that its parts name."""
    mark = PROFILE_MARK
    parts = [d for n, d in segments if n == APP2 and d.startswith(mark) and len(d) > len(mark) + 1]
    return b"".join(d[len(mark) + 2 :] for d in sorted(parts, key=lambda d: d[len(mark)]))


def _unknown(segments: Segments) -> Iterator[str]:
    """Names of segments that no result holds."""
    kept = (EXIF_MARK, XMP_MARK, EXTENDED_MARK, PROFILE_MARK, PHOTOSHOP_MARK)
    has_exif = 0
    for number, data in segments:
        if number == APP1 and data.startswith(EXIF_MARK):
            has_exif += 1
            if has_exif > 1:
                yield "a second EXIF block"
        if number == COMMENT or data.startswith(kept):
            continue
        known = [n for at, mark, n in KNOWN_SEGMENTS if number == at and data.startswith(mark)]
        if known != [""]:
            yield known[0] if known else _named(number, data)


def _named(number: int, data: bytes) -> str:
    """A segment by its number and the word that it begins with."""
    word = re.match(rb"[A-Za-z][\w :.-]{2,20}", data)
    return f"APP{number - 0xE0}" + (f" ({word[0].decode().strip()})" if word else "")


def picture_end(data: bytes, start: int = 0) -> int:
    """Where the picture that begins at `start` ends; the end of the data if it never does."""
    at = start + 2
    while 0 <= at < len(data):
        marker = MARKER.search(data, at)
        if marker is None:
            return len(data)
        kind = marker[1][0]
        if kind == 0xD9:
            return marker.end()
        size = int.from_bytes(data[marker.end() : marker.end() + 2], "big")
        at = marker.end() + (size if kind not in (0x01, 0xD8) else 0)
    return len(data)


def read_trailer(path: Path) -> tuple[bytes, tuple[str, ...]]:
    """The gain map behind a JPEG's picture, and names of what else is there."""
    data = path.read_bytes()
    at = picture_end(data)
    gain_map = b""
    pictures = 0
    while at < len(data):
        next_picture = data.find(b"\xff\xd8\xff", at)
        if next_picture < 0 or data[at:next_picture].strip(b"\0"):
            break
        end = picture_end(data, next_picture)
        picture = data[next_picture:end]
        if not gain_map and is_gain_map(picture):
            gain_map = picture
        else:
            pictures += 1
        at = end
    others = [f"{pictures} further picture{'s' if pictures > 1 else ''}"] if pictures else []
    if rest := data[at:].strip(b"\0"):
        others.append(_trailer_name(rest))
    return gain_map, tuple(others)


def is_gain_map(picture: bytes) -> bool:
    """Whether a JPEG file within another says that it is a gain map."""
    head = picture[: 4 * SEGMENT]
    return any(mark in head for mark in (b"hdr-gain-map", ISO_GAIN_MAP_MARK, b"aux:hdrgainmap"))


def _trailer_name(rest: bytes) -> str:
    if rest[4:8] == b"ftyp" or b"ftyp" in rest[:4096] or b"MotionPhoto_Data" in rest:
        return "motion photo's video"
    if rest.endswith((b"SEFT", b"QDIOBS")):
        return "the maker's trailer"
    return f"{len(rest)} bytes behind the picture"


def jpeg_problem(metadata: Metadata, size: int) -> str | None:
    """Why a JPEG file cannot hold metadata; None if it can."""
    for name, mark, block in (
        ("EXIF", EXIF_MARK, metadata.exif),
        ("XMP", XMP_MARK, metadata.xmp),
        ("a comment", b"", max(metadata.comments, key=len, default=b"")),
    ):
        if len(mark) + len(block) > SEGMENT:
            return f"{len(block)} bytes of {name} do not fit into a JPEG; write PNG"
    if len(metadata.profile) > 255 * PROFILE_PART:
        return "the ICC profile does not fit into a JPEG; write PNG"
    return None


def insert_into_jpeg(path: Path, metadata: Metadata) -> None:
    """Put metadata, which it must be able to hold, into a JPEG file that has none."""
    segments = b"".join(_segment(number, data) for number, data in _segments_of(metadata))
    with rewriting(path) as (source, target):
        start = source.read(2)
        target.write(start + segments)
        if metadata.gain_map:
            rest = source.read()
            size = len(start) + len(segments) + 90 + len(rest)
            index = _picture_index(len(start) + len(segments), size, len(metadata.gain_map))
            target.write(index + rest + metadata.gain_map)


def _segments_of(metadata: Metadata) -> Iterator[tuple[int, bytes]]:
    # EXIF must be the first segment, but for JFIF's.
    if metadata.density or not metadata.exif:
        yield APP0, _jfif(metadata.density or Density(1, 1, "none"))
    if metadata.exif:
        yield APP1, EXIF_MARK + metadata.exif
    if metadata.xmp:
        yield APP1, XMP_MARK + metadata.xmp
    yield from _extended_segments(metadata)
    if ISO_GAIN_MAP_MARK in metadata.gain_map[: 4 * SEGMENT]:
        # The versions of the standard, 0 and 0, by which the picture names its gain map.
        yield APP2, ISO_GAIN_MAP_MARK + bytes(4)
    profile = metadata.profile
    count = -(-len(profile) // PROFILE_PART)
    for number in range(count):
        part = profile[number * PROFILE_PART : (number + 1) * PROFILE_PART]
        yield APP2, PROFILE_MARK + bytes([number + 1, count]) + part
    part_size = SEGMENT - len(PHOTOSHOP_MARK)
    for start in range(0, len(metadata.photoshop), part_size):
        yield APP13, PHOTOSHOP_MARK + metadata.photoshop[start : start + part_size]
    for comment in metadata.comments:
        yield COMMENT, comment


def _extended_segments(metadata: Metadata) -> Iterator[tuple[int, bytes]]:
    extended = metadata.extended_xmp
    if not extended:
        return
    digest = re.search(rb"HasExtendedXMP(?:>|=[\"'])\s*([0-9A-F]{32})", metadata.xmp)
    for start in range(0, len(extended) if digest else 0, EXTENDED_PART):
        place = struct.pack(">II", len(extended), start)
        body = (digest[1] if digest else b"") + place + extended[start : start + EXTENDED_PART]
        yield APP1, EXTENDED_MARK + body


def _segment(number: int, data: bytes) -> bytes:
    return bytes([0xFF, number]) + (len(data) + 2).to_bytes(2, "big") + data


def _picture_index(at: int, size: int, gain_map: int) -> bytes:
    """The index of two pictures in a file (CIPA DC-007), 90 bytes.

    Args:
        at: where it is put.
        size: of the file with it, less the second picture.
        gain_map: size of the second picture.
    """
    base = at + 4 + len(MPF_MARK)
    entries = struct.pack(">IIIHH", 0x030000, size, 0, 0, 0)
    entries += struct.pack(">IIIHH", 0, gain_map, size - base, 0, 0)
    tags = struct.pack(">HHI4s", 0xB000, 7, 4, b"0100")
    tags += struct.pack(">HHII", 0xB001, 4, 1, 2)
    tags += struct.pack(">HHII", 0xB002, 7, len(entries), 8 + 2 + 36 + 4)
    data = b"MM\0*" + struct.pack(">IH", 8, 3) + tags + struct.pack(">I", 0) + entries
    return _segment(APP2, MPF_MARK + data)


def with_segments_of(picture: bytes, original: bytes) -> bytes:
    """A JPEG file with the segments of another, such as those that make it a gain map."""
    kept = [
        (number, data)
        for number, data in read_segments(io.BytesIO(original))
        if not data.startswith((EXIF_MARK, b"JFIF", MPF_MARK, b"Adobe"))
    ]
    return picture[:2] + b"".join(_segment(*part) for part in kept) + picture[2:]
