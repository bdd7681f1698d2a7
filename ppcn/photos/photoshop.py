"""Photoshop's image resources, in which JPEG and TIFF keep IPTC."""

import struct
from collections.abc import Iterator

MARK = b"8BIM"
IPTC = 0x0404
# Small pictures of the photo, old and new kind.
THUMBNAILS = {0x0409, 0x040C}
# What is stored elsewhere, too: profile, EXIF twice, XMP.
COPIES = {0x040F, 0x0422, 0x0423, 0x0424}


def resource(number: int, data: bytes) -> bytes:
    """A resource without a name."""
    padding = b"\0" * (len(data) % 2)
    return MARK + struct.pack(">HHI", number, 0, len(data)) + data + padding


def resources(block: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, contents and whole bytes of each resource, up to the first that is malformed."""
    at = 0
    while block[at : at + 4] == MARK and at + 7 < len(block):
        (number,) = struct.unpack_from(">H", block, at + 4)
        named = at + 6
        start = named + 1 + block[named]
        start += (start - named) % 2
        if start + 4 > len(block):
            return
        (size,) = struct.unpack_from(">I", block, start)
        end = start + 4 + size
        if end > len(block):
            return
        yield number, block[start + 4 : end], block[at : end + size % 2]
        at = end + size % 2


def iptc_of(block: bytes) -> bytes:
    """The IPTC records among resources; empty without any."""
    return next((data for number, data, _ in resources(block) if number == IPTC), b"")


def without_iptc(block: bytes) -> bytes:
    """The other resources."""
    return b"".join(whole for number, _, whole in resources(block) if number != IPTC)


def without_thumbnails(block: bytes, keeps_them: bool) -> tuple[bytes, tuple[str, ...]]:
    """Resources less copies of other blocks and small pictures, and the names of the latter."""
    dropped = COPIES if keeps_them else COPIES | THUMBNAILS
    parts = [(number, whole) for number, _, whole in resources(block)]
    kept = b"".join(whole for number, whole in parts if number not in dropped)
    has_picture = any(number in THUMBNAILS for number, _ in parts) and not keeps_them
    return kept, ("Photoshop thumbnail",) if has_picture else ()
