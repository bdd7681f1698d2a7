"""NIQE: how natural a picture looks, without a reference (Mittal et al. 2013)."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from scipy.special import gamma

from ppcn.photos.resize import imresize

Floats = NDArray[np.float64]

BLOCK = 96
PRISTINE = Path(__file__).with_name("niqe_pris_params.npz")
"""The official release's model of undistorted pictures; see NIQE_NOTICE.txt."""
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
SHAPES = np.arange(0.2, 10.001, 0.001)
RATIOS = gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES))


def niqe(luma: NDArray[np.number]) -> float:
    """NIQE of a picture's Y channel; lower is more natural.

    As in the official release: 96x96 blocks without overlap at two scales, every block counts,
    and the picture is cut at the right and bottom to whole blocks.

    Args:
        luma: (H, W), Y in 16..235, rounded to whole numbers here; at least two blocks.

    Raises:
        ValueError: the picture is smaller, or flat.
    """
    return niqe_of_all([luma])


def niqe_of_all(lumas: Iterable[NDArray[np.number]]) -> float:
    """One NIQE of the blocks of several pictures, as if they were one picture without seams.

    Patches of one block each, of which none has a NIQE of its own, have one together.

    Args:
        lumas: as of `niqe`, each (H, W) of its own; at least two blocks in all.

    Raises:
        ValueError: there are fewer blocks, or fewer that are not flat.
    """
    parts = [_features_of_blocks(luma) for luma in lumas if blocks_in(*luma.shape)]
    if sum(map(len, parts)) < 2:
        raise ValueError(f"NIQE needs at least two blocks of {BLOCK}x{BLOCK} px")
    features = np.concatenate(parts)
    varied = features[~np.isnan(features).any(axis=1)]
    if len(varied) < 2:
        raise ValueError("NIQE needs at least two blocks that are not flat")
    mean = np.nanmean(features, axis=0)
    covariance = np.cov(varied, rowvar=False)
    pristine_mean, pristine_covariance = _pristine()
    difference = pristine_mean - mean
    inverse = np.linalg.pinv((pristine_covariance + covariance) / 2)
    return float(np.sqrt(difference @ inverse @ difference))


def blocks_in(height: int, width: int) -> int:
    """Number of NIQE's blocks in a picture of this size, px."""
    return height // BLOCK * (width // BLOCK)


def _features_of_blocks(luma: NDArray[np.number]) -> Floats:
    """(blocks, 36): the features of both scales."""
    height, width = (n // BLOCK * BLOCK for n in luma.shape)
    image = np.rint(np.asarray(luma, np.float64))[:height, :width]
    fine = _features(image, BLOCK)
    coarse = _features(imresize(image / 255, 0.5) * 255, BLOCK // 2)
    return np.concatenate((fine, coarse), axis=1)


@cache
def _pristine() -> tuple[Floats, Floats]:
    with np.load(PRISTINE) as stored:
        return stored["mu_pris_param"].ravel(), stored["cov_pris_param"]


def _features(image: Floats, block: int) -> Floats:
    """(blocks, 18): shape and scale of normalised pixels and of neighbours' products."""
    normal = _normalise(image)
    rows, columns = (n // block for n in image.shape)
    return np.array(
        [
            _block_features(normal[y * block :, x * block :][:block, :block])
            for x in range(columns)
            for y in range(rows)
        ]
    )


def _normalise(image: Floats) -> Floats:
    """(image - local mean) / (local deviation + 1), with a 7x7 Gaussian of 7/6 px (eq. 1)."""
    offset = np.arange(-3, 4)
    window = np.exp(-(offset**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()

    def smooth(x: Floats) -> Floats:
        return correlate1d(correlate1d(x, window, 0, mode="nearest"), window, 1, mode="nearest")

    mean = smooth(image)
    deviation = np.sqrt(np.abs(smooth(image**2) - mean**2))
    return np.asarray((image - mean) / (deviation + 1))


def _block_features(block: Floats) -> list[float]:
    shape, left, right = _fit_gaussian(block)
    features = [shape, (left + right) / 2]
    for shift in SHIFTS:
        shape, left, right = _fit_gaussian(block * np.roll(block, shift, axis=(0, 1)))
        mean = (right - left) * gamma(2 / shape) / gamma(1 / shape)
        features += [shape, mean, left, right]
    return features


def _fit_gaussian(values: Floats) -> tuple[float, float, float]:
    """Shape, left and right scale of an asymmetric generalised Gaussian, by moments (eq. 4-7)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (
            np.sqrt(np.sum(values[side] ** 2) / np.count_nonzero(side))
            for side in (values < 0, values > 0)
        )
        ratio = left / right
        moment = np.mean(np.abs(values)) ** 2 / np.mean(values**2)
        moment *= (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shape = SHAPES[np.argmin((RATIOS - moment) ** 2)]
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale
