"""Photos with all that their files hold: depth, transparency, colours, EXIF and XMP.

libvips decodes and encodes in strips, and what a network reads and writes lies in plain files on
the disk meanwhile, so that a photo of any size takes little memory.
"""

import io
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import ImageCms

from ppcn.errors import UserError
from ppcn.files.artifacts import replacing
from ppcn.photos.color import LUMA_WEIGHTS
from ppcn.photos.decode import DAMAGE, decode_heif, is_heif, open_heif, read_photo
from ppcn.photos.metadata import EXIF_MARK, Metadata, exif_of_tiff, insert_metadata

Subsampling = Literal["auto", "4:4:4", "4:2:0"]

# How each kind of file is written, by its suffix.
KINDS = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".tif": "tiff", ".tiff": "tiff"}
KINDS |= {".webp": "webp"}
# Largest side that a kind of file can have, px.
LARGEST_SIDE = {"jpeg": 65500, "webp": 16383}
LARGEST_TIFF = 4_000_000_000
# What libvips may take a photo for, whatever its name; some others would run other programs.
LOADERS = ("jpegload", "pngload", "tiffload", "webpload", "heifload")
# Larger photos are rather an attack, px.
LARGEST = 1_000_000_000
# From this JPEG quality on, colours are as sharp as brightness.
SHARP_COLOURS = 90
PROFILE = "icc-profile-data"
# First row and column, and pixels.
Piece = tuple[int, int, NDArray[np.float32]]
COLOURS = {"srgb", "rgb", "rgb16", "b-w", "grey16", "cmyk"}

logging.getLogger("pyvips").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Form:
    """How pictures are written.

    Attributes:
        quality: of JPEG and WebP, 1..100.
        subsampling: of JPEG's colours; "auto" is 4:4:4 from quality 90 on, else 4:2:0.
    """

    quality: int = 95
    subsampling: Subsampling = "auto"


class RawPhoto:
    """RGB pixels in a plain file, row after row.

    Args:
        path: the file.
        height: px.
        width: px.
        depth: bits a channel, 8 or 16.
    """

    def __init__(self, path: Path, height: int, width: int, depth: int) -> None:
        self.path, self.height, self.width = path, height, width
        self.depth, self.white = depth, 2**depth - 1
        self.dtype = np.dtype(np.uint8 if depth == 8 else np.uint16)

    def read(self, top: int, bottom: int) -> NDArray[Any]:
        """Rows top to bottom, (bottom - top, width, 3)."""
        row = self.width * 3
        start = top * row * self.dtype.itemsize
        found = np.fromfile(self.path, self.dtype, (bottom - top) * row, offset=start)
        return found.reshape(-1, self.width, 3)

    def write(self, pieces: Iterable[Piece]) -> None:
        """Write all pixels, in pieces that cover them.

        Args:
            pieces: first row, first column, and pixels (rows, columns, 3) in [0, 1]; what
                overshoots is clipped.
        """
        with self.path.open("wb") as file:
            for top, left, pixels in pieces:
                levels = np.rint(pixels.clip(0, 1) * np.float32(self.white)).astype(self.dtype)
                for row, line in enumerate(levels, start=top):
                    file.seek((row * self.width + left) * 3 * self.dtype.itemsize)
                    file.write(line.tobytes())

    def enlarged(self, path: Path, scale: int) -> "RawPhoto":
        """Room for a picture of so many times the size, of the same depth."""
        return RawPhoto(path, self.height * scale, self.width * scale, self.depth)

    def image(self) -> pyvips.Image:
        """The same for libvips."""
        kind = "uchar" if self.depth == 8 else "ushort"
        raw = pyvips.Image.rawload(str(self.path), self.width, self.height, 3, format=kind)
        return raw.copy(interpretation="srgb" if self.depth == 8 else "rgb16")


