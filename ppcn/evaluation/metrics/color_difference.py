"""How different two pictures look in colour: CIEDE2000 (Sharma et al. 2005)."""

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab


def ciede2000(image: NDArray[np.floating], target: NDArray[np.floating]) -> float:
    """Mean CIEDE2000 over all pixels; 1 is about what a person can just see.

    Args:
        image: (H, W, 3) sRGB in [0, 1].
        target: same shape.
    """
    return float(np.mean(deltaE_ciede2000(rgb2lab(target), rgb2lab(image))))
