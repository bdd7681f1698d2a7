"""PNG files: chunks before and behind the picture."""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from ppcn.photos.containers.rewriting import rewriting
from ppcn.photos.exif import EXIF_MARK, orientation_in
from ppcn.photos.header import UNKNOWN_LAYOUT, ColorTags, Density, Header, Metadata
from ppcn.photos.photoshop import IPTC, MARK, resource

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = b"XML:com.adobe.xmp"
RAW_KEYWORD = b"Raw profile type "
COLORS = (b"cICP", b"sRGB", b"gAMA", b"cHRM")
TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"tIME")
# What concerns the stored pixels, or is written anew.
OF_PIXELS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"pHYs", b"bKGD", b"hIST", b"sBIT"}
OF_PIXELS |= {b"iCCP", b"eXIf", b"sTER", b"sPLT", b"mDCV", b"cLLI"}
ANIMATION = {b"acTL", b"fcTL", b"fdAT"}
# Texts, profiles and EXIF are small; what unfolds to more is an attack, bytes.
LARGEST_TEXT = 64 * 2**20


def read_png(path: Path) -> Header:
    """Read a PNG file, less its pixels and their layout."""
    with path.open("rb") as file:
        chunks = [*_chunks(file)]
    metadata, color = Metadata(), ColorTags()
    others = []
    for name, data in chunks:
        metadata = _with_text(metadata, name, data) if name in TEXTS else metadata
        color = _with_color(color, name, data)
        if name == b"pHYs" and len(data) == 9:
            x, y, unit = struct.unpack(">IIB", data)
            density = Density(x, y, "metre" if unit else "none") if x and y else None
            metadata = replace(metadata, density=density)
        if name == b"eXIf":
            metadata = replace(metadata, exif=data.removeprefix(EXIF_MARK))
        elif name in ANIMATION:
            others.append("further frames")
        elif name not in OF_PIXELS and name not in (*COLORS, *TEXTS):
            others.append(f"PNG chunk {name.decode('ascii', 'replace')}")
    described = tuple(_chunk(name, data) for name, data in chunks if name in COLORS)
    metadata = replace(metadata, profile=color.profile)
    metadata = replace(metadata, chunks=() if color.profile else described)
    unique = tuple(dict.fromkeys(others))
    return Header(UNKNOWN_LAYOUT, color, metadata, orientation_in(metadata.exif), unique)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Name and contents of every chunk, less the coded picture's contents."""
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        if name in (b"IDAT", b"fdAT") or size > LARGEST_TEXT:
            file.seek(size, 1)
            data = b""
        else:
            data = file.read(size)
        yield name, data
        file.seek(4, 1)
        if name == b"IEND":
            return


def _with_color(color: ColorTags, name: bytes, data: bytes) -> ColorTags:
    """What a chunk adds to the description of colours; cICP goes before iCCP, and so on."""
    if name == b"iCCP":
        return replace(color, profile=_unfolded(data.partition(b"\0")[2][1:]))
    if name == b"cICP" and len(data) == 4:
        return replace(color, codes=(data[0], data[1]), codes_first=True)
    if name == b"sRGB" and not color.codes:
        return replace(color, codes=(1, 13))
    if name == b"gAMA" and len(data) == 4 and any(data):
        return replace(color, gamma=100_000 / int.from_bytes(data, "big"))
    if name == b"cHRM" and len(data) == 32:
        return replace(color, primaries=tuple(x / 100_000 for x in struct.unpack(">8i", data)))
    return color


def _with_text(metadata: Metadata, name: bytes, data: bytes) -> Metadata:
    """What a chunk of text adds: XMP and packed profiles have their own places."""
    keyword, text = _text_of(name, data)
    if keyword == XMP_KEYWORD:
        return replace(metadata, xmp=text)
    if keyword.startswith(RAW_KEYWORD):
        content = _raw_profile(text)
        kind = keyword.removeprefix(RAW_KEYWORD).lower()
        if content and kind in (b"exif", b"app1") and content.startswith(EXIF_MARK):
            return replace(metadata, exif=metadata.exif or content.removeprefix(EXIF_MARK))
        if content and kind in (b"xmp", b"app1"):
            return replace(metadata, xmp=metadata.xmp or content.partition(b"\0")[2] or content)
        if content and kind in (b"iptc", b"8bim"):
            whole = content if content.startswith(MARK) else resource(IPTC, content)
            return replace(metadata, photoshop=metadata.photoshop or whole)
    return replace(metadata, texts=(*metadata.texts, _chunk(name, data)))


def _text_of(name: bytes, data: bytes) -> tuple[bytes, bytes]:
    """Keyword and text of a chunk."""
    keyword, _, rest = data.partition(b"\0")
    if name == b"zTXt":
        return keyword, _unfolded(rest[1:])
    if name == b"iTXt":
        is_packed = rest[:1] == b"\1"
        text = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
        return keyword, _unfolded(text) if is_packed else text
    return keyword, rest


def _unfolded(data: bytes) -> bytes:
    """Deflated bytes; empty where they are damaged or implausibly large."""
    inflate = zlib.decompressobj()
    try:
        unfolded = inflate.decompress(data, LARGEST_TEXT)
    except zlib.error:
        return b""
    return b"" if inflate.unconsumed_tail else unfolded


def _raw_profile(text: bytes) -> bytes:
    """Bytes that ImageMagick and others write as lines of a name, a length and hexadecimals."""
    lines = re.fullmatch(rb"\s*([^\n]*)\n\s*(\d+)\s*\n([0-9a-fA-F\s]*)", text)
    if not lines:
        return b""
    digits = re.sub(rb"\s", b"", lines[3])
    return bytes.fromhex(digits[: len(digits) & ~1].decode())[: int(lines[2])]


def insert_into_png(path: Path, metadata: Metadata) -> None:
    """Put metadata into a PNG file that has none."""
    chunks = [*metadata.chunks]
    if metadata.profile:
        chunks.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.profile)))
    if metadata.exif:
        chunks.append(_chunk(b"eXIf", metadata.exif))
    if metadata.xmp:
        chunks.append(_chunk(b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + metadata.xmp))
    if metadata.photoshop:
        chunks.append(_chunk(b"zTXt", _packed_profile(b"iptc", metadata.photoshop)))
    if density := metadata.density:
        x, y = (min(max(round(value), 1), 2**31 - 1) for value in density.per("metre"))
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", x, y, density.unit != "none")))
    with rewriting(path) as (source, target):
        signature_and_header = source.read(8 + 25)
        target.write(signature_and_header)
        target.write(b"".join([*chunks, *metadata.texts]))
        # libvips writes a density, whether there was one or not.
        at = source.tell()
        size, name = struct.unpack(">I4s", source.read(8))
        source.seek(at + (12 + size if name == b"pHYs" else 0))


def _packed_profile(kind: bytes, content: bytes) -> bytes:
    digits = content.hex().encode()
    lines = b"\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    text = b"\n%s\n%8d\n%s\n" % (kind, len(content), lines)
    return RAW_KEYWORD + kind + b"\0\0" + zlib.compress(text)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