class PhotoFile:
    """A photo of which the header was read.

    Raises:
        UserError: the file is missing, damaged, no photo, implausibly large, or of a kind that
            cannot be kept, such as 32 bits a channel.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            what = "not a file" if path.exists() else "no such photo"
            raise UserError(f"{path}: {what}")
        if not path.stat().st_size:
            raise UserError(f"{path}: an empty file; remove it")
        self._own, self.metadata = self._read_header()
        image = self._upright()
        self.height, self.width = image.height, image.width
        if self.height * self.width > LARGEST:
            raise UserError(f"{path}: more than a billion pixels; reduce the photo first")
        if image.format not in ("uchar", "ushort") or image.interpretation not in COLOURS:
            stored = f"{image.interpretation} pixels of kind {image.format}"
            raise UserError(f"{path}: stores {stored}; save it as RGB of 8 or 16 bits a channel")
        self.has_alpha = image.hasalpha()

    def unpack(self, scratch: Path) -> RawPhoto:
        """Write the photo as upright sRGB to a plain file in the folder `scratch`.

        Its depth is the photo's, and 16 bits where colours had to be converted.

        Raises:
            UserError: the photo is damaged.
        """
        with _refusing(self.path):
            image = self._as_srgb(self._colours(self._upright()))
            depth = 8 if image.format == "uchar" else 16
            raw = RawPhoto(scratch / "photo.raw", self.height, self.width, depth)
            image.rawsave(str(raw.path), keep="none")
            return raw

    def pack(
        self, result: RawPhoto, out: Path, form: Form, scratch: Path, strength: float = 1.0
    ) -> None:
        """Write a picture made of this photo, in its colours and with all else of its file.

        What a network changed, as far as `strength` goes, is added to the photo's own pixels: so
        colours outside sRGB are kept, and at strength 0 the pixels are the same.

        Args:
            result: upright sRGB, of the photo's size or larger.
            out: file to write; its suffix names the kind.
            form: quality.
            scratch: folder for what lies on the disk meanwhile.
            strength: 0..1; of results of the photo's size.

        Raises:
            UserError: the kind of file cannot hold the picture, or the photo is damaged.
        """
        kind = self._kind(out, result)
        with _refusing(self.path):
            own = self._upright()
            changed = self._in_own_colours(result.image(), scratch)
            picture = changed
            larger = result.width // self.width
            if larger == 1 and (strength < 1 or self._profile):
                base = self._colours(own)
                before = self._in_own_colours(self._as_srgb(base), scratch)
                picture = base + (changed - before) * strength
            # The cast clips.
            picture = picture.rint().cast(own.format)
            if self.has_alpha:
                alpha = own[own.bands - 1]
                picture = picture.bandjoin(alpha.resize(larger) if larger > 1 else alpha)
            picture = self._described(picture, own)
            metadata = self.metadata.for_picture(result.width, result.height, strength == 0)
            with replacing(out) as temporary:
                _save(picture, temporary, kind, form)
                insert_metadata(temporary, metadata, kind)

    def _read_header(self) -> tuple[pyvips.Image | None, Metadata]:
        """Pixels, where libvips cannot read them itself, and metadata."""
        with _refusing(self.path):
            if is_heif(self.path):
                return _read_heif(self.path)
            if self.path.open("rb").read(2) == b"BM":
                return pyvips.Image.new_from_array(read_photo(self.path)), Metadata()
            image = self._load("sequential")
            xmp, exif = (_blob(image, f"{name}-data") or b"" for name in ("xmp", "exif"))
            if image.get("vips-loader").startswith("tiff"):
                exif = exif_of_tiff(self.path)
            return None, Metadata(exif.removeprefix(EXIF_MARK), xmp)

    def _upright(self) -> pyvips.Image:
        """Read the file anew, for its rows can be read only once."""
        if self._own is not None:
            return self._own
        with _refusing(self.path):
            image = self._load("sequential")
            if _orientation(image) > 2:
                image = self._load("random")
            return image.autorot()

    def _load(self, access: str) -> pyvips.Image:
        image = pyvips.Image.new_from_file(str(self.path), access=access, fail_on="error")
        if not image.get("vips-loader").startswith(LOADERS):
            raise UserError(f"{self.path}: not a photo that can be read")
        return image

    def _colours(self, image: pyvips.Image) -> pyvips.Image:
        """Without transparency; of CMYK its RGB."""
        if image.hasalpha():
            image = image[: image.bands - 1] if image.bands > 2 else image[0]
        if image.interpretation == "cmyk":
            return image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=8)
        return image

    @cached_property
    def _profile(self) -> bytes | None:
        """The ICC profile, where colours are not sRGB."""
        image = self._upright()
        profile = _blob(image, PROFILE)
        if image.interpretation == "cmyk" or not profile:
            return None
        try:
            opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if opened.profile.xcolor_space.strip() != "RGB":
                return None
            return None if "sRGB" in ImageCms.getProfileDescription(opened) else profile
        except (OSError, ImageCms.PyCMSError):
            return None

    def _as_srgb(self, image: pyvips.Image) -> pyvips.Image:
        if image.bands == 1:
            return image.bandjoin([image, image]).copy(
                interpretation="srgb" if image.format == "uchar" else "rgb16"
            )
        if not self._profile:
            return image
        return image.icc_transform("srgb", embedded=True, depth=16, intent="relative")

    def _in_own_colours(self, image: pyvips.Image, scratch: Path) -> pyvips.Image:
        """Turn sRGB into what the photo stores; numbers stay as precise as they are."""
        stored = self._upright()
        if stored.interpretation in ("b-w", "grey16"):
            image = image.recomb([list(LUMA_WEIGHTS)])
        elif self._profile:
            profile = scratch / "photo.icc"
            profile.write_bytes(self._profile)
            image = image.icc_transform(
                str(profile), input_profile="srgb", depth=16, intent="relative"
            )
        depth = 65535 if image.format == "ushort" or self._profile else 255
        wanted = 65535 if stored.format == "ushort" else 255
        return image if depth == wanted else image * (wanted / depth)

    def _described(self, picture: pyvips.Image, own: pyvips.Image) -> pyvips.Image:
        """Give the picture the photo's resolution and profile."""
        grey = own.interpretation in ("b-w", "grey16")
        names = {("uchar", True): "b-w", ("ushort", True): "grey16", ("uchar", False): "srgb"}
        picture = picture.copy(
            interpretation=names.get((own.format, grey), "rgb16"), xres=own.xres, yres=own.yres
        )
        profile = _blob(own, PROFILE)
        if own.interpretation != "cmyk" and profile:
            _set_blob(picture, PROFILE, profile)
        return picture

    def _kind(self, out: Path, result: RawPhoto) -> str:
        kind = KINDS[out.suffix.lower()]
        side, name = max(result.width, result.height), kind.upper()
        if side > LARGEST_SIDE.get(kind, side):
            limit = LARGEST_SIDE[kind]
            raise UserError(
                f"{out}: {name} holds {limit} px a side at most, not {side}; write TIFF"
            )
        if kind == "jpeg" and self.has_alpha:
            raise UserError(f"{out}: JPEG holds no transparency; write PNG, TIFF or WebP")
        return kind


