"""Photos with all that their files hold: depth, transparency, colours, EXIF and XMP.

libvips decodes and encodes in strips, and what a network reads and writes lies in plain files on
the disk meanwhile, so that a photo of any size takes little memory.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image

from ppcn.errors import UserError
from ppcn.files.artifacts import replacing
from ppcn.photos.color import LUMA_WEIGHTS, describes_other_rgb
from ppcn.photos.decode import open_photo, upright_srgb
from ppcn.photos.decode_errors import check_is_file, damaged, forbidden, unknown
from ppcn.photos.exif import EXIF_MARK
from ppcn.photos.formats import (
    BY_NAME,
    EncodeOptions,
    PhotoFormat,
    Writer,
    format_to_write,
    of_vips_loader,
    recognize,
)
from ppcn.photos.metadata import Metadata
from ppcn.photos.raw_photo import RawPhoto

# Larger photos are rather an attack, px.
LARGEST = 1_000_000_000
PROFILE = "icc-profile-data"
COLOURS = {"srgb", "rgb", "rgb16", "b-w", "grey16", "cmyk"}
GREY = {"b-w", "grey16"}

logging.getLogger("pyvips").setLevel(logging.ERROR)


class PhotoFile:
    """A photo of which the header was read.

    Attributes:
        path: the file.
        height: of the upright photo, px.
        width: of the upright photo, px.
        has_alpha: whether it holds transparency.
        metadata: EXIF and XMP.

    Raises:
        UserError: the file is missing, damaged, no photo, implausibly large, or of a kind that
            cannot be kept, such as 32 bits a channel.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        check_is_file(path)
        if not path.stat().st_size:
            raise UserError(f"{path}: an empty file; remove it")
        self._decoded, self.metadata = self._read_header()
        image = self._upright()
        self.height, self.width = image.height, image.width
        if self.height * self.width > LARGEST:
            raise UserError(f"{path}: more than a billion pixels; reduce the photo first")
        if image.format not in ("uchar", "ushort") or image.interpretation not in COLOURS:
            stored = f"{image.interpretation} pixels of kind {image.format}"
            raise UserError(f"{path}: stores {stored}; save it as RGB of 8 or 16 bits a channel")
        self.has_alpha = image.hasalpha()

    def decode(self, scratch: Path) -> RawPhoto:
        """Write the photo as upright sRGB to a plain file in the folder `scratch`.

        Its depth is the photo's, and 16 bits where colours had to be converted. Invisible pixels
        have colours of visible ones.

        Raises:
            UserError: the photo is damaged.
        """
        with _vips_as_user_error(self.path):
            own = self._upright()
            image = self._as_srgb(self._colours(own))
            depth = 8 if image.format == "uchar" else 16
            raw = RawPhoto(scratch / "photo.raw", self.height, self.width, depth)
            raw.save(image, own[own.bands - 1] > 0 if self.has_alpha else None)
            return raw

    def encode(
        self,
        result: RawPhoto,
        out: Path,
        options: EncodeOptions,
        scratch: Path,
        strength: float = 1.0,
    ) -> None:
        """Write a picture made of this photo, in its colours and with all else of its file.

        What a network changed, as far as `strength` goes, is added to the photo's own pixels: so
        colours outside sRGB are kept, and at strength 0 the pixels are the same. So are invisible
        pixels of a photo that is not enlarged.

        Args:
            result: upright sRGB, of the photo's size or larger.
            out: file to write; its suffix names the format.
            options: quality.
            scratch: folder for what lies on the disk meanwhile.
            strength: 0..1; of results of the photo's size.

        Raises:
            UserError: the format cannot hold the picture, or the photo is damaged.
        """
        side = max(result.width, result.height)
        photo_format, writer = format_to_write(out, side, self.has_alpha)
        with _vips_as_user_error(self.path):
            picture = self._picture(result, scratch, strength)
            metadata = self.metadata.for_picture(result.width, result.height, strength == 0)
            with replacing(out) as temporary:
                _save(picture, temporary, photo_format, writer, options)
                if metadata != Metadata():
                    writer.insert(temporary, metadata)

    def _picture(self, result: RawPhoto, scratch: Path, strength: float) -> pyvips.Image:
        """The result as this photo stores its pixels."""
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
            if larger == 1:
                picture = (alpha > 0).ifthenelse(picture, self._colours(own))
            picture = picture.bandjoin(alpha.resize(larger) if larger > 1 else alpha)
        return _described(picture, own)

    def _read_header(self) -> tuple[pyvips.Image | None, Metadata]:
        """Pixels, where libvips cannot read them itself, and metadata."""
        with _vips_as_user_error(self.path):
            photo_format = recognize(self.path)
            if photo_format and not photo_format.vips:
                return _decode_at_once(self.path)
            image, loaded_format = self._load("sequential")
            exif, xmp = (_blob(image, f"{name}-data") or b"" for name in ("exif", "xmp"))
            if loaded_format.read_exif:
                exif = loaded_format.read_exif(self.path)
            return None, Metadata(exif.removeprefix(EXIF_MARK), xmp)

    def _upright(self) -> pyvips.Image:
        """Read the file anew, for its rows can be read only once."""
        if self._decoded is not None:
            return self._decoded
        with _vips_as_user_error(self.path):
            image, _ = self._load("sequential")
            if _orientation(image) > 2:
                image, _ = self._load("random")
            return image.autorot()

    def _load(self, access: str) -> tuple[pyvips.Image, PhotoFormat]:
        image = pyvips.Image.new_from_file(str(self.path), access=access, fail_on="error")
        photo_format = of_vips_loader(image.get("vips-loader"))
        if photo_format is None:
            raise unknown(self.path)
        return image, photo_format

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
        if image.interpretation == "cmyk" or not describes_other_rgb(profile):
            return None
        return profile

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
        if stored.interpretation in GREY:
            image = image.recomb([list(LUMA_WEIGHTS)])
        elif self._profile:
            profile = scratch / "photo.icc"
            profile.write_bytes(self._profile)
            image = image.icc_transform(
                str(profile), input_profile="srgb", depth=16, intent="relative"
            )
        white = 65535 if image.format == "ushort" or self._profile else 255
        wanted = 65535 if stored.format == "ushort" else 255
        return image if white == wanted else image * (wanted / white)


