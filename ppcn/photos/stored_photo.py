"""Photos as their files store them: what each reader gives."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ppcn.photos.metadata import Metadata


@dataclass(frozen=True)
class Stored:
    """A photo as its file stores it: unturned, in the file's colours and depth.

    Attributes:
        pixels: an image of 8 bits a channel, or an array (H, W) or (H, W, 3 or 4).
        white: the largest value of an array's channels.
        profile: the ICC profile.
        orientation: EXIF's number for how to hold it, 1..8.
    """

    pixels: Image.Image | NDArray[np.uint8 | np.uint16]
    white: int
    profile: bytes | None
    orientation: int = 1

    def size(self) -> tuple[int, int]:
        """Width and height in px."""
        if isinstance(self.pixels, Image.Image):
            return self.pixels.size
        return self.pixels.shape[1], self.pixels.shape[0]

    def rows(self, top: int, bottom: int) -> Image.Image:
        """Some rows, in 8 bits a channel."""
        if isinstance(self.pixels, Image.Image):
            return self.pixels.crop((0, top, self.pixels.width, bottom))
        part = self.pixels[top:bottom]
        if part.dtype != np.uint8:
            part = np.rint(part * (255 / self.white)).astype(np.uint8)
        return Image.fromarray(part)


class OpenPhoto(Protocol):
    """A photo of which a reader has read the header."""

    def size(self) -> tuple[int, int]:
        """Width and height in px of the upright photo."""

    def exif(self) -> Image.Exif:
        """Its EXIF, parsed; raises one of `DAMAGE` over malformed ones."""

    def metadata(self) -> Metadata:
        """Its EXIF and XMP as they are."""

    def decode(self) -> Stored:
        """Read the pixels; raises a `UserError` or one of `DAMAGE`."""

    def close(self) -> None:
        """Close the file."""
