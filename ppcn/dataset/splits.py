"""Photos set aside for validation and test: by photo, never by patch."""

import hashlib
from collections.abc import Sequence

from ppcn.errors import UserError
from ppcn.files.names import matching_name, padded_name
from ppcn.params import Split

TRAIN, VALIDATION, TEST = 0, 1, 2
SPLIT_NAMES = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}


def assign_splits(
    stems: Sequence[str], split: Split, seed: int, key: str = "patches.split"
) -> dict[str, int]:
    """Set photos aside for validation and test, by photo and never by patch.

    A share takes the photos whose seeded digest is smallest, so that adding a photo moves few
    others; at least one photo when the share is not 0.

    Args:
        stems: the photos.
        split: shares or lists.
        seed: of the choice.
        key: the parameter that errors name.

    Raises:
        UserError: a listed stem does not exist or is listed twice, or no photo is left to train.
    """
    order = sorted(stems, key=lambda stem: hashlib.sha256(f"{seed}:{stem}".encode()).digest())
    chosen: dict[str, int] = {}
    for kind, wanted in ((TEST, split.test), (VALIDATION, split.validation)):
        if isinstance(wanted, list):
            taken = wanted
        else:
            free = [stem for stem in order if stem not in chosen]
            taken = free[: max(1, round(wanted * len(stems))) if wanted else 0]
        for name in taken:
            stem = matching_name(name, stems)
            if stem is None:
                padded = padded_name(name, stems)
                advice = f"; if '{padded}' is meant, write it in quotes" if padded else ""
                raise UserError(f"{key} names '{name}', which is no aligned photo{advice}")
            if stem in chosen:
                raise UserError(f"{key} names '{name}' twice")
            chosen[stem] = kind
    if len(chosen) >= len(stems):
        raise UserError(
            f"{len(stems)} photos leave none to train on; add photos, or lower {key} or set it to 0"
        )
    return {stem: chosen.get(stem, TRAIN) for stem in stems}