def write_comparison(before: RawPhoto, after: RawPhoto, out: Path) -> None:
    """Write a photo and what was made of it side by side, as a JPEG."""
    left = before.image().resize(after.width / before.width)
    both = _eight_bits(left.join(after.image(), "horizontal"))
    largest, limit = max(both.width, both.height), BY_NAME["JPEG"].largest_side
    if limit and largest > limit:
        both = both.resize(limit / largest)
    with replacing(out) as temporary:
        both.jpegsave(str(temporary), Q=90)


def _decode_at_once(path: Path) -> tuple[pyvips.Image, Metadata]:
    """Pixels and metadata of a photo that libvips does not read."""
    with open_photo(path) as photo:
        stored, metadata = photo.decode(), photo.metadata()
        if isinstance(stored.pixels, Image.Image):
            return pyvips.Image.new_from_array(upright_srgb(stored)), metadata
    pixels = stored.pixels
    if stored.white != 255:
        pixels = np.rint(pixels * (65535 / stored.white)).astype(np.uint16)
    image = pyvips.Image.new_from_array(pixels)
    image = image.copy(interpretation="srgb" if stored.white == 255 else "rgb16")
    if stored.profile:
        _set_blob(image, PROFILE, stored.profile)
    return image, metadata


def _described(picture: pyvips.Image, own: pyvips.Image) -> pyvips.Image:
    """Give a picture a photo's resolution and profile."""
    grey = own.interpretation in GREY
    names = {("uchar", True): "b-w", ("ushort", True): "grey16", ("uchar", False): "srgb"}
    picture = picture.copy(
        interpretation=names.get((own.format, grey), "rgb16"), xres=own.xres, yres=own.yres
    )
    profile = _blob(own, PROFILE)
    if own.interpretation != "cmyk" and profile:
        _set_blob(picture, PROFILE, profile)
    return picture


def _save(
    picture: pyvips.Image,
    path: Path,
    photo_format: PhotoFormat,
    writer: Writer,
    options: EncodeOptions,
) -> None:
    """Encode, with the ICC profile and nothing else."""
    if "16 bits" not in photo_format.holds:
        picture = _eight_bits(picture)
    depth = 2 if "16" in picture.interpretation else 1
    size = picture.width * picture.height * picture.bands * depth
    is_large = photo_format.largest_file is not None and size > photo_format.largest_file
    save = getattr(picture, writer.saver)
    save(str(path), keep="icc", **writer.settings(options, is_large))


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
def _vips_as_user_error(path: Path) -> Iterator[None]:
    """Turn what libvips raises over a photo into one sentence."""
    try:
        yield
    except PermissionError:
        raise forbidden(path) from None
    except pyvips.Error as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        if any("not a known file format" in line for line in lines):
            raise unknown(path) from None
        if any("No space left" in line for line in lines):
            raise UserError("no space left on the disk; free some and run again") from None
        raise damaged(path, lines[1] if len(lines) > 1 else lines[0]) from None
