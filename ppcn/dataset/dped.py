"""DPED's released patch folders (Ignatov et al. 2017).

Layout of one phone: training_data/<phone>/<n>.jpg beside training_data/<reference>/<n>.jpg, and
test_data/patches/<phone>/<n>.jpg beside test_data/patches/<reference>/<n>.jpg.
"""

from dataclasses import dataclass
from pathlib import Path

from ppcn.dataset.extract import correlation
from ppcn.dataset.pairs import Pair, find_pairs
from ppcn.dataset.patch_set import Patch
from ppcn.dataset.splits import TEST, TRAIN, VALIDATION
from ppcn.errors import UserError
from ppcn.photos.decode import read_photo

STEMS = ("training_data", "validation_data", "test_data")
VALIDATION_SHARE = 0.02


@dataclass(frozen=True)
class ReleasedPair:
    """One released pair: its files, its split and its pseudo-photo in `STEMS`."""

    pair: Pair
    split: int
    photo: int


def find_released_pairs(folder: Path, phone: str, reference: str) -> list[ReleasedPair]:
    """List the released pairs.

    Deviation: the release does not say which photo a patch came from, so validation is the last
    2 % of the training patches by number, which keeps neighbours in the release together.

    Args:
        folder: the phone's folder of the release, or the one above it.
        phone: the phone's folder name.
        reference: the reference camera's folder name.

    Raises:
        UserError: a folder is missing, or a patch has no partner.
    """
    if not (folder / "training_data").is_dir() and (folder / phone / "training_data").is_dir():
        folder = folder / phone
    training = _complete_pairs(folder / "training_data", phone, reference)
    testing = _complete_pairs(folder / "test_data" / "patches", phone, reference)
    first_held_out = len(training) - max(1, round(VALIDATION_SHARE * len(training)))
    return [
        *(ReleasedPair(pair, TRAIN, 0) for pair in training[:first_held_out]),
        *(ReleasedPair(pair, VALIDATION, 1) for pair in training[first_held_out:]),
        *(ReleasedPair(pair, TEST, 2) for pair in testing),
    ]


def _complete_pairs(root: Path, phone: str, reference: str) -> list[Pair]:
    """Pairs of two folders, in order of their numbers."""
    pairs, unpaired = find_pairs(root, phone, reference)
    if unpaired:
        raise UserError(
            f"{root}: patch {Path(min(unpaired)).stem} is in only one of {phone}/ and {reference}/ "
            f"({len(unpaired)} such patches); unpack the release again"
        )
    return sorted(pairs, key=lambda pair: (len(pair.stem), pair.stem))


def read_released_patch(released: ReleasedPair, size: int) -> Patch:
    """Read one pair; its place in the photo is unknown (xy = -1).

    Raises:
        UserError: a file is damaged or not `size` px high and wide.
    """
    phone, reference = (read_photo(path) for path in (released.pair.phone, released.pair.reference))
    for path, patch in ((released.pair.phone, phone), (released.pair.reference, reference)):
        if patch.shape != (size, size, 3):
            height, width = patch.shape[:2]
            raise UserError(f"{path}: is {width}x{height} px, not the {size} of patches.size")
    return Patch(phone, reference, (-1, -1), (0.0, 0.0), 0.0, correlation(phone, reference))
