"""MS-SSIM (Wang et al. 2003), and the PIRM 2018 challenge's for images of any size."""

import numpy as np
from numpy.typing import NDArray

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

SMALLEST = 10 * 2**4 + 1

Image = NDArray[np.float64]


def ms_ssim(image: NDArray[np.floating], target: NDArray[np.floating], peak: float) -> float:
    """Standard MS-SSIM: five scales, 11x11 Gaussian of 1.5 px, mean of channels.

    Args:
        image: (H, W) or (H, W, C), at least 161 px each way.
        target: same shape.
        peak: the largest value a pixel can have.

    Raises:
        ValueError: the image is smaller than the window on the coarsest scale.
    """
    if min(image.shape[:2]) < SMALLEST:
        raise ValueError(f"MS-SSIM needs images of {SMALLEST} px or more; see pirm_ms_ssim")
    x, y = (np.atleast_3d(np.asarray(side, np.float64)) * (255 / peak) for side in (image, target))
    channels = [np.s_[:, :, c : c + 1] for c in range(x.shape[2])]
    return float(np.mean([pirm_ms_ssim(x[channel], y[channel]) for channel in channels]))


def pirm_ms_ssim(image: NDArray[np.floating], target: NDArray[np.floating]) -> float:
    """MS-SSIM over five scales of images of any size.

    The window is min(11, H, W) wide, a Gaussian of 1.5 * size / 11 px, so it shrinks on coarse
    scales; odd sizes round up when halved. A negative contrast term counts as 0.

    Args:
        image: (H, W, C) in 0..255, not clipped.
        target: (H, W, C) in 0..255.
    """
    x, y = np.asarray(image, np.float64), np.asarray(target, np.float64)
    score = 1.0
    for scale, weight in enumerate(WEIGHTS):
        luminance, contrast = _compare(x, y)
        term = (luminance * contrast).mean() if scale == len(WEIGHTS) - 1 else contrast.mean()
        score *= max(float(term), 0.0) ** weight
        x, y = _halve(x), _halve(y)
    return score


def _compare(x: Image, y: Image) -> tuple[Image, Image]:
    """SSIM's luminance and contrast-structure maps at valid pixels, each channel by itself."""
    window = _gaussian(min(11, *x.shape[:2]))
    mean_x, mean_y = _filter(x, window), _filter(y, window)
    variances = _filter(x * x, window) - mean_x**2 + _filter(y * y, window) - mean_y**2
    covariance = _filter(x * y, window) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return luminance, (2 * covariance + c2) / (variances + c2)


def _gaussian(size: int) -> Image:
    offset = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(offset**2) / (2 * (1.5 * size / 11) ** 2))
    return np.asarray(weights / weights.sum())


def _filter(x: Image, window: Image) -> Image:
    """Valid separable convolution over the first two axes."""
    for axis in (0, 1):
        views = np.lib.stride_tricks.sliding_window_view(x, len(window), axis=axis)
        x = views @ window
    return x


def _halve(x: Image) -> Image:
    """Mean of pixels i and i + 1 (the edge repeated) at every second pixel."""
    padded = np.pad(x, ((0, 1), (0, 1), (0, 0)), mode="edge")
    mean = (padded[:-1, :-1] + padded[1:, :-1] + padded[:-1, 1:] + padded[1:, 1:]) / 4
    return np.asarray(mean[::2, ::2])
