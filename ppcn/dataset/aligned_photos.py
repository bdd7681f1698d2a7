"""Aligned pairs as whole photos: the reference photo as the phone would have seen it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ppcn.dataset.extract import warp_to_phone
from ppcn.dataset.pairs import Pair
from ppcn.errors import UserError
from ppcn.files.names import same_name_key
from ppcn.photos.decode import Levels, Photo, encode_png, encode_tiff, read_deep_photo, read_photo
from ppcn.registration.alignment import Alignment
from ppcn.registration.geometry import low_pass, size_of

PhotoFormat = Literal["png", "tiff"]
MASK = "mask"


@dataclass(frozen=True)
class AlignedPhotos:
    """A pair on the phone's pixels.

    Attributes:
        phone: (H, W, 3) RGB, the phone's own pixels.
        reference: (H, W, 3) RGB, warped once from the reference photo, whose edge is repeated
            where `mask` is 0: black there would mislead whoever aligns the photos again.
        mask: (H, W) uint8, 255 where the reference photo shows what the phone's pixel shows as far
            as geometry tells, else 0. It does not know what hides what.
    """

    phone: Levels
    reference: Levels
    mask: Photo


def read_aligned(
    pair: Pair, alignment: Alignment, is_deep: bool = False, is_cropped: bool = False
) -> AlignedPhotos:
    """Read a pair and warp its reference photo, as patches are warped but for their search.

    Args:
        pair: the photos that were aligned.
        alignment: their geometry, accepted.
        is_deep: whether photos of 16 bits stay so; else 8 bits.
        is_cropped: whether to return the common crop alone.

    Raises:
        UserError: a photo is damaged, or is not of the size that was aligned.
    """
    read = read_deep_photo if is_deep else read_photo
    phone, reference = map(read, pair.photos)
    sizes = (alignment.phone_size, alignment.reference_size)
    for path, photo, size in zip(pair.photos, (phone, reference), sizes, strict=True):
        if size_of(photo) != size:
            raise UserError(f"{path}: is not of the size that was aligned; align it again")
    x0, y0, x1, y1 = alignment.crop if is_cropped else (0, 0, *alignment.phone_size)
    filtered = low_pass(reference, alignment.reference_scale())
    warped, valid_mask = warp_to_phone(filtered, alignment, 0)
    window = np.s_[y0:y1, x0:x1]
    return AlignedPhotos(phone[window], warped[window], valid_mask[window] * np.uint8(255))


def encode_photo(levels: Levels, photo_format: PhotoFormat) -> bytes:
    """A file of a photo; PNG has 8 bits, TIFF those of the photo."""
    return encode_tiff(levels) if photo_format == "tiff" else encode_png(levels)


def check_folder_names(phone: str, reference: str) -> None:
    """Make sure that the folders of both cameras and of the masks are three.

    Raises:
        UserError: two would be one, or a name is no folder's.
    """
    for name in (phone, reference):
        if name in ("", ".", "..") or "/" in name:
            raise UserError(f"'{name}' cannot name a folder of exported photos")
    if len({same_name_key(name) for name in (phone, reference, MASK)}) < 3:
        raise UserError(
            f"photos of '{phone}' and '{reference}' and the folder '{MASK}' need three names; "
            "rename a camera's folder and align again"
        )


def distinct_names(names: Iterable[str]) -> Iterator[str]:
    """The names in order, a number added where one is there already, whatever its case."""
    taken: set[str] = set()
    counts: dict[str, int] = {}
    for name in names:
        key, free = same_name_key(name), name
        while same_name_key(free) in taken:
            counts[key] = counts.get(key, 1) + 1
            free = f"{name}_{counts[key]}"
        taken.add(same_name_key(free))
        yield free
