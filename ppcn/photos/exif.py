"""EXIF: what it says of a photo, and the few tags that a new picture makes wrong.

A general EXIF library would rewrite the block and lose tags that it does not know, and makers'
notes, whose pointers count from the block's beginning; tags are corrected in place instead.
"""

import re
import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from PIL import ExifTags, Image

from ppcn.photos.decode_errors import DAMAGE

EXIF_MARK = b"Exif\0\0"
SIZES = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
# What describes the pixels of a TIFF rather than the photo.
OF_PIXELS = set(range(254, 270)) | {273, *range(277, 282), 284, *range(288, 294), *range(317, 348)}
XMP_TAG, PROFILE_TAG = 700, 34675
# A time; some cameras fill numbers up with spaces.
MOMENT = re.compile(
    r"(\d{4})[:-] *(\d{1,2})[:-] *(\d{1,2})[ T] *(\d{1,2})[:-] *(\d{1,2})[:-] *(\d{1,2})"
    r"(?:[.,](\d+))? *(Z|[+-]\d{1,2}:?\d{2})?",
    re.ASCII,
)
OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?", re.ASCII)
# Of UTC, in the Line Islands.
FARTHEST_ZONE = timedelta(hours=14)


def camera_of(exif: Image.Exif) -> str:
    """Which camera took a photo, as "Apple iPhone 3GS" (Make and Model); "" if unknown."""
    make, model = (
        " ".join(str(exif.get(tag, "")).strip(" \0").split())
        for tag in (ExifTags.Base.Make, ExifTags.Base.Model)
    )
    # Many cameras repeat the maker's name in the model's.
    return model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()


def time_of(exif: Image.Exif) -> datetime | None:
    """When a photo was taken (DateTimeOriginal with subseconds and offset); None if unknown."""
    own = exif.get_ifd(ExifTags.IFD.Exif)
    moment, fraction, offset = (
        _text(own.get(tag, ""))
        for tag in (
            ExifTags.Base.DateTimeOriginal,
            ExifTags.Base.SubsecTimeOriginal,
            ExifTags.Base.OffsetTimeOriginal,
        )
    )
    return _parse_time(moment, fraction, offset)


def _text(value: object) -> str:
    """A value as text, up to its first NUL and without spaces around."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return text.partition("\0")[0].strip()


def _parse_time(moment: str, fraction: str, offset: str) -> datetime | None:
    """EXIF's "2024:05:01 12:30:00", "25" and "+02:00" as a time.

    A moment with hyphens or a T, as ISO 8601 has it, is read, too. What it says of subseconds and
    offset itself counts before the tags that are for these; what is unreadable there counts as
    missing.
    """
    match = MOMENT.fullmatch(moment)
    if not match:
        return None
    *numbers, own_fraction, own_offset = match.groups()
    digits = re.match(r"\d*", own_fraction or fraction, re.ASCII)
    microseconds = int(f"{digits[0] if digits else '':0<6}"[:6])
    try:
        year, month, day, hour, minute, second = map(int, numbers)
        zone = _parse_zone(own_offset or offset)
        return datetime(year, month, day, hour, minute, second, microseconds, zone)
    except ValueError:
        return None


def _parse_zone(offset: str) -> timezone | None:
    """An offset such as "+02:00" or "Z"; None if it is none."""
    if offset == "Z":
        return UTC
    match = OFFSET.fullmatch(offset)
    if not match:
        return None
    ahead = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    if ahead > FARTHEST_ZONE or int(match[3] or 0) >= 60:
        return None
    return timezone(-ahead if match[1] == "-" else ahead)


def orientation_of(exif: Image.Exif) -> int:
    """EXIF's number for how to hold a photo, 1..8; 1, upright, where it is malformed or missing."""
    value = exif.get(ExifTags.Base.Orientation)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


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


def corrected(exif: bytes, size: tuple[int, int], keeps_thumbnail: bool) -> bytes:
    """Set orientation and size, where they are stored, and cut off the thumbnail.

    Args:
        exif: a TIFF structure; damaged ones are returned as they are.
        size: width and height of the upright picture, px.
        keeps_thumbnail: whether the small picture within stays.
    """
    block = bytearray(exif)
    order = {b"II": "<", b"MM": ">"}.get(bytes(block[:2]))
    if not order:
        return exif
    try:
        (first,) = struct.unpack_from(order + "I", block, 4)
        entries, end = entries_of(block, order, first)
        if (at := entries.get(ExifTags.Base.Orientation)) is not None:
            _set_number(block, order, at, 1)
        if not keeps_thumbnail:
            struct.pack_into(order + "I", block, end, 0)
        if (at := entries.get(ExifTags.IFD.Exif)) is not None:
            (start,) = struct.unpack_from(order + "I", block, at + 8)
            own, _ = entries_of(block, order, start)
            for tag, number in zip(SIZES, size, strict=True):
                if tag in own:
                    _set_number(block, order, own[tag], number)
    except struct.error:
        return exif
    return bytes(block)


def entries_of(block: bytearray, order: str, start: int) -> tuple[dict[int, int], int]:
    """Read where the entries of a directory lie.

    Args:
        block: a TIFF structure.
        order: of its bytes, "<" or ">".
        start: where the directory begins.

    Returns:
        Where the entry of each tag begins, and where the directory's last word is.
    """
    (count,) = struct.unpack_from(order + "H", block, start)
    places = [start + 2 + 12 * index for index in range(count)]
    tags = {struct.unpack_from(order + "H", block, place)[0]: place for place in places}
    return tags, start + 2 + 12 * count


def _set_number(block: bytearray, order: str, at: int, number: int) -> None:
    """Replace the value of an entry of one short or long."""
    (kind,) = struct.unpack_from(order + "H", block, at + 2)
    if kind in (3, 4):
        struct.pack_into(order + {3: "H", 4: "I"}[kind], block, at + 8, number)