def write_comparison(before: RawPhoto, after: RawPhoto, out: Path) -> None:
    """Write a photo and what was made of it side by side, as a JPEG."""
    left = before.image().resize(after.width / before.width)
    both = _eight_bits(left.join(after.image(), "horizontal"))
    largest = max(both.width, both.height)
    if largest > LARGEST_SIDE["jpeg"]:
        both = both.resize(LARGEST_SIDE["jpeg"] / largest)
    with replacing(out) as temporary:
        both.jpegsave(str(temporary), Q=90)


def _read_heif(path: Path) -> tuple[pyvips.Image, Metadata]:
    try:
        file = open_heif(path)
        stored = decode_heif(path, file)
    except DAMAGE as error:
        what = " ".join(str(error).split())
        raise UserError(f"{path}: damaged photo ({what}); replace or remove it") from None
    pixels = np.asarray(stored.pixels)
    if stored.white != 255:
        pixels = np.rint(pixels * (65535 / stored.white)).astype(np.uint16)
    image = pyvips.Image.new_from_array(pixels)
    image = image.copy(interpretation="srgb" if stored.white == 255 else "rgb16")
    if stored.profile:
        _set_blob(image, PROFILE, stored.profile)
    exif, xmp = (file.info.get(name) or b"" for name in ("exif", "xmp"))
    return image, Metadata(exif.removeprefix(EXIF_MARK), xmp)


def _save(picture: pyvips.Image, path: Path, kind: str, form: Form) -> None:
    """Encode, with the ICC profile and nothing else."""
    if kind == "jpeg":
        sharp = form.quality >= SHARP_COLOURS
        if form.subsampling != "auto":
            sharp = form.subsampling == "4:4:4"
        mode = "off" if sharp else "on"
        picture = _eight_bits(picture)
        picture.jpegsave(str(path), Q=form.quality, subsample_mode=mode, keep="icc")
    elif kind == "png":
        picture.pngsave(str(path), keep="icc")
    elif kind == "webp":
        _eight_bits(picture).webpsave(str(path), Q=form.quality, keep="icc")
    else:
        size = (
            picture.width
            * picture.height
            * picture.bands
            * (2 if "16" in picture.interpretation else 1)
        )
        picture.tiffsave(
            str(path),
            compression="deflate",
            predictor="horizontal",
            bigtiff=size > LARGEST_TIFF,
            keep="icc",
        )


def _eight_bits(picture: pyvips.Image) -> pyvips.Image:
    if picture.format == "uchar":
        return picture
    name = "b-w" if picture.interpretation == "grey16" else "srgb"
    return (picture / 257).rint().cast("uchar").copy(interpretation=name)


def _orientation(image: pyvips.Image) -> int:
    return int(image.get("orientation")) if image.get_typeof("orientation") else 1


def _blob(image: pyvips.Image, name: str) -> bytes | None:
    return image.get(name) if image.get_typeof(name) else None


def _set_blob(image: pyvips.Image, name: str, data: bytes) -> None:
    image.set_type(pyvips.GValue.blob_type, name, data)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn whatever is wrong with a photo into one sentence."""
    try:
        yield
    except PermissionError:
        raise UserError(f"{path}: may not be read; change its permissions") from None
    except pyvips.Error as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        if any("not a known file format" in line for line in lines):
            raise UserError(f"{path}: not a photo that can be read") from None
        if any("No space left" in line for line in lines):
            raise UserError("no space left on the disk; free some and run again") from None
        what = lines[1] if len(lines) > 1 else lines[0]
        raise UserError(f"{path}: damaged photo ({what}); replace or remove it") from None
