"""Peak signal-to-noise ratio."""

import numpy as np
from numpy.typing import NDArray


def psnr(image: NDArray[np.floating], target: NDArray[np.floating], peak: float) -> float:
    """PSNR in dB over all pixels and channels; infinite for identical images.

    Args:
        image: any shape.
        target: same shape.
        peak: the largest value a pixel can have.
    """
    error = np.mean((np.asarray(image, np.float64) - np.asarray(target, np.float64)) ** 2)
    return float(10 * np.log10(peak**2 / error)) if error else float("inf")
