"""Structural similarity (Wang et al. 2004)."""

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity


def ssim(image: NDArray[np.floating], target: NDArray[np.floating], peak: float) -> float:
    """SSIM: 11x11 Gaussian of 1.5 px, population covariance, valid pixels, mean of channels.

    Args:
        image: (H, W) or (H, W, C), at least 11 px each way.
        target: same shape.
        peak: the largest value a pixel can have.
    """
    return float(
        structural_similarity(
            np.asarray(image, np.float64),
            np.asarray(target, np.float64),
            data_range=peak,
            channel_axis=2 if np.ndim(image) == 3 else None,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )
