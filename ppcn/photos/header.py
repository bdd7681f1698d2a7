"""What the header of a photo's file says, the same for every format."""

import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from PIL import Image

from ppcn.photos import exif as exif_blocks
from ppcn.photos import xmp as xmp_packets
from ppcn.photos.decode_errors import DAMAGE
from ppcn.photos.photoshop import without_thumbnails

Content = Literal[
    "transparency",
    "16 bits",
    "EXIF",
    "XMP",
    "extended XMP",
    "IPTC",
    "comments",
    "texts",
    "chunks",
    "gain map",
]
Kind = Literal["RGB", "GRAY", "CMYK"]

# Photos whose colours these are: how many channels they have.
CHANNELS: Mapping[Kind, int] = {"GRAY": 1, "RGB": 3, "CMYK": 4}


@dataclass(frozen=True)
class Layout:
    """How a file stores pixels.

    Attributes:
        width: px, as stored, not yet turned.
        height: px, as stored.
        kind: what the first channels are.
        depth: bits a channel, 8 or 16, as they are given to the reader.
        has_alpha: whether transparency comes after the colours.
        is_associated: whether colours are already multiplied by transparency.
        extra: how many channels come after all these.
    """

    width: int
    height: int
    kind: Kind
    depth: int
    has_alpha: bool = False
    is_associated: bool = False
    extra: int = 0

    @property
    def white(self) -> int:
        """The largest value of a channel."""
        return 2**self.depth - 1


UNKNOWN_LAYOUT = Layout(0, 0, "RGB", 8)
"""Of a file of which only its decoder knows how it stores pixels."""


@dataclass(frozen=True)
class ColorTags:
    """What a file says of its colours.

    Attributes:
        codes_first: whether the codes go before the profile, as PNG's cICP does.
        profile: an ICC profile.
        codes: primaries and transfer by ITU-T H.273, of AVIF, HEIF (nclx) and PNG (cICP).
        gamma: exponent that encoded the values, of PNG (gAMA).
        primaries: x and y of white, red, green and blue, of PNG (cHRM).
    """

    profile: bytes = b""
    codes_first: bool = False
    codes: tuple[int, int] | None = None
    gamma: float | None = None
    primaries: tuple[float, ...] | None = None


Unit = Literal["none", "inch", "cm", "metre"]
CM_OF_UNIT: Mapping[Unit, float] = {"inch": 2.54, "cm": 1, "metre": 100}


@dataclass(frozen=True)
class Density:
    """How densely a picture is meant to be printed.

    Attributes:
        x: pixels per unit; without a unit the shape of a pixel alone counts.
        y: pixels per unit.
        unit: of length.
    """

    x: float
    y: float
    unit: Unit

    def per(self, unit: Unit) -> tuple[float, float]:
        """Pixels per another unit; the numbers as they are where there is no unit."""
        if self.unit == "none" or unit == "none":
            return self.x, self.y
        factor = CM_OF_UNIT[unit] / CM_OF_UNIT[self.unit]
        return self.x * factor, self.y * factor

    def turned(self) -> "Density":
        """The same for a picture of which rows are columns."""
        return Density(self.y, self.x, self.unit)


