"""Folders of photos that belong together by their names, as scores are taken on."""

import re
from collections.abc import Iterator
from pathlib import Path

from ppcn.errors import UserError
from ppcn.evaluation.protocols import SMALLEST_SSIM, Bicubic
from ppcn.files.names import by_same_name, same_name_key
from ppcn.photos.decode import Photo, list_photos, read_photo
from ppcn.photos.resize import SCALE, crop_to_multiple

# How test sets mark the two versions of a photo: img_001_SRF_4_HR.png, 0801x4.png.
HR_MARK = re.compile(r"[_-]HR$")
LR_MARK = re.compile(r"([_-]LR|x[234])$")


def find_pairs(phone_dir: Path, reference_dir: Path) -> list[tuple[Path, Path]]:
    """Photos or patches of a phone and of the better camera, paired by their names.

    Raises:
        UserError: a photo of either folder has no counterpart in the other.
    """
    phone, reference = (by_same_name(list_photos(x).values()) for x in (phone_dir, reference_dir))
    _check_partners(phone, reference, reference_dir, "add it or remove this one")
    _check_partners(reference, phone, phone_dir, "add it or remove this one")
    return [(photo, reference[name]) for name, photo in phone.items()]


def read_pairs(pairs: list[tuple[Path, Path]]) -> Iterator[tuple[Photo, Photo]]:
    """One pair after another: phone and reference, (H, W, 3) uint8.

    Raises:
        UserError: their sizes differ, or are too small to be scored.
    """
    for phone_path, reference_path in pairs:
        phone, reference = read_photo(phone_path), read_photo(reference_path)
        if phone.shape != reference.shape:
            raise UserError(f"{reference_path}: is not of the size of {phone_path}; cut both alike")
        if min(phone.shape[:2]) < SMALLEST_SSIM:
            raise UserError(f"{phone_path}: is smaller than {SMALLEST_SSIM} px; leave it out")
        yield phone, reference


def find_sr_pairs(hr_dir: Path, lr_dir: Path | None) -> list[tuple[Path, Path | None]]:
    """HR photos, each with its LR version where a folder of these is given.

    Where some names end in HR, as in folders that hold both versions, only these are HR photos.

    Raises:
        UserError: an HR photo has no LR version, or names contradict each other.
    """
    hr = _by_name(list_photos(hr_dir), HR_MARK, LR_MARK)
    if lr_dir is None:
        return [(path, None) for path in hr.values()]
    lr = _by_name(list_photos(lr_dir), LR_MARK, HR_MARK)
    _check_partners(hr, lr, lr_dir, "add it, or name no folder of LR photos")
    return [(path, lr[name]) for name, path in hr.items()]


def read_sr_pairs(
    pairs: list[tuple[Path, Path | None]], convention: Bicubic, scale: int = SCALE
) -> Iterator[tuple[Photo, Photo]]:
    """One pair after another: HR, cut to multiples of the scale, and LR, (H, W, 3) uint8.

    Args:
        pairs: the files.
        convention: makes the LR photos that are not given.
        scale: HR pixels per LR pixel, along a side.

    Raises:
        UserError: an HR photo is too small to be scored, or not `scale` times its LR photo.
    """
    smallest = SMALLEST_SSIM + 2 * scale
    for hr_path, lr_path in pairs:
        hr = crop_to_multiple(read_photo(hr_path), scale)
        if min(hr.shape[:2]) < smallest:
            raise UserError(f"{hr_path}: is smaller than {smallest} px; leave it out")
        lr = read_photo(lr_path) if lr_path else convention.shrink(hr, scale)
        if (lr.shape[0] * scale, lr.shape[1] * scale) != hr.shape[:2]:
            raise UserError(
                f"{hr_path}: is not {scale} times as high and wide as {lr_path}; check the scale"
            )
        yield hr, lr


def _check_partners(
    photos: dict[str, Path], others: dict[str, Path], folder: Path, advice: str
) -> None:
    """Make sure that the other folder has a photo of every name."""
    lonely = [path for name, path in photos.items() if name not in others]
    if lonely:
        raise UserError(
            f"{lonely[0]}: {folder} has no photo of that name ({len(lonely)} such photos); {advice}"
        )


def _by_name(
    photos: dict[str, Path], mark: re.Pattern[str], other: re.Pattern[str]
) -> dict[str, Path]:
    """Photos by the key of their stem, less the mark; where some have it, others need the other.

    Raises:
        UserError: a photo has neither mark though others have, or two have one name.
    """
    marked: dict[str, Path] = {}
    for stem, path in photos.items():
        name = mark.sub("", stem)
        key = same_name_key(name)
        if key in marked:
            raise UserError(f"{path}: is {marked[key].name} by another name; remove one of them")
        if name != stem:
            marked[key] = path
    if not marked:
        return by_same_name(photos.values())
    for stem, path in photos.items():
        if path not in marked.values() and not other.search(stem):
            raise UserError(f"{path}: marked neither HR nor LR, as other photos of its folder are")
    return marked
