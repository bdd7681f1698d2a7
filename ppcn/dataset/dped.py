"""DPED's released patch folders (Ignatov et al. 2017).

Layout of one phone: training_data/<phone>/<n>.jpg beside training_data/<reference>/<n>.jpg, and
test_data/patches/<phone>/<n>.jpg beside test_data/patches/<reference>/<n>.jpg.
"""

from pathlib import Path

from ppcn.dataset.patch_files import PatchFiles, complete_pairs, hold_out
from ppcn.dataset.splits import TEST

STEMS = ("training_data", "validation_data", "test_data")
"""Pseudo-photos, as the release does not say which photo a patch came from."""
ADVICE = "unpack the release again"


def find_released_pairs(folder: Path, phone: str, reference: str) -> list[PatchFiles]:
    """List the released pairs, the last 2 % of the training patches for validation.

    Args:
        folder: the phone's folder of the release, or the one above it.
        phone: the phone's folder name.
        reference: the reference camera's folder name.

    Raises:
        UserError: a folder is missing, or a patch has no partner.
    """
    if not (folder / "training_data").is_dir() and (folder / phone / "training_data").is_dir():
        folder = folder / phone
    training = complete_pairs(folder / "training_data", phone, reference, ADVICE)
    testing = complete_pairs(folder / "test_data" / "patches", phone, reference, ADVICE)
    return [*hold_out(training, 0, 1), *(PatchFiles(pair, TEST, 2) for pair in testing)]
