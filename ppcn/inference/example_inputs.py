"""What networks that sharpen enlarged photos read of photos that show which values come up."""

import numpy as np
from numpy.typing import NDArray

from ppcn.photos.resize import enlarge

# Photos that are enlarged, at most, and their sides, px.
MOST, SIDE = 16, 64


def enlarged_examples(photos: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """The middles of photos (N, H, W, 3), enlarged bicubically, of 16 photos at most."""
    top, left = (max(n - SIDE, 0) // 2 for n in photos.shape[1:3])
    chosen = photos[:: max(1, len(photos) // MOST)][:MOST]
    middles = chosen[:, top : top + SIDE, left : left + SIDE]
    return np.stack([enlarge(middle, scale) for middle in middles])
