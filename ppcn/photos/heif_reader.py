"""HEIF photos (HEIC) by pillow-heif, which is an extra."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ppcn.errors import UserError
from ppcn.photos.color import is_srgb_nclx
from ppcn.photos.exif import EXIF_MARK
from ppcn.photos.metadata import Metadata
from ppcn.photos.stored_photo import Stored

if TYPE_CHECKING:
    from pillow_heif import HeifFile

# Pillow's own limit, for what Pillow does not read.
MAX_PIXELS = 178_956_970


class HeifPhoto:
    """A HEIF file; of several images the primary one.

    Args:
        path: the file.

    Raises:
        UserError: the extra `heic` is not installed.
        DecompressionBombError: it is implausibly large.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, _open(path)
        width, height = self._file.size
        if width * height > MAX_PIXELS:
            raise Image.DecompressionBombError

    def size(self) -> tuple[int, int]:
        """Width and height in px; libheif turns the photo, whatever its EXIF says."""
        width, height = self._file.size
        return width, height

    def exif(self) -> Image.Exif:
        """Its EXIF, parsed."""
        exif = Image.Exif()
        exif.load(self._file.info["exif"] or b"")
        return exif

    def metadata(self) -> Metadata:
        """Its EXIF and XMP as they are."""
        exif, xmp = (self._file.info.get(name) or b"" for name in ("exif", "xmp"))
        return Metadata(exif.removeprefix(EXIF_MARK), xmp)

    def decode(self) -> Stored:
        """Decode it, upright.

        Raises:
            UserError: its colours are wider than sRGB, or HDR, and no ICC profile describes them.
        """
        info = self._file.info
        if not is_srgb_nclx(info.get("nclx_profile", {})):
            raise UserError(
                f"{self._path}: HDR or wide colours without an ICC profile; save it as sRGB"
            )
        white = 2 ** info["bit_depth"] - 1
        return Stored(np.asarray(self._file), white, info.get("icc_profile"))

    def close(self) -> None:
        """Nothing is left to be closed: pillow-heif has read the whole file."""


def _open(path: Path) -> "HeifFile":
    try:
        import pillow_heif
    except ImportError:
        raise UserError(f"{path}: to read HEIC photos, pip install 'ppcn[heic]'") from None
    return pillow_heif.open_heif(path, convert_hdr_to_8bit=False, hdr_to_16bit=False)
