"""The photo formats: one row each, from which all that depends on the format follows.

A new format is a row of `FORMATS` and a reader in `ppcn.photos.readers`; what its files hold beside
pixels is read and written by a module of `ppcn.photos.containers`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ppcn.errors import UserError
from ppcn.photos.camera_raw import RAW_SUFFIXES, is_raw, may_be_raw
from ppcn.photos.containers.jpeg_file import insert_into_jpeg, jpeg_problem, read_trailer
from ppcn.photos.containers.png_file import insert_into_png
from ppcn.photos.containers.tiff_file import insert_into_tiff, tiff_problem
from ppcn.photos.containers.webp_file import insert_into_webp
from ppcn.photos.header import Content, Metadata
from ppcn.photos.readers import (
    OpenPhoto,
    open_avif,
    open_bmp,
    open_heif,
    open_jpeg,
    open_png,
    open_raw,
    open_tiff,
    open_webp,
)

Subsampling = Literal["auto", "4:4:4", "4:2:0"]

# First bytes of a file, by which its format is recognised.
HEAD = 64
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1"}
AVIF_BRANDS = {b"avif", b"avis"}
# From this JPEG quality on, colours are as sharp as brightness.
SHARP_COLOURS = 90


@dataclass(frozen=True)
class EncodeOptions:
    """How pictures are written.

    Attributes:
        quality: of JPEG and WebP, 1..100.
        subsampling: of JPEG's colours; "auto" is 4:4:4 from quality 90 on, else 4:2:0.
    """

    quality: int = 95
    subsampling: Subsampling = "auto"


@dataclass(frozen=True)
class Writer:
    """How libvips writes a format; metadata are inserted afterwards.

    Attributes:
        saver: libvips' function.
        settings: its arguments, by the options and by whether the pixels exceed `largest_file`.
        insert: puts metadata into a file that has none.
        problem: why a file with so many bytes of pixels cannot hold metadata; None if it can.
    """

    saver: str
    settings: Callable[[EncodeOptions, bool], dict[str, Any]]
    insert: Callable[[Path, Metadata], None]
    problem: Callable[[Metadata, int], str | None] = lambda metadata, size: None


@dataclass(frozen=True)
class PhotoFormat:
    """One format.

    Attributes:
        name: as it is shown.
        suffixes: of file names, in lower case; photos are written with the first one.
        magic: whether a file that begins with these bytes (64 at most) is of the format, or may
            be, where there is a `confirm`.
        open: reads the header of a file, and its pixels later.
        holds: what its files may hold beside colours of 8 bits.
        confirm: looks further into a file whose first bytes do not tell.
        writer: writes it.
        becomes: name of the format that is written in its place, where it is not written itself.
        trailer: the gain map behind the picture, and names of what else is there.
        largest_side: px.
        largest_file: bytes of pixels that a file can hold, unless its writer takes measures.
    """

    name: str
    suffixes: tuple[str, ...]
    magic: Callable[[bytes], bool]
    open: Callable[[Path], OpenPhoto]
    holds: frozenset[Content] = frozenset()
    confirm: Callable[[Path], bool] | None = None
    writer: Writer | None = None
    becomes: str | None = None
    trailer: Callable[[Path], tuple[bytes, tuple[str, ...]]] | None = None
    largest_side: int | None = None
    largest_file: int | None = None


def _begins_with(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(starts)


def _brands(head: bytes) -> set[bytes]:
    """The brands in the type box of an ISO media file, such as AVIF and HEIF."""
    size = int.from_bytes(head[:4], "big")
    return {head[at : at + 4] for at in range(8, min(size, len(head)), 4)}


def _is_avif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and bool(_brands(head) & AVIF_BRANDS)


def _is_heif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and bool(_brands(head) & HEIF_BRANDS) and not _is_avif(head)


def _is_webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def _jpeg_settings(options: EncodeOptions, is_large: bool) -> dict[str, Any]:
    sharp = options.quality >= SHARP_COLOURS
    if options.subsampling != "auto":
        sharp = options.subsampling == "4:4:4"
    return {"Q": options.quality, "subsample_mode": "off" if sharp else "on"}


def _tiff_settings(options: EncodeOptions, is_large: bool) -> dict[str, Any]:
    return {"compression": "deflate", "predictor": "horizontal", "bigtiff": is_large}


_BLOCKS: frozenset[Content] = frozenset({"EXIF", "XMP", "IPTC"})
_PIXELS: frozenset[Content] = frozenset({"transparency", "16 bits"})

FORMATS = (
    PhotoFormat(
        "AVIF",
        suffixes=(".avif",),
        magic=_is_avif,
        open=open_avif,
        holds=_BLOCKS | _PIXELS,
        becomes="JPEG",
    ),
    PhotoFormat("BMP", suffixes=(".bmp",), magic=_begins_with(b"BM"), open=open_bmp, becomes="PNG"),
    PhotoFormat(
        "HEIF",
        suffixes=(".heic", ".heif", ".hif"),
        magic=_is_heif,
        open=open_heif,
        holds=_BLOCKS | _PIXELS,
        becomes="JPEG",
    ),
    PhotoFormat(
        "JPEG",
        suffixes=(".jpg", ".jpeg"),
        magic=_begins_with(b"\xff\xd8\xff"),
        open=open_jpeg,
        holds=_BLOCKS | {"extended XMP", "comments", "gain map"},
        writer=Writer("jpegsave", _jpeg_settings, insert_into_jpeg, jpeg_problem),
        trailer=read_trailer,
        largest_side=65500,
    ),
    PhotoFormat(
        "PNG",
        suffixes=(".png",),
        magic=_begins_with(b"\x89PNG\r\n\x1a\n"),
        open=open_png,
        holds=_BLOCKS | _PIXELS | {"texts", "chunks"},
        writer=Writer("pngsave", lambda options, is_large: {}, insert_into_png),
    ),
    PhotoFormat(
        "RAW",
        suffixes=RAW_SUFFIXES,
        magic=may_be_raw,
        confirm=is_raw,
        open=open_raw,
        holds=frozenset({"16 bits", "EXIF"}),
        becomes="JPEG",
    ),
    PhotoFormat(
        "TIFF",
        suffixes=(".tiff", ".tif"),
        magic=_begins_with(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        open=open_tiff,
        holds=_BLOCKS | _PIXELS,
        writer=Writer("tiffsave", _tiff_settings, insert_into_tiff, tiff_problem),
        largest_file=4_000_000_000,
    ),
    PhotoFormat(
        "WebP",
        suffixes=(".webp",),
        magic=_is_webp,
        open=open_webp,
        holds=frozenset({"EXIF", "XMP", "transparency"}),
        writer=Writer(
            "webpsave", lambda options, is_large: {"Q": options.quality}, insert_into_webp
        ),
        largest_side=16383,
    ),
)

BY_NAME = {row.name: row for row in FORMATS}
BY_SUFFIX = {suffix: row for row in FORMATS for suffix in row.suffixes}
SUFFIXES = tuple(sorted(BY_SUFFIX))
# Suffixes of the formats that are written, one each, without the dot.
WRITTEN = tuple(row.suffixes[0].removeprefix(".") for row in FORMATS if row.writer)


def has_photo_suffix(path: Path) -> bool:
    """Whether a file is named as photos are."""
    return path.suffix.lower() in BY_SUFFIX


def recognize(path: Path) -> PhotoFormat | None:
    """The format of a file, by its first bytes."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    likely = (row for row in FORMATS if row.magic(head))
    return next((row for row in likely if row.confirm is None or row.confirm(path)), None)


