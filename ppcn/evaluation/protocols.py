"""Scores under named protocols, so that two tables can be compared.

Enhancement of patches or photos:

- `pirm2018` (PPCN Tables 3 and 4): PSNR and SSIM on the clipped output over all channels, MS-SSIM
  of the challenge on the unclipped one.
- `dped_test` (DPED Table 2, BOE-SBG Tables 2 and 3): the output as it would be saved, clipped and
  rounded to 8 bits; PSNR, SSIM and, of images of at least two blocks of 96 px that are not flat,
  NIQE on Y.
  Deviation: the papers do not say how they computed theirs.

Super-resolution x4, on Y in 0..255 after shaving 4 px from each side, output clipped (at other
scales k, k px, and the names say so):

- `sr_y_shave4` (PPCN Table 1): LR images by Pillow's bicubic, enlarged by it too.
- `sr_y_shave4_matlab`: LR images by MATLAB's imresize or as given, enlarged by it too.

Means are over images.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ppcn.errors import UserError
from ppcn.evaluation.metrics import niqe, pirm_ms_ssim, psnr, ssim
from ppcn.networks import NETWORKS
from ppcn.networks.devices import choose_device, evaluating, place, to_tensor
from ppcn.photos.color import luma
from ppcn.photos.decode import Photo
from ppcn.photos.resize import SCALE, enlarge, matlab_enlarge, matlab_shrink, shrink

Floats = NDArray[np.float64]
Enhance = Callable[[Photo], Floats]
Resize = Callable[[Photo], Photo]
ResizeBy = Callable[[Photo, int], Photo]
Scores = dict[str, float]
EnhancementProtocol = Literal["pirm2018", "dped_test"]
SRProtocol = Literal["sr_y_shave4", "sr_y_shave4_matlab"]
SMALLEST_SSIM = 11


class Bicubic(NamedTuple):
    """How a protocol makes LR images and enlarges them, (H, W, 3) uint8, by a factor."""

    shrink: ResizeBy
    enlarge: ResizeBy


BICUBIC: dict[SRProtocol, Bicubic] = {
    "sr_y_shave4": Bicubic(shrink, enlarge),
    "sr_y_shave4_matlab": Bicubic(matlab_shrink, matlab_enlarge),
}


def run_network(network: nn.Module) -> Enhance:
    """Turn a network into a function from (H, W, 3) uint8 to (H, W, 3) float64, unclipped."""
    place(network)
    device = choose_device()

    def enhance(photo: Photo) -> Floats:
        with evaluating(network):
            output = network(to_tensor(photo[None], device))
        return np.asarray(output[0].permute(1, 2, 0).double().cpu())

    return enhance


def run_upscaler(name: str, network: nn.Module, enlarge: Resize = enlarge) -> Enhance:
    """Turn a super-resolution network into a function from LR to HR, whatever it reads.

    Args:
        name: of the network in `NETWORKS`.
        network: the network.
        enlarge: the protocol's, for networks that sharpen an enlarged photo.
    """
    run = run_network(network)
    if NETWORKS[name].input == "lr":
        return run
    return lambda lr: run(enlarge(lr))


def do_nothing(photo: Photo) -> Floats:
    """The photo itself, in [0, 1]."""
    return np.asarray(photo / 255.0)


def bicubic(lr: Photo, enlarge: Resize = enlarge) -> Floats:
    """The LR photo enlarged, in [0, 1]."""
    return do_nothing(enlarge(lr))


def score_enhancement(
    methods: Mapping[str, Enhance],
    pairs: Iterable[tuple[Photo, Photo]],
    protocol: EnhancementProtocol = "pirm2018",
) -> dict[str, Any]:
    """Score enhancement of patches or photos against the better camera's.

    Pairs whose photos are identical are counted, and left out of a method's mean PSNR where that
    would be infinite (do-nothing's).

    Args:
        methods: by name; each gives an image in [0, 1] that may overshoot.
        pairs: the phone's and the better camera's photos, (H, W, 3) uint8.
        protocol: see the module.
    """
    compare = {"pirm2018": _compare_pirm2018, "dped_test": _compare_dped_test}[protocol]
    scores: dict[str, list[Scores]] = {name: [] for name in methods}
    identical = 0
    for phone, reference in pairs:
        identical += np.array_equal(phone, reference)
        for name, enhance in methods.items():
            scores[name].append(compare(checked(enhance(phone), name), reference / 255.0))
    return {
        "protocol": protocol,
        "images": len(next(iter(scores.values()))),
        "identical": identical,
        **{name: means_of(rows) for name, rows in scores.items()},
    }


def _compare_pirm2018(output: Floats, target: Floats) -> Scores:
    clipped = output.clip(0, 1)
    return {
        "psnr": psnr(clipped, target, 1.0),
        "ssim": ssim(clipped, target, 1.0),
        "ms_ssim": pirm_ms_ssim(output * 255, target * 255),
    }


def as_saved(output: Floats) -> Floats:
    """An output as a file of 8 bits holds it, in [0, 1]."""
    return np.asarray(np.rint(output.clip(0, 1) * 255) / 255)


def _compare_dped_test(output: Floats, target: Floats) -> Scores:
    saved = as_saved(output)
    scores = {"psnr": psnr(saved, target, 1.0), "ssim": ssim(saved, target, 1.0)}
    naturally = naturalness(saved)
    return scores if naturally is None else {**scores, "niqe": naturally}


def naturalness(image: Floats) -> float | None:
    """NIQE on Y of an RGB image (H, W, 3) in [0, 1], clipped; None where it is not defined."""
    try:
        return niqe(luma(image.clip(0, 1)))
    except ValueError:
        return None


def checked(output: Floats, name: str) -> Floats:
    """The output of a method.

    Raises:
        UserError: it holds values that are not finite.
    """
    if not np.isfinite(output).all():
        raise UserError(f"{name}: its output holds values that are not finite; train it again")
    return output


def score_sr(
    methods: Mapping[str, Enhance],
    photos: Iterable[tuple[Photo, Photo]],
    protocol: SRProtocol = "sr_y_shave4",
    scale: int = SCALE,
) -> dict[str, Any]:
    """Score super-resolution.

    Args:
        methods: by name; each takes the LR photo and gives an image in [0, 1] of the HR size.
        photos: HR and LR photo, (H, W, 3) uint8, made as the protocol says.
        protocol: only named here.
        scale: HR pixels per LR pixel, along a side.
    """
    scores: dict[str, list[Scores]] = {name: [] for name in methods}
    for hr, lr in photos:
        target = _shaved_y(hr / 255.0, scale)
        for name, upscale in methods.items():
            output = _shaved_y(checked(upscale(lr), name).clip(0, 1), scale)
            values = {"psnr": psnr(output, target, 255.0), "ssim": ssim(output, target, 255.0)}
            scores[name].append(values)
    return {
        "protocol": protocol.replace(f"shave{SCALE}", f"shave{scale}"),
        "images": len(next(iter(scores.values()))),
        **{name: means_of(rows) for name, rows in scores.items()},
    }


def _shaved_y(image: Floats, scale: int) -> Floats:
    return luma(image)[scale:-scale, scale:-scale]


def means_of(rows: Sequence[Scores]) -> Scores:
    """Mean of each score over the images that have it; infinite PSNR is left out."""
    means: Scores = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row[name] for row in rows if name in row]
        finite = [value for value in values if value != np.inf]
        means[name] = float(np.mean(finite)) if finite else np.inf
        if len(values) < len(rows):
            means[f"{name}_images"] = len(values)
    return means
