"""Real super-resolution pairs: patches that two cameras took of the same scene (`patches.scale`).

LR is what the phone recorded, HR what the better camera did; no formula makes one of the other.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ppcn.dataset.lr_maker import LRMaker
from ppcn.dataset.patch_set import PatchSet
from ppcn.dataset.splits import TEST, TRAIN, VALIDATION
from ppcn.errors import UserError
from ppcn.photos.decode import Photo

Indices = NDArray[np.int64]


def check_scale(patches: PatchSet) -> None:
    """Make sure that a patch set is one of super-resolution.

    Raises:
        UserError: its patches are of one size on both sides.
    """
    if patches.scale == 1:
        raise UserError(
            f"{patches.path}: its patches are of one size on both sides; cut them with "
            "patches.scale 2, 3 or 4 for super-resolution"
        )


def training_rows(patches: PatchSet) -> Indices:
    """Rows of the patches to train on."""
    return patches.of_split(TRAIN, "training")


def training_crops(
    patches: PatchSet, rows: Iterable[int], lr: LRMaker
) -> Iterator[tuple[int, Photo, Photo]]:
    """Patches as crops: the photo's number, HR and LR.

    Args:
        patches: a patch set.
        rows: of it.
        lr: makes LR of the HR patch in place of the phone's, which is what most networks are
            trained on, unless `sr.lr` is `phone`.
    """
    for row in rows:
        phone, reference = (side[0] for side in patches.read([int(row)]))
        if lr.sr.lr != "phone":
            phone = lr.train(reference, str(row), scale=patches.scale)
        yield int(patches.photo[row]), reference, phone


def held_out_rows(patches: PatchSet) -> dict[Literal["validation", "test"], Indices]:
    """Rows of the patches to validate and to score on."""
    return {
        "validation": patches.of_split(VALIDATION, "validation"),
        "test": patches.of_split(TEST, "test"),
    }


def held_out_pairs(patches: PatchSet, rows: Iterable[int]) -> Iterator[tuple[str, Photo, Photo]]:
    """Held-out patches as photos: name, HR and LR, which always is the phone's."""
    corners = patches.field("xy")
    for row in rows:
        x, y = corners[row]
        phone, reference = (side[0] for side in patches.read([int(row)]))
        yield f"{patches.stems[patches.photo[row]]} {row} at {x},{y}", reference, phone
