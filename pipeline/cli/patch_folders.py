"""Folders of phone and camera photos under the same file names, as scores are taken on."""

from collections.abc import Iterator
from pathlib import Path

from ppcn.errors import UserError
from ppcn.evaluation.protocols import SMALLEST_SSIM
from ppcn.photos.decode import Photo, list_photos, read_photo

Pair = tuple[Path, Path]


def find_pairs(phone_dir: Path, dslr_dir: Path) -> list[Pair]:
    """Photos of the same name; every photo must have its twin."""
    phone, dslr = list_photos(phone_dir), list_photos(dslr_dir)
    for ours, theirs, folder in ((phone, dslr, dslr_dir), (dslr, phone, phone_dir)):
        lonely = [path for stem, path in ours.items() if stem not in theirs]
        if lonely:
            raise UserError(
                f"{lonely[0]}: {folder} has no photo of that name "
                f"({len(lonely)} such photos); add it or remove this one"
            )
    return [(phone[stem], dslr[stem]) for stem in phone]


def read_pairs(pairs: list[Pair]) -> Iterator[tuple[Photo, Photo]]:
    """One pair after another.

    Raises:
        UserError: their sizes differ, or are too small to be scored.
    """
    for first, second in pairs:
        phone, dslr = read_photo(first), read_photo(second)
        if phone.shape != dslr.shape:
            raise UserError(f"{second}: is not of the size of {first}; cut both alike")
        if min(phone.shape[:2]) < SMALLEST_SSIM:
            raise UserError(f"{first}: is smaller than {SMALLEST_SSIM} px; leave it out")
        yield phone, dslr