@dataclass(frozen=True)
class Metadata:
    """What a photo's file says of it, block by block.

    Attributes:
        exif: a TIFF structure, without the mark before it.
        xmp: a packet.
        extended_xmp: the rest of the packet, where JPEG could not hold it whole.
        photoshop: image resources, IPTC among them.
        comments: of JPEG.
        texts: chunks of PNG with texts and times, whole.
        profile: an ICC profile.
        chunks: chunks of PNG that describe its colours, whole.
        gain_map: a JPEG file that tells how much brighter an HDR screen shows which part.
        density: for printing.
    """

    exif: bytes = b""
    xmp: bytes = b""
    extended_xmp: bytes = b""
    photoshop: bytes = b""
    comments: tuple[bytes, ...] = ()
    texts: tuple[bytes, ...] = ()
    profile: bytes = b""
    chunks: tuple[bytes, ...] = ()
    gain_map: bytes = b""
    density: Density | None = None

    def camera(self) -> str:
        """Which camera took the photo, as "Apple iPhone 3GS"; "" if unknown."""
        with suppress(*DAMAGE), warnings.catch_warnings(action="ignore"):
            return exif_blocks.camera_of(self._parsed_exif())
        return ""

    def taken(self) -> datetime | None:
        """When the photo was taken, as `exif.time_of` has it; None if unknown or malformed."""
        with suppress(*DAMAGE), warnings.catch_warnings(action="ignore"):
            return exif_blocks.time_of(self._parsed_exif())
        return None

    def _parsed_exif(self) -> Image.Exif:
        # Its values are read when they are asked for, and may be damaged as well.
        exif = Image.Exif()
        exif.load(self.exif)
        return exif

    def stripped(self) -> "Metadata":
        """The description of colours alone."""
        return Metadata(profile=self.profile, chunks=self.chunks)

    def held_by(self, holds: frozenset[Content]) -> tuple["Metadata", tuple[str, ...]]:
        """What a format holds of it, and the names of what it does not."""
        dropped = []
        kept = self
        if "chunks" in holds and self.chunks:
            kept = replace(kept, profile=b"")
        elif self.chunks:
            kept = replace(kept, chunks=())
        if self.extended_xmp and "extended XMP" not in holds:
            joined = xmp_packets.joined(self.xmp, self.extended_xmp)
            dropped += ["extended XMP (malformed)"] if joined == self.xmp else []
            kept = replace(kept, xmp=joined, extended_xmp=b"")
        fields: dict[Content, str] = {
            "EXIF": "exif",
            "XMP": "xmp",
            "IPTC": "photoshop",
            "comments": "comments",
            "texts": "texts",
            "gain map": "gain_map",
        }
        for content, name in fields.items():
            if content not in holds and getattr(kept, name):
                dropped.append("HDR gain map" if content == "gain map" else content)
                kept = replace(kept, **{name: type(getattr(kept, name))()})
        return kept, tuple(dropped)

    def for_picture(self, change: "Change") -> tuple["Metadata", tuple[str, ...]]:
        """The same for an upright picture made of the photo.

        Args:
            change: how the picture differs.

        Returns:
            The metadata, and names of what is left out because it showed the old picture.
        """
        size = (change.width, change.height)
        exif, dropped = exif_blocks.corrected(self.exif, size, change.is_same)
        xmp, more = xmp_packets.corrected(self.xmp, change, len(self.gain_map))
        photoshop, thumbnails = without_thumbnails(self.photoshop, change.is_same)
        fitted = replace(self, exif=exif, xmp=xmp, photoshop=photoshop)
        if self.density and change.orientation >= 5:
            fitted = replace(fitted, density=self.density.turned())
        return fitted, (*dropped, *more, *thumbnails)


@dataclass(frozen=True)
class Change:
    """How a picture differs from the photo that it was made of.

    Attributes:
        width: of the upright picture, px.
        height: of the upright picture, px.
        scale: times as large as the photo.
        orientation: EXIF's number by which the photo was turned upright.
        is_turned: whether the file says how to hold the photo, so that nothing else must.
        is_same: whether its pixels are the photo's, so that small pictures still show it.
    """

    width: int
    height: int
    scale: int = 1
    orientation: int = 1
    is_turned: bool = False
    is_same: bool = False


@dataclass(frozen=True)
class Header:
    """What is known of a photo before its pixels are read.

    Attributes:
        layout: of the pixels.
        color: what is said of its colours.
        metadata: blocks that a picture made of it can hold, too.
        orientation: EXIF's number for how to hold what the file stores, 1..8.
        others: names of blocks that such a picture does not hold.
    """

    layout: Layout
    color: ColorTags = field(default_factory=ColorTags)
    metadata: Metadata = field(default_factory=Metadata)
    orientation: int = 1
    others: tuple[str, ...] = ()

    def size(self) -> tuple[int, int]:
        """Width and height of the upright photo, px."""
        width, height = self.layout.width, self.layout.height
        return (height, width) if self.orientation >= 5 else (width, height)
