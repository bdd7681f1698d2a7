"""TIFF files: what their first directory says."""

import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

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
from ppcn.photos.header import UNKNOWN_LAYOUT, ColorTags, Density, Header, Metadata, Unit
from ppcn.photos.photoshop import IPTC, iptc_of, resource, without_iptc
from ppcn.photos.tiff_directories import BIG_MARKS, SUB_DIRECTORIES, Directory, first_directory

STRIPS, ORIENTATION, EXTRA_SAMPLES = 273, 274, 338
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
UNITS: Mapping[int, Unit] = {1: "none", 2: "inch", 3: "cm"}
# Kinds of channels beyond the colours.
ASSOCIATED, STRAIGHT = 1, 2
# No block of a photo's is larger, bytes.
LARGEST = 64 * 2**20
# Bytes of pixels that leave room for the rest in a file whose offsets have 32 bits.
LARGEST_CLASSIC = 4_000_000_000
LINK_TO_EXIF, LINK_TO_PLACE = 34665, 34853


def read_tiff(path: Path) -> Header:
    """Read a TIFF file, less the layout of its pixels, but for what follows the colours."""
    with path.open("rb") as file:
        directory = first_directory(file)
        if directory is None:
            return Header(UNKNOWN_LAYOUT)
        profile = directory.value(PROFILE_TAG, LARGEST)
        resources = directory.value(PHOTOSHOP_TAG, LARGEST)
        iptc = directory.value(IPTC_TAG, LARGEST) or iptc_of(resources)
        exif = exif_of_tiff(path)
        metadata = Metadata(
            exif or b"",
            directory.value(XMP_TAG, LARGEST),
            photoshop=without_iptc(resources) + (resource(IPTC, iptc) if iptc else b""),
            profile=profile,
            density=_density(directory),
        )
        # Without a word on it, a fourth channel of RGB is transparency to most programs.
        first = directory.number(EXTRA_SAMPLES, STRAIGHT)
        has_alpha, is_associated = first in (ASSOCIATED, STRAIGHT), first == ASSOCIATED
        layout = replace(UNKNOWN_LAYOUT, has_alpha=has_alpha, is_associated=is_associated)
        orientation = directory.number(ORIENTATION, 1)
        orientation = orientation if 1 <= orientation <= 8 else 1
        others = ["further pages"] if directory.following else []
        others += ["EXIF that cannot be read"] if exif is None else []
        others += ["smaller pictures"] if SUB_DIRECTORIES in directory.entries else []
        return Header(layout, ColorTags(profile), metadata, orientation, tuple(others))


def _density(directory: Directory) -> Density | None:
    x, y = directory.ratio(X_RESOLUTION), directory.ratio(Y_RESOLUTION)
    unit = directory.number(RESOLUTION_UNIT, 2)
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
