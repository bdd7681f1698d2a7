"""Every term of the papers' losses, in the paper's form and in the authors' code's.

Images are (N, 3, H, W) float RGB in [0, 1]; every function returns a scalar tensor, computed in
float32 or wider, inside autocast too. Where a paper and its code differ, `formula` chooses:
"paper" follows the text, "code" what produced the published tables.
"""

import math
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import ParamSpec

import torch
from pytorch_msssim import ssim
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ppcn import machine
from ppcn.params import Channels, Distance, Formula
from ppcn.photos.color import LUMA_WEIGHTS

EPSILON = 1e-5
# h of PPCN eq. 1; the paper gives no number, this is the authors' program's.
BANDWIDTH = 0.5
MAX_POSITIONS = 65**2
CHUNK = 1024

P = ParamSpec("P")


def _full_precision(function: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Switch autocast off: sums of many squares and exponentials need float32."""

    @wraps(function)
    def run(*arguments: P.args, **options: P.kwargs) -> Tensor:
        first = next(a for a in arguments if not callable(a))
        tensor = first[0] if isinstance(first, tuple) else first
        assert isinstance(tensor, Tensor)
        with torch.autocast(tensor.device.type, enabled=False):
            return function(*arguments, **options)

    return run


def _wide(x: Tensor) -> Tensor:
    """float64 as it is, everything else as float32."""
    return x if x.dtype == torch.float64 else x.float()


@_full_precision
def contextual(
    x: Tensor, y: Tensor, formula: Formula = "paper", random: torch.Generator | None = None
) -> Tensor:
    """Contextual loss between feature maps (PPCN eq. 1-2; Mechrez et al. 2018).

    Both formulas take log-softmax instead of exp, so that no distance overflows, and a random
    subset of 65^2 positions, the same in both maps, when there are more. Affinities are computed
    for 1024 positions of the generated image at a time, and again in the backward pass, so that
    at most (N, 1024, 65^2) of them are in memory.

    Args:
        x: features of the generated image, (N, C, H, W).
        y: features of the target, same shape.
        formula: "paper" compares by 1 - cosine; "code" first centres both by the target's mean
            over batch, height and width, and halves the distance.
        random: draws the subset.
    """
    x, y = _wide(x).flatten(2), _wide(y).flatten(2)
    if x.shape[2] > MAX_POSITIONS:
        chosen = torch.randperm(x.shape[2], generator=random, device=x.device)[:MAX_POSITIONS]
        x, y = x[:, :, chosen], y[:, :, chosen]
    if formula == "code":
        mean = y.mean(dim=(0, 2), keepdim=True)
        x, y = x - mean, y - mean
    x, y = F.normalize(x, dim=1), F.normalize(y, dim=1)
    halved = 1.0 if formula == "paper" else 0.5
    if x.shape[2] <= CHUNK:
        nearest = _log_affinity_of_nearest(x, y, halved)
    else:
        parts = [
            checkpoint(_log_affinity_of_nearest, part, y, halved, use_reentrant=False)
            for part in x.split(CHUNK, dim=2)
        ]
        nearest = torch.stack(parts).amax(dim=0)
    return (math.log(nearest.shape[1]) - nearest.logsumexp(dim=1)).mean()


def _log_affinity_of_nearest(x: Tensor, y: Tensor, scale: float) -> Tensor:
    """max_i log A_ij over the positions i of x, for every position j of y; (N, positions)."""
    distance = ((1 - x.transpose(1, 2) @ y) * scale).clamp_min(0)
    relative = distance / (distance.amin(dim=2, keepdim=True) + EPSILON)
    return F.log_softmax((1 - relative) / BANDWIDTH, dim=2).amax(dim=1)


@_full_precision
def structural(x: Tensor, y: Tensor) -> Tensor:
    """1 - SSIM (PPCN eq. 4-5): 11x11 Gaussian of 1.5 px, valid, per channel, batch mean.

    Args:
        x: generated images.
        y: target images.
    """
    x, y = _wide(x), _wide(y)
    if machine.prefers_few_operators(x):
        return 1 - _ssim_by_products(x, y)
    window = _ssim_row(x.device, x.dtype).expand(x.shape[1], 1, 1, 11)
    return 1 - ssim(x, y, data_range=1.0, win=window, nonnegative_ssim=False)


def _ssim_by_products(x: Tensor, y: Tensor) -> Tensor:
    """SSIM with every local mean in two matrix products, in place of ten convolutions."""
    maps = torch.stack((x, y, x.square() + y.square(), x * y))
    mean_x, mean_y, squares, products = _filter(maps, _ssim_row(x.device, x.dtype), 0).unbind()
    both, either = mean_x * mean_y, mean_x.square() + mean_y.square()
    c1, c2 = 0.01**2, 0.03**2
    contrast = (2 * (products - both) + c2) / (squares - either + c2)
    return (contrast * (2 * both + c1) / (either + c1)).mean()


def _filter(x: Tensor, row: Tensor, margin: int) -> Tensor:
    """Filter rows and columns of (..., H, W) by a symmetric `row`, with zeros on the margins.

    By products with band matrices, which start fewer operators than convolutions by channel, and
    are faster on a GPU.
    """
    height, width = x.shape[-2:]
    return _band(row, height, margin).T @ (x @ _band(row, width, margin))


@cache
def _band(row: Tensor, size: int, margin: int) -> Tensor:
    """The matrix (size, outputs) each of whose columns holds `row`, one further down each time."""
    outputs = size + 2 * margin - len(row) + 1
    place = torch.arange(size, device=row.device)[:, None] + margin
    place = place - torch.arange(outputs, device=row.device)
    inside = (place >= 0) & (place < len(row))
    return torch.where(inside, row[place.clamp(0, len(row) - 1)], 0.0)


@cache
def _ssim_row(device: torch.device, dtype: torch.dtype) -> Tensor:
    """11 values of a Gaussian of 1.5 px, made once so that no step waits for them."""
    offset = torch.arange(-5, 6, dtype=torch.float64, device=device)
    row = torch.exp(-(offset**2) / (2 * 1.5**2))
    return (row / row.sum()).to(dtype)


def color_blur_kernel(formula: Formula = "paper", device: torch.device | None = None) -> Tensor:
    """The blur of the colour loss (PPCN eq. 9), (21, 21) float64.

    "paper": A exp(-k^2/(2s) - l^2/(2s)) with A = 0.053 and s = 3, a standard deviation of
    1.73 px. "code": the square root of the outer product of a binned Gaussian with itself,
    renormalised, a standard deviation of 4.34 px.
    """
    k = torch.arange(-10, 11, dtype=torch.float64, device=device)
    if formula == "paper":
        row = torch.exp(-(k**2) / 6)
        return 0.053 * torch.outer(row, row)
    row = _binned_gaussian(device=device)
    kernel = torch.outer(row, row).sqrt()
    return kernel / kernel.sum()


def _binned_gaussian(
    sigma: float = 3.0, size: int = 21, device: torch.device | None = None
) -> Tensor:
    """Standard normal integrated over `size` equal bins around [-sigma, sigma]."""
    limit = sigma + (2 * sigma + 1) / (2 * size)
    edges = torch.linspace(-limit, limit, size + 1, dtype=torch.float64, device=device)
    return torch.special.ndtr(edges).diff()


@_full_precision
def color(x: Tensor, y: Tensor, formula: Formula = "paper") -> Tensor:
    """Squared L2 distance of the blurred images (PPCN eq. 9-10), mean over the batch.

    The border is padded with zeros. "code" halves the sum as well.
    """
    difference = _wide(x) - _wide(y)
    row = _color_blur_row(formula, difference.device, difference.dtype)
    if machine.prefers_few_operators(x):
        blurred = _filter(difference, row, 10)
    else:
        blurred = F.conv2d(difference, row.expand(3, 1, 1, 21), padding=(0, 10), groups=3)
        blurred = F.conv2d(blurred, row.view(21, 1).expand(3, 1, 21, 1), padding=(10, 0), groups=3)
    total = blurred.square().sum() / len(x)
    return total if formula == "paper" else total / 2


@cache
def _color_blur_row(formula: Formula, device: torch.device, dtype: torch.dtype) -> Tensor:
    """21 values whose outer product with themselves is the kernel; rows and columns suffice."""
    return color_blur_kernel(formula, device).diag().sqrt().to(dtype)


@_full_precision
def total_variation(x: Tensor, formula: Formula = "paper") -> Tensor:
    """Total variation (PPCN eq. 11), mean over the batch.

    "paper": the norm of dx + dy over C, H, W, divided by CHW, as printed, so that edges along one
    diagonal cost nothing. "code": the mean of dx^2 plus the
    mean of dy^2.
    """
    x = _wide(x)
    dx = x[:, :, :, 1:] - x[:, :, :, :-1]
    dy = x[:, :, 1:, :] - x[:, :, :-1, :]
    if formula == "code":
        return dx.square().mean() + dy.square().mean()
    both = F.pad(dx, (0, 1)) + F.pad(dy, (0, 0, 0, 1))
    norms = torch.linalg.vector_norm(both, dim=(1, 2, 3))
    return norms.mean() / x[0].numel()


@_full_precision
def distillation(
    student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], formula: Formula = "paper"
) -> Tensor:
    """Distance of channel-mean maps (PPCN eq. 12), summed over taps, mean over the batch.

    Args:
        student: tapped feature maps, each (N, C, H, W).
        teacher: the same taps of the teacher; the number of channels may differ.
        formula: "paper" is the L2 norm of the difference, "code" half of its square.
    """
    total = _wide(student[0]).new_zeros(())
    for ours, theirs in zip(student, teacher, strict=True):
        difference = _unit_map(ours) - _unit_map(theirs)
        if formula == "paper":
            total = total + torch.linalg.vector_norm(difference, dim=1).mean()
        else:
            total = total + difference.square().sum(dim=1).mean() / 2
    return total


def _unit_map(features: Tensor) -> Tensor:
    dtype = torch.promote_types(features.dtype, torch.float32)
    return F.normalize(features.mean(dim=1, dtype=dtype).flatten(1), dim=1)


@_full_precision
def texture(logits: Tensor) -> Tensor:
    """-sum_i log D(G(x_i)) (PPCN eq. 8), from the discriminator's logits (N,)."""
    return F.softplus(-_wide(logits)).sum()


@_full_precision
def discrimination(real: Tensor, fake: Tensor) -> Tensor:
    """Cross-entropy that D minimises, summed over the batch, from logits (N,) of each kind."""
    return F.softplus(-_wide(real)).sum() + F.softplus(_wide(fake)).sum()


@_full_precision
def swapped_discrimination(logits: Tensor, is_real: Tensor) -> Tensor:
    """Summed cross-entropy of a batch in which some images are real (the authors' code).

    Args:
        logits: (N,) for images of which those marked in `is_real` are the camera's.
        is_real: (N,) of 0 and 1.
    """
    logits = _wide(logits)
    return F.binary_cross_entropy_with_logits(logits, is_real.to(logits), reduction="sum")


@_full_precision
def absolute(x: Tensor, y: Tensor, channels: Channels = "equal") -> Tensor:
    """Mean absolute error (PPCN eq. 3, and the L1 loss of Table 3's footnote).

    Args:
        x: generated images.
        y: target images.
        channels: "luma" weighs red, green and blue by 0.299, 0.587 and 0.114 and sums them
            (BOE-SBG eq. 2); "equal" takes their mean.
    """
    error = (_wide(x) - _wide(y)).abs()
    if channels == "equal":
        return error.mean()
    red, green, blue = error.mean(dim=(0, 2, 3)).unbind()
    return LUMA_WEIGHTS[0] * red + LUMA_WEIGHTS[1] * green + LUMA_WEIGHTS[2] * blue


@_full_precision
def squared(x: Tensor, y: Tensor) -> Tensor:
    """Mean squared error (SRCNN, VDSR, FSRCNN)."""
    return F.mse_loss(_wide(x), _wide(y))


@_full_precision
def with_luma(
    distance: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor, share: float
) -> Tensor:
    """A distance of images, of which a share is taken on their brightness (BT.601).

    Args:
        distance: `absolute` or `squared`.
        x: generated images.
        y: target images.
        share: 0..1; 0 is the distance itself.
    """
    if not share:
        return distance(x, y)
    weights = _constants(LUMA_WEIGHTS, x.device, torch.float32).view(1, 3, 1, 1)
    brightness = distance(*((_wide(i) * weights).sum(1, keepdim=True) for i in (x, y)))
    return (1 - share) * distance(x, y) + share * brightness


@_full_precision
def perceptual(x: Tensor, y: Tensor, distance: Distance = "mean_squared") -> Tensor:
    """Distance of VGG features (N, C, H, W), mean over the batch.

    Args:
        x: features of the generated image.
        y: features of the target.
        distance: "mean_squared" is ||x - y||^2 / CHW (BOE-SBG eq. 3, DPED's code); "norm" is
            ||x - y|| / CHW (DPED eq. 6 as printed); "sum_squared" is ||x - y||^2 (PPCN Table 3,
            footnote).
    """
    difference = (_wide(x) - _wide(y)).flatten(1)
    if distance == "norm":
        return torch.linalg.vector_norm(difference, dim=1).mean() / difference.shape[1]
    squares = difference.square()
    return squares.mean() if distance == "mean_squared" else squares.sum() / len(x)


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Sum of weights[name] * terms[name] over the terms."""
    values = torch.stack(list(terms.values()))
    factors = tuple(float(weights[name]) for name in terms)
    return (values * _constants(factors, values.device, values.dtype)).sum()


@cache
def _constants(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Numbers on a device, brought there once."""
    return torch.tensor(values, device=device, dtype=dtype)
