"""Photos as programs other than this one read them: upright, 8-bit sRGB, with transparency.

Pillow reads most files, with LittleCMS for profiles; tifffile TIFF of more than 8 bits, pillow-heif
HEIC, LibRaw the raw files of cameras, and ImageMagick's `convert` gives a second opinion. Where
standards leave open what is right (rendering intents, curves of video), any of the readings is.
"""

import io
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import numpy as np
import pillow_heif
import rawpy
import tifffile
from colour_codes import Codes, codes_of
from exiftool import ExifTool, Tags
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

Level = NDArray[np.float32]
PLUGINS = ("AVIF", "BMP", "JPEG", "PNG", "TIFF", "WEBP", "HEIF")
RAW_TYPES = {"DNG", "CR2", "CR3", "NEF", "ARW", "RAF", "ORF", "RW2", "PEF", "SRW"}
OTHER_HEADS = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF")
# Sequences of AVIF and HEIF count as films.
VIDEO_TYPES = {"AVIF", "HEIC", "HEIF", "MP4", "MOV"}
CODED_TYPES = {"PNG", "APNG", *VIDEO_TYPES}
INTENTS = (
    (ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.NONE),
    (ImageCms.Intent.PERCEPTUAL, ImageCms.Flags.NONE),
    (ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION),
)
SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}
MAGICK_SECONDS = 30
MAGICK_LIMITS = ("-limit", "memory", "2GiB", "-limit", "thread", "1")

pillow_heif.register_heif_opener(thumbnails=False)


@dataclass(frozen=True)
class Reading:
    """A photo as an outside program reads it.

    Attributes:
        by: the program.
        colours: (H, W, 3) sRGB in 0..255.
        alpha: (H, W) in 0..1; None where nothing is transparent.
        is_exact: whether another reader has to come to the same result.
        is_soft: whether decoders may spread colours that are stored coarsely differently.
    """

    by: str
    colours: Level
    alpha: Level | None
    is_exact: bool = True
    is_soft: bool = False


@dataclass(frozen=True)
class Pixels:
    """A photo's own numbers, upright: an image of 8 bits, or an array (H, W) or (H, W, 3)."""

    image: Image.Image
    alpha: Level | None
    deep: Level | None = None


def is_hdr(tags: Tags) -> bool:
    """Whether a file's brightness is that of PQ or HLG."""
    codes = _codes(tags)
    return codes is not None and codes.is_hdr


def is_raw(path: Path, tags: Tags) -> bool:
    """Whether a file holds what a camera's sensor saw.

    By a DNG's tags within, exiftool takes a JPEG for a DNG.
    """
    with path.open("rb") as file:
        is_other = file.read(4).startswith(OTHER_HEADS)
    return tags.get("File:FileType") in RAW_TYPES and not is_other


def readings(path: Path, tags: Tags, exiftool: ExifTool) -> Iterator[Reading]:
    """What is right for a photo, likely readings first; nothing where no program reads it."""
    with warnings.catch_warnings(action="ignore"):
        if is_raw(path, tags):
            yield from _by_libraw(path)
            return
        codes, is_soft = _codes(tags), tags.get("File:FileType") in VIDEO_TYPES
        profile = exiftool.profile(path) if not _has_cicp(tags) else b""
        for name, pixels in _stored(path, tags):
            for colours, exact in _to_srgb(pixels, profile, codes):
                yield Reading(name, colours, pixels.alpha, exact, is_soft)
        if codes is None or codes.is_srgb() or codes.is_linear():
            yield from (replace(one, is_soft=is_soft) for one in _by_magick(path, bool(profile)))


def _has_cicp(tags: Tags) -> bool:
    return "PNG-cICP:TransferCharacteristics" in tags


def _codes(tags: Tags) -> Codes | None:
    return codes_of(tags) if tags.get("File:FileType") in CODED_TYPES else None


def _stored(path: Path, tags: Tags) -> Iterator[tuple[str, Pixels]]:
    """By Pillow, and by tifffile, which comes first where Pillow would cut bits."""
    readers = [("Pillow", _by_pillow)]
    if tags.get("File:FileType") in ("TIFF", "BTF"):
        bits = str(tags.get("IFD0:BitsPerSample", "8")).split()
        is_deep = len(bits) > 4 or max(map(int, bits)) > 8
        readers.insert(0 if is_deep else 1, ("tifffile", _by_tifffile))
    for name, read in readers:
        # An outside reader that cannot read a file has no opinion.
        with suppress(Exception):
            yield name, read(path)


def _by_pillow(path: Path) -> Pixels:
    with Image.open(path, formats=PLUGINS) as image:
        image.load()
        upright = ImageOps.exif_transpose(image)
    if upright.mode in ("F", "I"):
        raise ValueError("white is unknown")
    if upright.mode.startswith("I;16"):
        deep = np.asarray(upright, np.float32) / 65535
        return Pixels(_eight_bits(deep), None, deep)
    alpha, is_grey = None, upright.mode in ("1", "L", "LA", "La")
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        alpha = _visible(np.asarray(upright)[..., 3] / np.float32(255))
    if upright.mode not in SPACES:
        upright = upright.convert("L" if is_grey else "RGB")
    return Pixels(upright, alpha)


