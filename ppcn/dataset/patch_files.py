"""Pairs of patches that lie in two picture files each, and patch sets made of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ppcn.dataset.extract import correlation
from ppcn.dataset.pairs import Pair, find_pairs
from ppcn.dataset.patch_set import Patch, PatchWriter
from ppcn.dataset.splits import TRAIN, VALIDATION
from ppcn.errors import UserError
from ppcn.files.artifacts import create_hdf5
from ppcn.photos.decode import Photo, read_photo
from ppcn.registration.geometry import size_of

VALIDATION_SHARE = 0.02
# Pairs that are read before they are stored.
AT_ONCE = 64


@dataclass(frozen=True)
class Place:
    """Where a patch was cut and how well it matches; the fields are those of a Patch."""

    xy: tuple[int, int]
    shift: tuple[float, float]
    rotation: float
    ncc: float


@dataclass(frozen=True)
class PatchFiles:
    """A pair of patches as two files.

    Attributes:
        pair: the files.
        split: of `ppcn.dataset.splits`.
        photo: index of its photo in the stems of the set.
        place: where it was cut; None if that is unknown.
    """

    pair: Pair
    split: int
    photo: int
    place: Place | None = None


@dataclass(frozen=True)
class PatchSides:
    """What the patches of a set have to measure.

    Attributes:
        size: side of a phone's patch, px.
        scale: side of a reference camera's patch, in sides of a phone's.
        source: what says so, as errors name it.
    """

    size: int
    scale: int
    source: str


def complete_pairs(root: Path, phone: str, reference: str, advice: str) -> list[Pair]:
    """Pairs of two folders, in order of their numbers.

    Raises:
        UserError: a folder is missing, or a patch is in only one of them; it ends with `advice`.
    """
    pairs, unpaired = find_pairs(root, phone, reference)
    if unpaired:
        raise UserError(
            f"{root}: patch {Path(min(unpaired)).stem} is in only one of {phone}/ and {reference}/ "
            f"({len(unpaired)} such patches); {advice}"
        )
    return sorted(pairs, key=lambda pair: (len(pair.stem), pair.stem))


def hold_out(pairs: Sequence[Pair], train: int, validation: int) -> list[PatchFiles]:
    """Training pairs of which the last 2 % are for validation.

    Deviation: released patches do not say which photo they came from, so validation is the last
    2 % of the training patches by number, which keeps neighbours in the release together.

    Args:
        pairs: in order of their numbers.
        train: index of the photo that training pairs are said to be of.
        validation: the same of the others.
    """
    first_held_out = len(pairs) - max(1, round(VALIDATION_SHARE * len(pairs)))
    return [
        *(PatchFiles(pair, TRAIN, train) for pair in pairs[:first_held_out]),
        *(PatchFiles(pair, VALIDATION, validation) for pair in pairs[first_held_out:]),
    ]


def read_patch(files: PatchFiles, sides: PatchSides) -> Patch:
    """Read one pair; where its place in the photo is unknown, xy is -1 and ncc is computed.

    Raises:
        UserError: a file is damaged or of another size.
    """
    phone, reference = (read_photo(path) for path in files.pair.photos)
    wanted = (sides.size, sides.scale * sides.size)
    for path, patch, side in zip(files.pair.photos, (phone, reference), wanted, strict=True):
        if patch.shape != (side, side, 3):
            width, height = size_of(patch)
            raise UserError(f"{path}: is {width}x{height} px, not the {side} of {sides.source}")
    place = files.place
    if place is None:
        return Patch(phone, reference, (-1, -1), (0.0, 0.0), 0.0, _agreement(phone, reference))
    return Patch(phone, reference, place.xy, place.shift, place.rotation, place.ncc)


def _agreement(phone: Photo, reference: Photo) -> float:
    """Correlation of two patches at the phone's size."""
    if phone.shape != reference.shape:
        size = size_of(phone)
        reference = np.asarray(cv2.resize(reference, size, interpolation=cv2.INTER_AREA), np.uint8)
    return correlation(phone, reference)


def write_patch_set(
    out: Path,
    attributes: Mapping[str, Any],
    stems: Sequence[str],
    pairs: Sequence[PatchFiles],
    sides: PatchSides,
    report: Callable[[int, int, Mapping[str, float]], None],
) -> None:
    """Make one patch set of pairs of files, in the order given.

    Args:
        out: the patch set.
        attributes: of the set.
        stems: names of the photos.
        pairs: the patches.
        sides: what they have to measure.
        report: told how many are done, and of how many.

    Raises:
        UserError: as `read_patch`.
    """
    done = 0
    with create_hdf5(out, attributes) as file:
        writer = PatchWriter(file, stems, sides.size, sides.scale)
        for run in _runs(pairs):
            writer.add(run[0].photo, run[0].split, [read_patch(files, sides) for files in run])
            done += len(run)
            report(done, len(pairs), {})


def _runs(pairs: Sequence[PatchFiles]) -> Iterator[list[PatchFiles]]:
    """Neighbours of one photo and split, a few at a time."""
    for _, group in groupby(pairs, key=lambda files: (files.photo, files.split)):
        run = list(group)
        for first in range(0, len(run), AT_ONCE):
            yield run[first : first + AT_ONCE]
