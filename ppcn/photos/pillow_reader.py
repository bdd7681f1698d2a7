"""Photos by Pillow, and by OpenCV where a channel has 16 bits, which Pillow would cut."""

from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ppcn.errors import UserError
from ppcn.photos.decode_errors import DAMAGE
from ppcn.photos.exif import EXIF_MARK, orientation_of
from ppcn.photos.formats import PILLOW_PLUGINS
from ppcn.photos.metadata import Metadata
from ppcn.photos.stored_photo import Stored

# Layouts of 16-bit TIFF that OpenCV reads right: grey from black or RGB, unsigned, channels
# together, at most mirrored or upside down.
TIFF_LAYOUT = {
    ExifTags.Base.BitsPerSample: {16},
    ExifTags.Base.PhotometricInterpretation: {1, 2},
    ExifTags.Base.SampleFormat: {1},
    ExifTags.Base.PlanarConfiguration: {1},
    ExifTags.Base.Orientation: {1, 2, 3, 4},
}


class PillowPhoto:
    """A file that Pillow takes for a photo of a known format; of several images the first one.

    Args:
        path: the file.

    Raises:
        UnidentifiedImageError: it is none.
        DecompressionBombError: it is implausibly large.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = Image.open(path, formats=PILLOW_PLUGINS)

    def size(self) -> tuple[int, int]:
        """Width and height in px of the upright photo."""
        width, height = self._file.size
        # Pillow's TIFF reader turns the photo itself, and its size too.
        if not isinstance(self._file, TiffImageFile) and self._orientation() >= 5:
            return height, width
        return width, height

    def exif(self) -> Image.Exif:
        """Its EXIF, parsed."""
        # A PNG's own method would decode it, to look for EXIF behind the pixels.
        return Image.Image.getexif(self._file)

    def metadata(self) -> Metadata:
        """Its EXIF and XMP as they are."""
        exif, xmp = (self._file.info.get(name) or b"" for name in ("exif", "xmp"))
        return Metadata(exif.removeprefix(EXIF_MARK), xmp)

    def decode(self) -> Stored:
        """Decode it.

        Raises:
            UserError: it stores its pixels in a way that would be read wrong.
        """
        deep = self._is_deep()
        # OpenCV would fill the missing part of a truncated file with grey; Pillow raises.
        self._file.load()
        profile, orientation = self._file.info.get("icc_profile"), self._orientation()
        if not deep:
            return Stored(self._file, 255, profile, orientation)
        self._file.close()
        pixels = cv2.imread(str(self._path), cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.dtype != np.uint16:
            raise ValueError("OpenCV cannot read it")
        pixels = pixels[..., 2::-1] if pixels.ndim == 3 else pixels
        return Stored(pixels, 65535, profile, orientation)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _orientation(self) -> int:
        with suppress(*DAMAGE):
            return orientation_of(self.exif())
        return 1

    def _is_deep(self) -> bool:
        """Whether a file holds 16 bits a channel.

        Raises:
            UserError: it does in a way that OpenCV misreads, or holds another number above 8.
        """
        if isinstance(self._file, PngImageFile):
            with self._path.open("rb") as raw:
                return raw.read(25)[-1] == 16
        if not isinstance(self._file, TiffImageFile):
            return False
        tags = {tag: self._file.tag_v2.get(tag, 1) for tag in TIFF_LAYOUT}
        values = {tag: set(v) if isinstance(v, tuple) else {v} for tag, v in tags.items()}
        if max(values[ExifTags.Base.BitsPerSample]) <= 8:
            return False
        if any(not values[tag] <= allowed for tag, allowed in TIFF_LAYOUT.items()):
            raise UserError(
                f"{self._path}: unusual TIFF; save it upright as RGB of 8 or 16 bits a channel"
            )
        return True
