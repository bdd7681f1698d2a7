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
FILE_SIZES = (ExifTags.Base.ImageWidth, ExifTags.Base.ImageLength)
INTEROP_SIZES = (0x1001, 0x1002)
# What describes the pixels of a TIFF rather than the photo.
OF_PIXELS = set(range(254, 269)) | {273, *range(277, 282), 284, *range(288, 294), *range(317, 348)}
# Blocks of a TIFF that are no EXIF: XMP, IPTC, Photoshop's resources, ICC profile.
XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG, PROFILE_TAG = 700, 33723, 34377, 34675
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


def exif_of_tiff(path: Path) -> bytes | None:
    """The directory of a TIFF, less what describes its pixels, as other files store EXIF.

    Returns:
        A TIFF structure, empty where nothing is left; None where it cannot be read.
    """
    exif = Image.Exif()
    with path.open("rb") as file, suppress(*DAMAGE):
        exif.load_from_fp(file)
        for tag in [*exif]:
            if tag in OF_PIXELS | {XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG, PROFILE_TAG}:
                del exif[tag]
        return exif.tobytes().removeprefix(EXIF_MARK) if len(exif) else b""
    return None


def corrected(
    exif: bytes, size: tuple[int, int], keeps_thumbnail: bool
) -> tuple[bytes, tuple[str, ...]]:
    """Set orientation and size, wherever they are stored, and take out the thumbnail.

    Args:
        exif: a TIFF structure; damaged ones are returned as they are.
        size: width and height of the upright picture, px.
        keeps_thumbnail: whether the small picture within stays.

    Returns:
        The structure, and the names of what was taken out.
    """
    block = bytearray(exif)
    order = {b"II": "<", b"MM": ">"}.get(bytes(block[:2]))
    if not order:
        return exif, ()
    dropped: tuple[str, ...] = ()
    try:
        (first,) = struct.unpack_from(order + "I", block, 4)
        entries, end = entries_of(block, order, first)
        if (at := entries.get(ExifTags.Base.Orientation)) is not None:
            _set_number(block, order, at, 1)
        if not keeps_thumbnail:
            dropped = _take_out_thumbnail(block, order, end)
        own = _entries_behind(block, order, entries, ExifTags.IFD.Exif)
        interop = _entries_behind(block, order, own, ExifTags.IFD.Interop)
        for tags, names in ((entries, FILE_SIZES), (own, SIZES), (interop, INTEROP_SIZES)):
            for tag, number in zip(names, size, strict=True):
                if tag in tags:
                    _set_number(block, order, tags[tag], number)
    except struct.error:
        pass
    return bytes(block), dropped


def _entries_behind(
    block: bytearray, order: str, entries: dict[int, int], pointer: int
) -> dict[int, int]:
    """The entries of the directory that an entry points to; none if there is none."""
    if (at := entries.get(pointer)) is None:
        return {}
    (start,) = struct.unpack_from(order + "I", block, at + 8)
    return entries_of(block, order, start)[0]


def _take_out_thumbnail(block: bytearray, order: str, link: int) -> tuple[str, ...]:
    """Cut the link to the thumbnail's directory, and blank its picture."""
    (start,) = struct.unpack_from(order + "I", block, link)
    struct.pack_into(order + "I", block, link, 0)
    if not start:
        return ()
    with suppress(struct.error):
        entries, _ = entries_of(block, order, start)
        offset, length = (
            struct.unpack_from(order + "I", block, entries[tag] + 8)[0] if tag in entries else 0
            for tag in (ExifTags.Base.JpegIFOffset, ExifTags.Base.JpegIFByteCount)
        )
        if 8 <= offset <= offset + length <= len(block):
            block[offset : offset + length] = bytes(length)
    return ("EXIF thumbnail",)


def orientation_in(exif: bytes) -> int:
    """The orientation that a TIFF structure tells of, 1..8; 1 where it is malformed or missing."""
    return _stored_orientation(exif) or 1


def has_orientation(exif: bytes) -> bool:
    """Whether a TIFF structure tells how to hold the photo."""
    return _stored_orientation(exif) is not None


def _stored_orientation(exif: bytes) -> int | None:
    order = "<" if exif[:2] == b"II" else ">"
    with suppress(struct.error, KeyError):
        (first,) = struct.unpack_from(f"{order}I", exif, 4)
        at = entries_of(bytearray(exif), order, first)[0][ExifTags.Base.Orientation]
        (value,) = struct.unpack_from(f"{order}H", exif, at + 8)
        return value if 1 <= value <= 8 else None
    return None


def entries_of(block: bytearray, order: str, start: int) -> tuple[dict[int, int], int]:
    """Read where the entries of a directory lie.

    Args:
        block: a TIFF structure.
        order: of its bytes, "<" or ">".
        start: where the directory begins.

    Returns:
        Where the entry of each tag begins, and where the directory's last word is.

    Raises:
        struct.error: the directory lies beyond the end.
    """
    (count,) = struct.unpack_from(order + "H", block, start)
    if start + 2 + 12 * count > len(block):
        raise struct.error("directory beyond the end")
    places = [start + 2 + 12 * index for index in range(count)]
    tags = {struct.unpack_from(order + "H", block, place)[0]: place for place in places}
    return tags, start + 2 + 12 * count


def _set_number(block: bytearray, order: str, at: int, number: int) -> None:
    """Replace the value of an entry of one short or long."""
    (kind,) = struct.unpack_from(order + "H", block, at + 2)
    if kind in (3, 4):
        struct.pack_into(order + {3: "H", 4: "I"}[kind], block, at + 8, number)
