"""Every term of PPCN's losses (eq. 1-13), in the paper's form and in the authors' code's.

Images are (N, 3, H, W) float RGB in [0, 1]; every function returns a scalar tensor, computed in
float32 or wider. Where the paper and the code differ, `formula` chooses: "paper" follows the
text, "code" what produced the published tables.
"""

import math
from collections.abc import Mapping

import torch
from pytorch_msssim import ssim
from torch import Tensor
from torch.nn import functional as F

from ppcn.params import Formula

EPSILON = 1e-5
BANDWIDTH = 0.5
MAX_POSITIONS = 65**2


def contextual(
    x: Tensor, y: Tensor, formula: Formula = "paper", random: torch.Generator | None = None
) -> Tensor:
    """Contextual loss between feature maps (PPCN eq. 1-2; Mechrez et al. 2018).

    Both formulas take log-softmax instead of exp, so that no distance overflows, and a random
    subset of 65^2 positions, the same in both maps, when there are more.

    Args:
        x: features of the generated image, (N, C, H, W).
        y: features of the target, same shape.
        formula: "paper" compares by 1 - cosine; "code" first centres both by the target's mean
            over batch, height and width, and halves the distance.
        random: draws the subset.
    """
    x, y = x.float().flatten(2), y.float().flatten(2)
    if x.shape[2] > MAX_POSITIONS:
        chosen = torch.randperm(x.shape[2], generator=random, device=x.device)[:MAX_POSITIONS]
        x, y = x[:, :, chosen], y[:, :, chosen]
    if formula == "code":
        mean = y.mean(dim=(0, 2), keepdim=True)
        x, y = x - mean, y - mean
    cosine = F.normalize(x, dim=1).transpose(1, 2) @ F.normalize(y, dim=1)
    distance = 1 - cosine if formula == "paper" else (1 - cosine) / 2
    distance = distance.clamp_min(0)
    relative = distance / (distance.amin(dim=2, keepdim=True) + EPSILON)
    affinity = F.log_softmax((1 - relative) / BANDWIDTH, dim=2)
    nearest = affinity.amax(dim=1)
    return (math.log(nearest.shape[1]) - nearest.logsumexp(dim=1)).mean()


def structural(x: Tensor, y: Tensor, peak: float = 1.0) -> Tensor:
    """1 - SSIM (PPCN eq. 4-5): 11x11 Gaussian of 1.5 px, valid, per channel, batch mean.

    Args:
        x: generated images.
        y: target images.
        peak: the largest value an image can have.
    """
    return 1 - ssim(x.float(), y.float(), data_range=peak, nonnegative_ssim=False)


def color_blur_kernel(formula: Formula = "paper") -> Tensor:
    """The blur of the colour loss (PPCN eq. 9), (21, 21) float32.

    "paper": A exp(-k^2/(2s) - l^2/(2s)) with A = 0.053 and s = 3, a standard deviation of
    1.73 px. "code": the square root of the outer product of a binned Gaussian with itself,
    renormalised, a standard deviation of 4.34 px.
    """
    k = torch.arange(-10, 11, dtype=torch.float64)
    if formula == "paper":
        row = torch.exp(-(k**2) / 6)
        return (0.053 * torch.outer(row, row)).float()
    row = _binned_gaussian()
    kernel = torch.outer(row, row).sqrt()
    return (kernel / kernel.sum()).float()


def _binned_gaussian(sigma: float = 3.0, size: int = 21) -> Tensor:
    """Standard normal integrated over `size` equal bins around [-sigma, sigma]."""
    reach = sigma + (2 * sigma + 1) / (2 * size)
    edges = torch.linspace(-reach, reach, size + 1, dtype=torch.float64)
    return torch.special.ndtr(edges).diff()


def color(x: Tensor, y: Tensor, formula: Formula = "paper") -> Tensor:
    """Squared L2 distance of the blurred images (PPCN eq. 9-10), mean over the batch.

    The border is padded with zeros. "code" halves the sum as well.
    """
    kernel = color_blur_kernel(formula).to(x.device).expand(3, 1, 21, 21)
    blurred = F.conv2d((x - y).float(), kernel, padding=10, groups=3)
    total = blurred.square().sum() / len(x)
    return total if formula == "paper" else total / 2


def total_variation(x: Tensor, formula: Formula = "paper") -> Tensor:
    """Total variation (PPCN eq. 11), mean over the batch.

    "paper": the norm of dx + dy over C, H, W, divided by CHW, as printed, so that edges along one
    diagonal cost nothing. "code": the mean of dx^2 plus the
    mean of dy^2.
    """
    x = x.float()
    dx = x[:, :, :, 1:] - x[:, :, :, :-1]
    dy = x[:, :, 1:, :] - x[:, :, :-1, :]
    if formula == "code":
        return dx.square().mean() + dy.square().mean()
    both = F.pad(dx, (0, 1)) + F.pad(dy, (0, 0, 0, 1))
    norms = torch.linalg.vector_norm(both, dim=(1, 2, 3))
    return norms.mean() / x[0].numel()


def distillation(
    student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], formula: Formula = "paper"
) -> Tensor:
    """Distance of channel-mean maps (PPCN eq. 12), summed over taps, mean over the batch.

    Args:
        student: tapped feature maps, each (N, C, H, W).
        teacher: the same taps of the teacher; the number of channels may differ.
        formula: "paper" is the L2 norm of the difference, "code" half of its square.
    """
    total = student[0].new_zeros((), dtype=torch.float32)
    for ours, theirs in zip(student, teacher, strict=True):
        difference = _unit_map(ours) - _unit_map(theirs)
        if formula == "paper":
            total = total + torch.linalg.vector_norm(difference, dim=1).mean()
        else:
            total = total + difference.square().sum(dim=1).mean() / 2
    return total


def _unit_map(features: Tensor) -> Tensor:
    return F.normalize(features.float().mean(dim=1).flatten(1), dim=1)


def texture(logits: Tensor) -> Tensor:
    """-sum_i log D(G(x_i)) (PPCN eq. 8), from the discriminator's logits (N,)."""
    return F.softplus(-logits.float()).sum()


def discrimination(real: Tensor, fake: Tensor) -> Tensor:
    """Cross-entropy that D minimises, summed over the batch, from logits (N,) of each kind."""
    return F.softplus(-real.float()).sum() + F.softplus(fake.float()).sum()


def swapped_discrimination(logits: Tensor, is_real: Tensor) -> Tensor:
    """Summed cross-entropy of a batch in which some images are real (the authors' code).

    Args:
        logits: (N,) for images of which those marked in `is_real` are the camera's.
        is_real: (N,) of 0 and 1.
    """
    return F.binary_cross_entropy_with_logits(logits.float(), is_real.float(), reduction="sum")


def absolute(x: Tensor, y: Tensor) -> Tensor:
    """Mean absolute error (PPCN eq. 3, and the L1 loss of Table 3's footnote)."""
    return (x.float() - y.float()).abs().mean()


def perceptual(x: Tensor, y: Tensor) -> Tensor:
    """Mean squared difference of VGG features (the VGG loss of Table 3's footnote).

    Deviation: the footnote's squared L2 norm is divided by the number of features, so that its
    weight does not depend on the patch size.
    """
    return F.mse_loss(x.float(), y.float())


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Sum of weights[name] * terms[name] over the terms."""
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()
