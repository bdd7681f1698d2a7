"""WebP files: chunks of a RIFF file."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ppcn.photos.containers.rewriting import rewriting
from ppcn.photos.exif import EXIF_MARK, orientation_in
from ppcn.photos.header import UNKNOWN_LAYOUT, ColorTags, Header, Metadata

OF_PIXELS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH"}
ANIMATION = {b"ANIM", b"ANMF"}
CARRIED = {b"EXIF": 8, b"XMP ": 4, b"ICCP": 0x20}
"""Chunks that a result has, too, and their flags in VP8X."""
ALPHA = 0x10
LARGEST = 64 * 2**20


def read_webp(path: Path) -> Header:
    """Read a WebP file, less its pixels and their layout."""
    blocks = {name: b"" for name in CARRIED}
    others = []
    with path.open("rb") as file:
        for name, size in _chunks(file):
            if name in CARRIED and not blocks[name] and size <= LARGEST:
                blocks[name] = file.read(size)
            elif name in ANIMATION:
                others.append("further frames")
            elif name not in OF_PIXELS and name not in CARRIED:
                others.append(f"WebP chunk {name.decode('ascii', 'replace').strip()}")
    exif, xmp, profile = blocks[b"EXIF"].removeprefix(EXIF_MARK), blocks[b"XMP "], blocks[b"ICCP"]
    metadata = Metadata(exif, xmp, profile=profile)
    unique = tuple(dict.fromkeys(others))
    return Header(UNKNOWN_LAYOUT, ColorTags(profile), metadata, orientation_in(exif), unique)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk, at the beginning of its contents."""
    file.seek(8)
    end = file.seek(0, 2)
    at = 12
    while at + 8 <= end:
        file.seek(at)
        name, size = struct.unpack("<4sI", file.read(8))
        yield name, size
        at += 8 + size + size % 2


def insert_into_webp(path: Path, metadata: Metadata) -> None:
    """Put metadata into a WebP file that has none.

    A file with metadata begins with a VP8X chunk, which says so.
    """
    with path.open("rb") as file:
        pixels = []
        for name, size in _chunks(file):
            if name in OF_PIXELS:
                pixels.append((name, file.read(size)))
    named = ((b"EXIF", metadata.exif), (b"XMP ", metadata.xmp), (b"ICCP", metadata.profile))
    blocks = {name: data for name, data in named if data}
    flags = sum(CARRIED[name] for name in blocks)
    extended = _extended_header(pixels, flags)
    chunks = [(b"VP8X", extended)]
    chunks += [(b"ICCP", blocks[b"ICCP"])] if b"ICCP" in blocks else []
    chunks += [(name, data) for name, data in pixels if name != b"VP8X"]
    chunks += [(name, blocks[name]) for name in (b"EXIF", b"XMP ") if name in blocks]
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for name, data in chunks
    )
    with rewriting(path) as (source, target):
        source.seek(0, 2)
        target.write(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body)


def _extended_header(pixels: list[tuple[bytes, bytes]], flags: int) -> bytes:
    """The contents of VP8X: what the file holds, and the picture's size."""
    by_name = dict(pixels)
    if b"VP8X" in by_name:
        old = by_name[b"VP8X"]
        return bytes([old[0] | flags]) + old[1:]
    if b"VP8L" in by_name:
        (bits,) = struct.unpack_from("<I", by_name[b"VP8L"], 1)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags |= ALPHA if bits >> 28 & 1 else 0
    else:
        width, height = (x & 0x3FFF for x in struct.unpack_from("<HH", by_name[b"VP8 "], 6))
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return bytes([flags, 0, 0, 0]) + size
