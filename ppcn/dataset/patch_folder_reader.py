"""Folders of patches as other programs keep them, and as `ppcn.dataset.patch_folders` has them."""

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppcn.dataset.pairs import Pair
from ppcn.dataset.patch_files import PatchFiles, PatchSides, Place, complete_pairs, hold_out
from ppcn.dataset.patch_folders import FACTS, FOLDERS, PHONE, REFERENCE, TABLE
from ppcn.dataset.splits import SPLIT_NAMES, TRAIN, VALIDATION
from ppcn.errors import UserError
from ppcn.files.artifacts import read_json
from ppcn.files.export_folder import check_finished
from ppcn.files.names import composed
from ppcn.photos.decode import photo_size

ADVICE = "add its partner or remove it"
LARGEST_SCALE = 4


@dataclass(frozen=True)
class PatchFolders:
    """Folders of patches.

    Attributes:
        stems: names of the photos; of patches whose photo is unknown, of their split.
        pairs: the patches, those of an export in the order of the set that it was made of.
        sides: what the patches measure.
        attributes: of that set; empty for folders of other programs.
        missing: number of patches that are listed in a table and whose files are gone.
    """

    stems: list[str]
    pairs: list[PatchFiles]
    sides: PatchSides
    attributes: dict[str, Any]
    missing: int


@dataclass(frozen=True)
class _Listed:
    """A row of a table of patches: the number of the patch in its set, its photo and its place."""

    row: int
    photo: tuple[int, str]
    place: Place


@dataclass(frozen=True)
class _Facts:
    """What patch-set.json says: names of all photos, and the attributes of the set."""

    stems: list[str]
    attributes: dict[str, Any]


def read_patch_folders(folder: Path) -> PatchFolders:
    """List the patches of a folder.

    Where no split but training is there, and no table, the last 2 % of the pairs are for
    validation.

    Args:
        folder: holds `lq` and `gt`, or a folder with both for each split, or a folder `patches`
            that does. Pairs have equal names but for suffix and case.

    Raises:
        UserError: it holds none of these, a patch has no partner, the patches are no squares or
            more than four times as large on one side, or a table is damaged.
    """
    check_finished(folder)
    folders = _split_folders(folder)
    listed: list[tuple[_Listed, Pair, int]] = []
    others: list[tuple[Pair, int]] = []
    missing = 0
    for split, place in folders.items():
        table = _read_table(place / TABLE)
        for pair in complete_pairs(place, PHONE, REFERENCE, ADVICE):
            if row := table.pop(pair.stem, None):
                listed.append((row, pair, split))
            else:
                others.append((pair, split))
        missing += len(table)
    facts = _read_facts(next(iter(folders.values())))
    stems, numbers = _number_photos({row.photo for row, _, _ in listed}, facts.stems)
    pairs = [
        PatchFiles(pair, split, numbers[row.photo], row.place)
        for row, pair, split in sorted(listed, key=lambda item: item[0].row)
    ]
    names, more = _of_unknown_photos(others, len(stems), holds_out=not listed)
    every = [*pairs, *more]
    sides = _measure(every[0].pair)
    return PatchFolders([*stems, *names], every, sides, facts.attributes, missing)


def _split_folders(folder: Path) -> dict[int, Path]:
    """The folder of every split that is there; one of an export knows its split by its name."""
    for top in (folder, folder / "patches"):
        if _holds_both(top):
            named = (split for split, names in FOLDERS.items() if top.absolute().name in names)
            return {next(named, TRAIN) if (top / TABLE).is_file() else TRAIN: top}
        present = {
            split: top / name
            for split, names in FOLDERS.items()
            for name in names
            if _holds_both(top / name)
        }
        if present:
            return present
    raise UserError(
        f"{folder}: holds no folders {PHONE} and {REFERENCE}, nor any of "
        f"{', '.join(SPLIT_NAMES.values())} with both"
    )


def _holds_both(folder: Path) -> bool:
    return (folder / PHONE).is_dir() and (folder / REFERENCE).is_dir()


