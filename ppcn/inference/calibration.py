"""Photos that show a runtime of low precision which values come up."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppcn.dataset.patch_set import open_patches
from ppcn.dataset.splits import TRAIN
from ppcn.dataset.sr_set import is_crop_set, open_crops

# As many as ranges of values need to settle.
PATCHES, LR_CROPS = 64, 16


def read_calibration(path: Path) -> NDArray[np.uint8]:
    """Photos as users give them: patches of the phone's training photos, or LR crops.

    Args:
        path: a patch set, or a set of super-resolution's crops to train on.

    Returns:
        At most 64 patches or 16 crops, (N, H, W, 3), evenly spread over the set.

    Raises:
        UserError: it is neither, or has no patches for training.
    """
    if is_crop_set(path):
        with open_crops(path) as crops:
            chosen = _spread(np.arange(len(crops)), LR_CROPS)
            return np.stack([crops.read(int(index))[1] for index in chosen])
    with open_patches(path) as patches:
        return patches.read(_spread(patches.of_split(TRAIN, "training"), PATCHES))[0]


def _spread(indices: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    return indices[:: max(1, len(indices) // most)][:most]
