"""Patches that show a runtime of low precision which values come up."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppcn.dataset.patch_set import open_patches
from ppcn.dataset.splits import TRAIN

# As many as ranges of values need to settle.
PATCHES = 64


def read_calibration(path: Path) -> NDArray[np.uint8]:
    """Patches of the phone's training photos, evenly spread over a patch set.

    Args:
        path: the patch set.

    Returns:
        At most 64 patches, (N, H, W, 3).

    Raises:
        UserError: it is no patch set, or has no patches for training.
    """
    with open_patches(path) as patches:
        indices = patches.of_split(TRAIN, "training")
        chosen = indices[:: max(1, len(indices) // PATCHES)][:PATCHES]
        return patches.read(chosen)[0]