def _by_tifffile(path: Path) -> Pixels:
    """A TIFF of any number of bits and samples."""
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        pixels, kind = page.asarray(), page.photometric.name
        if pixels.dtype.kind not in "ub":
            raise ValueError("white is unknown")
        if page.planarconfig == 2 and page.samplesperpixel > 1:
            pixels = np.moveaxis(pixels, 0, -1)
        white = 2 ** max(np.atleast_1d(page.bitspersample)) - 1
        values = pixels.astype(np.float32) / np.float32(white)
        if kind == "PALETTE":
            values = np.moveaxis(page.colormap, 0, -1)[pixels].astype(np.float32) / 65535
        own = {"RGB": 3, "PALETTE": 3, "MINISBLACK": 1, "MINISWHITE": 1, "SEPARATED": 4}[kind]
        values = values if values.ndim == 3 else values[..., None]
        extra = [int(sample) for sample in np.atleast_1d(page.extrasamples)]
        values = _upright(values, page.tags.valueof("Orientation", 1))
    colours, alpha = values[..., :own], None
    if extra[:1] in ([1], [2]):
        alpha = _visible(values[..., own])
        if extra[0] == 1:
            colours = (colours / np.maximum(values[..., own, None], 1 / white)).clip(0, 1)
    if kind == "MINISWHITE":
        colours = 1 - colours
    if own == 4:
        return Pixels(Image.fromarray(np.rint(colours * 255).astype(np.uint8), "CMYK"), alpha)
    deep = colours[..., 0] if own == 1 else colours
    return Pixels(_eight_bits(deep), alpha, deep)


def _upright(values: Level, orientation: int) -> Level:
    """Turn (H, W, C) as EXIF's number says."""
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    values = values[:: -1 if orientation in (3, 4, 7, 8) else 1]
    return values[:, :: -1 if orientation in (2, 3, 6, 7) else 1]


def _eight_bits(deep: Level) -> Image.Image:
    return Image.fromarray(np.rint(deep.clip(0, 1) * 255).astype(np.uint8))


def _visible(alpha: Level) -> Level | None:
    """Transparency; None where there is none."""
    return None if alpha.min() >= 1 else alpha


def _by_libraw(path: Path) -> Iterator[Reading]:
    try:
        with rawpy.imread(str(path)) as raw:
            colours = raw.postprocess(use_camera_wb=True, output_bps=8)
    except Exception:
        return
    yield Reading("LibRaw", colours.astype(np.float32), None, is_exact=False)


def _to_srgb(pixels: Pixels, profile: bytes, codes: Codes | None) -> Iterator[tuple[Level, bool]]:
    """Every right result, and whether it is one of those that are exact."""
    converted = [*_by_profile(pixels.image, profile)] if profile else []
    if converted:
        yield from ((colours, True) for colours in converted)
        if pixels.image.mode != "L":
            return
    if pixels.image.mode in ("CMYK", "LAB"):
        yield _levels(_lab_or_cmyk(pixels.image)), pixels.image.mode == "LAB"
        return
    own = pixels.deep if pixels.deep is not None else _levels(pixels.image) / 255
    own = np.repeat(own[..., None], 3, axis=-1) if own.ndim == 2 else own
    if codes is None or codes.is_srgb() or profile:
        yield own * 255, True
        return
    yield from ((colours * 255, True) for colours in codes.to_srgb(own))


def _lab_or_cmyk(image: Image.Image) -> Image.Image:
    """Turn CIELAB to sRGB; and CMYK without a profile, which nobody knows, roughly."""
    if image.mode == "CMYK":
        return image.convert("RGB")
    lab = ImageCms.buildTransform(ImageCms.createProfile("LAB"), _srgb(), "LAB", "RGB")
    return lab.apply(image)


def _by_profile(image: Image.Image, profile: bytes) -> Iterator[Level]:
    """By LittleCMS; nothing where the profile is broken or of other colours."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if image.mode == "L" and space == "RGB":
            image = image.convert("RGB")
        if SPACES.get(image.mode) != space:
            return
        for intent, flags in INTENTS:
            way = ImageCms.buildTransform(source, _srgb(), image.mode, "RGB", intent, flags)
            yield _levels(way.apply(image))
    except (OSError, ImageCms.PyCMSError):
        return


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.createProfile("sRGB")


def _levels(image: Image.Image) -> Level:
    return np.asarray(image, np.float32)


def _by_magick(path: Path, has_profile: bool) -> Iterator[Reading]:
    """By ImageMagick, which converts by profiles and by gamma 1 itself."""
    command = ["convert", *MAGICK_LIMITS, f"{path}[0]", "-auto-orient"]
    command += ["-profile", _srgb_file().name] if has_profile else []
    command += ["-colorspace", "sRGB", "-depth", "8", "PNG32:-"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=MAGICK_SECONDS, check=True)
        image = Image.open(io.BytesIO(done.stdout), formats=["PNG"]).convert("RGBA")
    except (OSError, ValueError, SyntaxError, subprocess.SubprocessError):
        return
    values = np.asarray(image, np.float32)
    yield Reading("ImageMagick", values[..., :3], _visible(values[..., 3] / 255))


@cache
def _srgb_file() -> IO[bytes]:
    """A file of sRGB's profile, which is deleted when the program ends."""
    file = NamedTemporaryFile(suffix=".icc")
    file.write(ImageCms.ImageCmsProfile(_srgb()).tobytes())
    file.flush()
    return file