def result_suffix(photo: Path, has_alpha: bool = False) -> str:
    """The suffix of what is made of a photo: its own, or that of the format it becomes.

    Args:
        photo: its name tells its format.
        has_alpha: whether it has transparency, which JPEG does not hold.
    """
    photo_format = BY_SUFFIX.get(photo.suffix.lower())
    if photo_format and photo_format.writer:
        return photo.suffix
    becomes = (photo_format and photo_format.becomes) or "JPEG"
    if has_alpha and "transparency" not in BY_NAME[becomes].holds:
        becomes = "PNG"
    return BY_NAME[becomes].suffixes[0]


def format_to_write(out: Path, side: int, has_alpha: bool) -> tuple[PhotoFormat, Writer]:
    """The format that a file's suffix names, and its writer.

    Args:
        out: the file.
        side: the picture's larger side, px.
        has_alpha: whether it is transparent somewhere.

    Raises:
        UserError: no such format is written, or it cannot hold the picture.
    """
    row = BY_SUFFIX.get(out.suffix.lower())
    if row is None or row.writer is None:
        raise UserError(f"{out}: no format to write photos in; choose from {', '.join(WRITTEN)}")
    if row.largest_side and side > row.largest_side:
        limit = f"{row.largest_side} px a side at most"
        raise UserError(f"{out}: {row.name} holds {limit}, not {side}; write TIFF")
    if has_alpha and "transparency" not in row.holds:
        *others, last = (r.name for r in FORMATS if r.writer and "transparency" in r.holds)
        advice = f"{', '.join(others)} or {last}"
        raise UserError(f"{out}: {row.name} holds no transparency; write {advice}")
    return row, row.writer
