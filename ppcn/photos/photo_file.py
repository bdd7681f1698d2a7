"""Photos with all that their files hold: depth, transparency, colours, metadata.

libvips decodes and encodes in strips, and what a network reads and writes lies in plain files on
the disk meanwhile, so that a photo of any size takes little memory. What a file stores is said by
its header, once; no step guesses it from the image that it is given.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray

from ppcn.errors import UserError
from ppcn.files.artifacts import replacing
from ppcn.photos.color import LUMA_WEIGHTS
from ppcn.photos.color_space import color_space_of
from ppcn.photos.containers.jpeg_file import with_segments_of
from ppcn.photos.decode_errors import as_user_error, check_is_file, unknown
from ppcn.photos.exif import has_orientation
from ppcn.photos.formats import (
    BY_NAME,
    EncodeOptions,
    PhotoFormat,
    Writer,
    format_to_write,
    recognize,
)
from ppcn.photos.header import CHANNELS, Change, Kind, Metadata
from ppcn.photos.raw_photo import RawPhoto
from ppcn.photos.readers import Access, VipsPhoto

# Larger photos are rather an attack, px.
LARGEST = 1_000_000_000
# From each of these sizes on, a file must have a byte for so many pixels at least. Flat pictures
# take a byte for a thousand; others need more, and what claims to be larger is damaged.
SPARSE = ((1_000_000, 1100), (40_000_000, 200))
PROFILE = "icc-profile-data"
QUALITY_OF_GAIN_MAP = 95
# Where an ICC profile names the colours that it is for.
SPACE = slice(16, 20)
INTERPRETATIONS: dict[tuple[Kind, int], str] = {
    ("GRAY", 8): "b-w",
    ("GRAY", 16): "grey16",
    ("RGB", 8): "srgb",
    ("RGB", 16): "rgb16",
    ("CMYK", 8): "cmyk",
    ("CMYK", 16): "cmyk",
}
FORMATS_OF_DEPTH = {8: "uchar", 16: "ushort"}


class PhotoFile:
    """A photo of which the header was read.

    Attributes:
        path: the file.
        height: of the upright photo, px.
        width: of the upright photo, px.
        has_alpha: whether it holds transparency.
        header: what its file says.

    Raises:
        UserError: the file is missing, damaged, no photo, implausibly large, HDR, or of a kind
            that cannot be kept, such as 32 bits a channel.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with as_user_error(path):
            check_is_file(path)
            self.format = recognize(path)
            if self.format is None:
                raise unknown(path)
            self._reader = self.format.open(path)
            self.header = self._reader.header
            self.width, self.height = self.header.size()
            self._check_size()
            layout = self.header.layout
            self._colors = color_space_of(self.header.color, layout.kind, path)
        self.has_alpha = layout.has_alpha

    @property
    def metadata(self) -> Metadata:
        """What its file says of it."""
        return self.header.metadata

    def decode(self, scratch: Path) -> RawPhoto:
        """Write the photo as upright sRGB to a plain file in the folder `scratch`.

        Its depth is the photo's, and 16 bits where colours had to be converted. Invisible pixels
        have colours of visible ones.

        Raises:
            UserError: the photo is damaged.
        """
        with as_user_error(self.path):
            own = self._upright()
            image, white = self._as_srgb(self._color_bands(own))
            depth = 8 if white == 255 else 16
            raw = RawPhoto(scratch / "photo.raw", self.height, self.width, depth)
            raw.save(image, own[own.bands - 1] > 0 if self.has_alpha else None)
            return raw

    def read(self, shrink: int = 1) -> NDArray[np.uint8]:
        """The photo as upright sRGB, (H, W, 3) uint8, without transparency.

        Args:
            shrink: how many times smaller to decode it, which is quick; one that `can_shrink`.

        Raises:
            UserError: the photo is damaged.
        """
        with as_user_error(self.path):
            image, white = self._as_srgb(self._color_bands(self._upright(shrink)))
            if white != 255:
                image = _times(image, 255 / white).rint().cast("uchar")
            pixels = np.frombuffer(image.write_to_memory(), np.uint8)
            return pixels.reshape(self.height // shrink, self.width // shrink, 3)

    def can_shrink(self, times: int) -> bool:
        """Whether the photo can be decoded 2, 4 or 8 times smaller to the pixel."""
        is_jpeg = self.format is BY_NAME["JPEG"] and isinstance(self._reader, VipsPhoto)
        return is_jpeg and self.width % times == 0 and self.height % times == 0

    def check(self, out: Path, scale: int = 1, is_stripped: bool = False) -> None:
        """Make sure that a picture made of this photo can be written, before it is made.

        Args:
            out: file to write; its suffix names the format.
            scale: how many times as large it will be.
            is_stripped: whether it gets no metadata.

        Raises:
            UserError: it cannot.
        """
        side = max(self.width, self.height) * scale
        photo_format, writer = format_to_write(out, side, self.has_alpha)
        layout = self.header.layout
        channels = 1 if layout.kind == "GRAY" else 3
        size = self.width * self.height * scale**2 * (channels + layout.has_alpha)
        size *= layout.depth // 8 if "16 bits" in photo_format.holds else 1
        change = Change(self.width * scale, self.height * scale, scale)
        metadata, _ = self._metadata_for(photo_format, change, is_stripped)
        if problem := writer.problem(metadata, size):
            raise UserError(f"{self.path}: {problem}")

    def encode(
        self,
        result: RawPhoto,
        out: Path,
        options: EncodeOptions,
        scratch: Path,
        strength: float = 1.0,
        is_stripped: bool = False,
    ) -> tuple[str, ...]:
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
            is_stripped: whether to leave metadata out, but for colours.

        Returns:
            Names of what the file held and the result does not.

        Raises:
            UserError: the format cannot hold the picture, or the photo is damaged.
        """
        self.check(out, result.width // self.width, is_stripped)
        photo_format, writer = format_to_write(
            out, max(result.width, result.height), self.has_alpha
        )
        scale = result.width // self.width
        orientation = self.header.orientation
        is_same = strength == 0 and scale == 1 and orientation == 1
        is_turned = orientation != 1 or has_orientation(self.metadata.exif)
        change = Change(result.width, result.height, scale, orientation, is_turned, is_same)
        with as_user_error(self.path):
            picture = self._picture(result, scratch, strength)
            read_trailer = self.format.trailer if self.format else None
            trailer = read_trailer(self.path) if read_trailer else None
            metadata, dropped = self._metadata_for(photo_format, change, is_stripped, trailer)
            with replacing(out) as temporary:
                _save(picture, temporary, photo_format, writer, options)
                writer.insert(temporary, metadata)
        return dropped

    def _check_size(self) -> None:
        pixels = self.width * self.height
        if pixels > LARGEST:
            raise UserError(f"{self.path}: more than a billion pixels; reduce the photo first")
        size = self.path.stat().st_size
        if any(pixels > large and pixels > most * size for large, most in SPARSE):
            what = f"damaged photo ({pixels / 1e6:.0f} million pixels in so small a file)"
            raise UserError(f"{self.path}: {what}; replace or remove it")

    def _metadata_for(
        self,
        photo_format: PhotoFormat,
        change: Change,
        is_stripped: bool,
        trailer: tuple[bytes, tuple[str, ...]] | None = None,
    ) -> tuple[Metadata, tuple[str, ...]]:
        """What a picture of a format gets of the photo's metadata, and names of the rest."""
        metadata, others = self.metadata, self.header.others
        layout = self.header.layout
        others += ("extra channels",) if layout.extra else ()
        if trailer:
            gain_map, behind = trailer
            others += behind
            if "gain map" in photo_format.holds and gain_map:
                gain_map = _turned_jpeg(gain_map, change.orientation)
            metadata = replace(metadata, gain_map=gain_map)
        metadata = replace(metadata, profile=self._colors.embedded)
        if not self._colors.is_kept:
            metadata = replace(metadata, chunks=())
        others += self._colors.dropped
        if is_stripped:
            stripped = metadata.stripped()
            return stripped.held_by(photo_format.holds)[0], ()
        metadata, not_held = metadata.held_by(photo_format.holds)
        metadata, stale = metadata.for_picture(change)
        return metadata, tuple(dict.fromkeys((*others, *not_held, *stale)))

    def _picture(self, result: RawPhoto, scratch: Path, strength: float) -> pyvips.Image:
        """The result as this photo stores its pixels."""
        layout = self.header.layout
        own = self._upright()
        changed = self._in_own_colors(result.image(), result.white, scratch)
        picture = changed
        scale = result.width // self.width
        if scale == 1 and (strength < 1 or self._profile_kept):
            colors = self._color_bands(own)
            before = self._in_own_colors(*self._as_srgb(colors), scratch)
            base = colors if self._colors.is_kept else before
            picture = base + (changed - before) * strength
        # The cast clips.
        picture = picture.rint().cast(FORMATS_OF_DEPTH[layout.depth])
        if layout.has_alpha:
            alpha = own[CHANNELS[layout.kind]]
            if scale == 1:
                # What is hidden stays as it is.
                picture = (alpha > 0).ifthenelse(picture, self._color_bands(own))
            picture = picture.bandjoin(alpha.resize(scale) if scale > 1 else alpha)
        kind: Kind = "GRAY" if layout.kind == "GRAY" else "RGB"
        name = INTERPRETATIONS[kind, layout.depth]
        return picture.copy(interpretation=name)

    def _upright(self, shrink: int = 1) -> pyvips.Image:
        """Colours and transparency, turned; read anew, for rows can be read only once."""
        layout, orientation = self.header.layout, self.header.orientation
        access: Access = "random" if orientation > 2 else "sequential"
        if shrink > 1 and isinstance(self._reader, VipsPhoto):
            image = self._reader.image(access, shrink=shrink)
        else:
            image = self._reader.image(access)
        bands = CHANNELS[layout.kind] + layout.has_alpha
        stored = (image.width * shrink, image.height * shrink, image.bands, image.format)
        depth = FORMATS_OF_DEPTH[layout.depth]
        if stored != (layout.width, layout.height, bands + layout.extra, depth):
            raise ValueError("its pixels are not what its header says")
        image = image[:bands] if layout.extra else image
        image = image.copy(interpretation=INTERPRETATIONS[layout.kind, layout.depth])
        if image.get_typeof("orientation"):
            image.remove("orientation")
        if layout.is_associated:
            image = image.unpremultiply(max_alpha=layout.white).cast(depth)
        return _turned(image, orientation)

    def _color_bands(self, image: pyvips.Image) -> pyvips.Image:
        """An image without transparency."""
        channels = CHANNELS[self.header.layout.kind]
        return image[:channels] if image.bands > channels else image

    @property
    def _profile_kept(self) -> bytes | None:
        """The profile of colours that results have, too, where they are not sRGB."""
        return self._colors.profile if self._colors.is_kept else None

    def _as_srgb(self, image: pyvips.Image) -> tuple[pyvips.Image, int]:
        """Colours as sRGB, three channels, and their white."""
        layout, profile = self.header.layout, self._colors.profile
        if layout.kind == "GRAY" and (profile is None or profile[SPACE] == b"RGB "):
            name = INTERPRETATIONS["RGB", layout.depth]
            image = image.bandjoin([image, image]).copy(interpretation=name)
        if profile or layout.kind == "CMYK":
            image = image.copy()
            if image.get_typeof(PROFILE):
                image.remove(PROFILE)
            if profile:
                image.set_type(pyvips.GValue.blob_type, PROFILE, profile)
            fallback = "cmyk" if layout.kind == "CMYK" else "srgb"
            converted = image.icc_transform(
                "srgb", embedded=True, input_profile=fallback, depth=16, intent="relative"
            )
            return converted, 65535
        return image, layout.white

    def _in_own_colors(self, image: pyvips.Image, white: int, scratch: Path) -> pyvips.Image:
        """Turn sRGB into what results store; numbers stay as precise as they are."""
        layout = self.header.layout
        if self._profile_kept:
            profile = scratch / "photo.icc"
            profile.write_bytes(self._profile_kept)
            image = image.icc_transform(
                str(profile), input_profile="srgb", depth=16, intent="relative"
            )
            white = 65535
        if layout.kind == "GRAY" and image.bands > 1:
            image = image.recomb([list(LUMA_WEIGHTS)])
        return _times(image, layout.white / white)


def write_comparison(before: RawPhoto, after: RawPhoto, out: Path) -> None:
    """Write a photo and what was made of it side by side, as a JPEG."""
    left = before.image().resize(after.width / before.width)
    both = left.join(after.image(), "horizontal")
    if after.depth == 16:
        both = (both / 257).rint().cast("uchar").copy(interpretation="srgb")
    largest, limit = max(both.width, both.height), BY_NAME["JPEG"].largest_side
    if limit and largest > limit:
        both = both.resize(limit / largest)
    with as_user_error(out), replacing(out) as temporary:
        both.jpegsave(str(temporary), Q=90)


def _times(image: pyvips.Image, factor: float) -> pyvips.Image:
    return image if factor == 1 else image * factor


def _turned(image: pyvips.Image, orientation: int) -> pyvips.Image:
    """Turn an image as EXIF's number says."""
    if orientation == 1:
        return image
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    image = image.autorot()
    if image.get_typeof("orientation"):
        image = image.copy()
        image.remove("orientation")
    return image


def _turned_jpeg(file: bytes, orientation: int) -> bytes:
    """A JPEG file turned, with its other segments; the same where it need not be turned."""
    if orientation == 1:
        return file
    image = _turned(pyvips.Image.jpegload_buffer(file, access="random"), orientation)
    saved = image.jpegsave_buffer(Q=QUALITY_OF_GAIN_MAP, keep="none")
    return with_segments_of(bytes(saved), file)


def _save(
    picture: pyvips.Image,
    path: Path,
    photo_format: PhotoFormat,
    writer: Writer,
    options: EncodeOptions,
) -> None:
    """Encode the pixels alone."""
    depth = 16 if picture.format == "ushort" else 8
    if depth == 16 and "16 bits" not in photo_format.holds:
        name = "b-w" if picture.interpretation == "grey16" else "srgb"
        picture = (picture / 257).rint().cast("uchar").copy(interpretation=name)
        depth = 8
    size = picture.width * picture.height * picture.bands * (depth // 8)
    is_large = photo_format.largest_file is not None and size > photo_format.largest_file
    save = getattr(picture, writer.saver)
    save(str(path), keep="none", **writer.settings(options, is_large))
