"""Scores under named protocols: `pirm2018` for enhancement, `sr_y_shave4` for super-resolution."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ppcn.devices import choose_device, evaluating, place, to_tensor
from ppcn.images import Photo
from ppcn.metrics import pirm_ms_ssim, psnr, ssim
from ppcn.resize import SCALE

Floats = NDArray[np.float64]
Enhance = Callable[[Photo], Floats]
Y_WEIGHTS = np.array([65.481, 128.553, 24.966])


def run_network(network: nn.Module) -> Enhance:
    """Turn a network into a function from (H, W, 3) uint8 to (H, W, 3) float64, unclipped."""
    place(network)
    device = choose_device()

    def enhance(photo: Photo) -> Floats:
        with evaluating(network):
            output = network(to_tensor(photo[None], device))
        return np.asarray(output[0].permute(1, 2, 0).double().cpu())

    return enhance


def do_nothing(photo: Photo) -> Floats:
    """The photo itself, in [0, 1]."""
    return np.asarray(photo / 255.0)


def score_enhancement(
    methods: Mapping[str, Enhance], pairs: Iterable[tuple[Photo, Photo]]
) -> dict[str, Any]:
    """Score enhancement of patches under `pirm2018` (PPCN Tables 3 and 4).

    PSNR and SSIM on the clipped output over all channels, MS-SSIM on the unclipped; means over
    images. Pairs whose photos are identical are left out of do-nothing's mean PSNR, which
    would be infinite, and counted.

    Args:
        methods: by name; each gives an image in [0, 1] that may overshoot.
        pairs: phone and camera patches, (H, W, 3) uint8.
    """
    scores: dict[str, list[tuple[float, float, float]]] = {name: [] for name in methods}
    identical = 0
    for phone, camera in pairs:
        target = camera / 255.0
        identical += np.array_equal(phone, camera)
        for name, enhance in methods.items():
            output = enhance(phone)
            clipped = output.clip(0, 1)
            scores[name].append(
                (
                    psnr(clipped, target, 1.0),
                    ssim(clipped, target, 1.0),
                    pirm_ms_ssim(output * 255, target * 255),
                )
            )
    return {
        "protocol": "pirm2018",
        "images": len(next(iter(scores.values()))),
        "identical": identical,
        **{name: _mean_scores(rows, ("psnr", "ssim", "ms_ssim")) for name, rows in scores.items()},
    }


def score_superres(
    methods: Mapping[str, Enhance], photos: Iterable[tuple[Photo, Photo]]
) -> dict[str, Any]:
    """Score x4 super-resolution under `sr_y_shave4` (PPCN Table 1).

    PSNR and SSIM on Y in 0..255 after shaving 4 px from each side; means over images.

    Args:
        methods: by name; each takes the enlarged photo and gives an image in [0, 1].
        photos: sharp photo and bicubically enlarged photo, (H, W, 3) uint8.
    """
    scores: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    for hr, enlarged in photos:
        target = _shaved_y(hr / 255.0)
        for name, sharpen in methods.items():
            output = _shaved_y(sharpen(enlarged).clip(0, 1))
            scores[name].append((psnr(output, target, 255.0), ssim(output, target, 255.0)))
    return {
        "protocol": "sr_y_shave4",
        "images": len(next(iter(scores.values()))),
        **{name: _mean_scores(rows, ("psnr", "ssim")) for name, rows in scores.items()},
    }


def luma(image: Floats) -> Floats:
    """ITU-R BT.601 Y in 16..235 of RGB (H, W, 3) in [0, 1]."""
    return np.asarray(image @ Y_WEIGHTS + 16)


def _shaved_y(image: Floats) -> Floats:
    return luma(image)[SCALE:-SCALE, SCALE:-SCALE]


def _mean_scores(rows: Sequence[tuple[float, ...]], names: tuple[str, ...]) -> dict[str, float]:
    """Mean of each column over the rows in which it is finite."""
    columns = np.array(rows).T
    return {
        name: float(column[np.isfinite(column)].mean()) if np.isfinite(column).any() else np.inf
        for name, column in zip(names, columns, strict=True)
    }