def _read_facts(folder: Path) -> _Facts:
    """What was noted of the set that a split was exported from; nothing for other folders."""
    path = next((p for p in (folder / FACTS, folder.parent / FACTS) if p.is_file()), None)
    if path is None:
        return _Facts([], {})
    values = read_json(path)
    stems, attributes = values.get("stems"), values.get("attributes")
    if not isinstance(stems, list) or not isinstance(attributes, dict):
        raise UserError(f"{path}: says nothing of a patch set; export it again or remove the file")
    kept = {k: v for k, v in attributes.items() if isinstance(v, str | int | float | dict)}
    return _Facts([str(stem) for stem in stems], kept)


def _read_table(path: Path) -> dict[str, _Listed]:
    """The rows of a table of patches by name; none where it is not there."""
    table: dict[str, _Listed] = {}
    if not path.is_file():
        return table
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            for cells in reader:
                table[composed(cells["name"])] = _listed(cells)
        except (KeyError, TypeError, ValueError, csv.Error):
            raise UserError(
                f"{path}, line {reader.line_num}: no row of a table of patches; export it again, "
                "or remove the table"
            ) from None
    return table


def _listed(cells: Mapping[str, str]) -> _Listed:
    x, y, row, photo = (int(cells[name]) for name in ("x", "y", "row", "photo"))
    dx, dy, rotation, ncc = (float(cells[n]) for n in ("shift_x", "shift_y", "rotation", "ncc"))
    return _Listed(row, (photo, cells["stem"]), Place((x, y), (dx, dy), rotation, ncc))


def _number_photos(
    photos: Collection[tuple[int, str]], stems: Sequence[str]
) -> tuple[list[str], dict[tuple[int, str], int]]:
    """Names of all photos, and the index of each one that has patches.

    Args:
        photos: index in its set, and name, as tables have them.
        stems: names of all photos of the set; empty if that is unknown.
    """
    numbers = {photo: photo[0] for photo in enumerate(stems)}
    if photos and numbers.keys() >= set(photos):
        return list(stems), numbers
    known = sorted(photos)
    return [stem for _, stem in known], {photo: index for index, photo in enumerate(known)}


def _of_unknown_photos(
    patches: Sequence[tuple[Pair, int]], first: int, holds_out: bool
) -> tuple[list[str], list[PatchFiles]]:
    """Patches of which no table tells the photo, with a pseudo-photo for each split.

    Args:
        patches: the pairs and their splits.
        first: index of the first pseudo-photo.
        holds_out: whether training pairs are held out for validation where there are none.
    """
    splits = sorted({split for _, split in patches})
    if holds_out and VALIDATION not in splits and TRAIN in splits:
        splits = sorted([*splits, VALIDATION])
    number = {split: first + index for index, split in enumerate(splits)}
    training = [pair for pair, split in patches if split == TRAIN]
    files = [PatchFiles(pair, split, number[split]) for pair, split in patches]
    if holds_out and training and VALIDATION not in {split for _, split in patches}:
        held_out = hold_out(training, number[TRAIN], number[VALIDATION])
        files = [*held_out, *(f for f in files if f.split != TRAIN)]
    return [SPLIT_NAMES[split] for split in splits], files


def _measure(pair: Pair) -> PatchSides:
    """What all patches have to measure, as those of one pair do.

    Raises:
        UserError: they are no squares, or the reference's is no multiple of the phone's.
    """
    (width, height), (wide, high) = map(photo_size, pair.photos)
    scale = wide // width
    is_whole = (wide, high) == (scale * width, scale * height)
    if width == height and is_whole and 1 <= scale <= LARGEST_SCALE:
        return PatchSides(width, scale, "the others")
    raise UserError(
        f"{pair.reference}: has {wide}x{high} px for {width}x{height} in {PHONE}; patches must be "
        f"squares of one size, those in {REFERENCE} 1 to {LARGEST_SCALE} times as large"
    )
