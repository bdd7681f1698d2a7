"""What a photo's file says of it, before and after: which tags are lost, changed or no longer true.

Tags that describe the file, or how its pixels are coded, may differ; the tables below name them.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exiftool import Tags

# Groups of exiftool that describe the file, the coding or the reader.
OF_FILE = {"SourceFile", "ExifTool", "System", "File", "Composite", "JFIF", "Adobe", "RIFF"}
# Of boxes of HEIF and AVIF, and of pictures that follow the first one.
OF_CONTAINER = ("QuickTime", "Meta", "Item", "Track", "MPF", "MPImage", "SubIFD", "IFD2", "IFD3")
# Of the numbers in a profile; whether colours are right is seen in the pixels.
OF_COLOURS = ("ICC", "PNG-cICP")
# In any group: how pixels are coded, where parts lie in the file, and their lengths.
OF_CODING = {
    "BitDepth", "BitsPerSample", "ColorType", "Compression", "Filter", "Interlace", "Palette",
    "Transparency", "BackgroundColor", "SignificantBits", "PhotometricInterpretation", "Predictor",
    "PlanarConfiguration", "SamplesPerPixel", "SampleFormat", "FillOrder", "ColorMap", "T4Options",
    "ExtraSamples", "RowsPerStrip", "StripOffsets", "StripByteCounts", "TileWidth", "TileLength",
    "TileOffsets", "TileByteCounts", "JPEGTables", "YCbCrSubSampling", "YCbCrPositioning",
    "YCbCrCoefficients", "ReferenceBlackWhite", "SubfileType", "OldSubfileType", "InkSet",
    "PageNumber", "FreeOffsets", "FreeByteCounts", "MinSampleValue", "MaxSampleValue",
    "Gamma", "SRGBRendering", "WhitePointX", "WhitePointY", "RedX", "RedY", "GreenX", "GreenY",
    "BlueX", "BlueY", "WhitePoint", "PrimaryChromaticities", "TransferFunction", "HalftoneHints",
    "AnimationFrames", "AnimationPlays", "T6Options", "Thresholding", "NumberofInks",
    "ThumbnailOffset", "ThumbnailLength", "PreviewImageStart", "PreviewImageLength",
    "OtherImageStart", "OtherImageLength", "JpgFromRawStart", "JpgFromRawLength", "OffsetSchema",
    "ProfileName", "VP8Version", "WebP_Flags", "HorizontalScale", "VerticalScale", "PixelFormat",
}  # fmt: skip
# What an upright picture makes untrue, and its correct values are checked for.
SIZES = {
    "IFD0:ImageWidth": 0,
    "IFD0:ImageHeight": 1,
    "ExifIFD:ExifImageWidth": 0,
    "ExifIFD:ExifImageHeight": 1,
    "InteropIFD:RelatedImageWidth": 0,
    "InteropIFD:RelatedImageHeight": 1,
    "XMP-tiff:ImageWidth": 0,
    "XMP-tiff:ImageHeight": 1,
    "XMP-exif:ExifImageWidth": 0,
    "XMP-exif:ExifImageHeight": 1,
}
ORIENTATIONS = ("IFD0:Orientation", "XMP-tiff:Orientation")
COMMENT = "File:Comment"
SIZE_NAMES = {"ImageWidth", "ImageHeight", "ImageSize", "Orientation"}
# What says that more than one picture is in the file.
POINTERS = ("MPF", "MPImage", "XMP-hdrgm", "XMP-Container", "XMP-GContainer")
VIDEO_POINTERS = {
    "XMP-GCamera:MotionPhoto",
    "XMP-GCamera:MicroVideo",
    "XMP-GCamera:MicroVideoOffset",
}
START_OF_SCAN, END = 0xDA, 0xD9


@dataclass
class TagChanges:
    """How a result's tags differ from its photo's.

    Attributes:
        lost: names of lost tags, by group.
        is_whole: groups of which nothing is left.
        changed: both values by the tag's full name, shortened.
        stale: what is not true of the result.
    """

    lost: dict[str, list[str]] = field(default_factory=dict)
    is_whole: list[str] = field(default_factory=list)
    changed: dict[str, list[str]] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)


def compare_tags(photo: Tags, result: Tags, out: Path) -> TagChanges:
    """Compare a photo's tags with those of the result, which lies at `out`."""
    changes = TagChanges()
    before, after = (_of_photo(tags) for tags in (photo, result))
    groups = {name.partition(":")[0] for name in after}
    for name, value in before.items():
        group, _, tag = name.partition(":")
        group = name if name == COMMENT else group
        if name not in after:
            changes.lost.setdefault(group, []).append(tag)
        elif not _is_same(value, after[name]) and name not in (*SIZES, *ORIENTATIONS):
            changes.changed[name] = [str(value)[:60], str(after[name])[:60]]
    changes.is_whole = sorted(changes.lost.keys() - groups)
    changes.stale = [*_stale(photo, result), *_pointing_nowhere(result, out)]
    return changes


def _of_photo(tags: Tags) -> Tags:
    """What is to be kept."""
    return {name: value for name, value in tags.items() if _is_of_photo(name)}


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values are equal, but for how fractions are rounded."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-5)
    return bool(one == other)


def _is_of_photo(name: str) -> bool:
    group, _, tag = name.partition(":")
    if name == COMMENT:
        return True
    if group in OF_FILE or group.startswith((*OF_CONTAINER, *OF_COLOURS)):
        return False
    if tag in SIZE_NAMES and name not in SIZES and name not in ORIENTATIONS:
        return False
    return tag not in OF_CODING and not (group == "PNG" and tag.startswith("Palette"))


def _stale(photo: Tags, result: Tags) -> list[str]:
    """Sizes that were true of the photo and are not of the result, and a turn that is done."""
    before, after = (_file_size(tags) for tags in (photo, result))
    stale = [
        name
        for name, side in SIZES.items()
        if name in result
        and photo.get(name) in before
        and before[side] is not None
        and result[name] != after[side]
    ]
    return stale + [name for name in ORIENTATIONS if result.get(name, 1) not in (1, 0, "")]


def _file_size(tags: Tags) -> tuple[int | None, int | None]:
    """Width and height as the coded picture has them."""
    for group in ("File", "PNG", "RIFF", "IFD0"):
        if f"{group}:ImageWidth" in tags:
            return tags[f"{group}:ImageWidth"], tags.get(f"{group}:ImageHeight")
    return None, None


def _pointing_nowhere(result: Tags, out: Path) -> list[str]:
    """Tags that tell of a picture or a video behind the first one, where nothing follows."""
    telling = [name for name in result if name.startswith(POINTERS) or name in VIDEO_POINTERS]
    if not telling or bytes_after_picture(out):
        return []
    return sorted({f"pointers of {name.partition(':')[0]}" for name in telling})


def bytes_after_picture(path: Path) -> int:
    """How much follows the first picture of a JPEG; 0 of other files."""
    data = path.read_bytes()
    if data[:2] != b"\xff\xd8":
        return 0
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == END:
            return len(data) - at - 2
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == START_OF_SCAN:
            at = _end_of_scan(data, at)
    return 0


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the next segment begins behind coded pixels."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2
    return len(data)
