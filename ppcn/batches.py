"""Batches for training and validation, from patch sets and crops."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ppcn.datasets import CropSet, PatchSet
from ppcn.devices import choose_device, evaluating, to_tensor
from ppcn.errors import UserError
from ppcn.params import SharpenerTraining
from ppcn.resize import SCALE, enlarge
from ppcn.splits import TRAIN, VALIDATION

Images = NDArray[np.uint8]
Draw = Callable[[np.random.Generator], tuple[Images, Images]]


def patch_batches(patches: PatchSet, batch: int) -> Draw:
    """Draw training pairs at random, each pair flipped and transposed together."""
    indices = patches.of_split(TRAIN, "training")

    def draw(random: np.random.Generator) -> tuple[Images, Images]:
        phone, dslr = patches.read(random.choice(indices, batch))
        turns = random.integers(0, 8, batch)
        turned = [[dihedral(p, t) for p, t in zip(s, turns, strict=True)] for s in (phone, dslr)]
        return np.stack(turned[0]), np.stack(turned[1])

    return draw


def crop_batches(crops: CropSet, training: SharpenerTraining, enlarged: bool) -> Draw:
    """Draw random parts of crops, flipped and turned.

    Deviation: augmentation follows the LR image's making, which is the same up to rounding,
    since Pillow's bicubic is symmetric and parts start at multiples of 4.

    Args:
        crops: HR and LR crops.
        training: size and number of the parts.
        enlarged: whether the inputs are enlarged x4, as most networks read them.

    Raises:
        UserError: the stored crops are too small.
    """
    side = training.train_crop
    if side > crops.size:
        raise UserError(f"train_crop is larger than the stored crops of {crops.size} px; run lr")
    small = side // SCALE

    def draw(random: np.random.Generator) -> tuple[Images, Images]:
        inputs, targets = [], []
        for index in random.integers(0, len(crops), training.batch):
            hr, lr = crops.read(int(index))
            y, x = random.integers(0, lr.shape[0] - small + 1, 2)
            part = lr[y : y + small, x : x + small]
            y, x, turn = SCALE * y, SCALE * x, int(random.integers(8))
            inputs.append(dihedral(enlarge(part) if enlarged else part, turn))
            targets.append(dihedral(hr[y : y + side, x : x + side], turn))
        return np.stack(inputs), np.stack(targets)

    return draw


def dihedral(image: Images, turn: int) -> Images:
    """One of the eight flips and quarter turns of (H, W, C); 0 leaves the image alone."""
    turned = np.rot90(image, turn % 4)
    return turned[:, ::-1] if turn >= 4 else turned


def validation_patches(patches: PatchSet, most: int = 64) -> "ValidationPairs":
    """At most `most` pairs of the validation photos, evenly spread."""
    indices = patches.of_split(VALIDATION, "validation")
    chosen = indices[:: -(-len(indices) // most)]
    return ValidationPairs(*patches.read(chosen))


def validation_photos(
    photos: Iterable[tuple[str, Images, Images]],
    enlarged: bool,
    side: int = 256,
    most: int = 16,
) -> "ValidationPairs":
    """The middle of held-out photos (stem, HR, LR): inputs, enlarged x4 or not, and targets."""
    inputs, targets = [], []
    for _, hr, lr in islice(photos, most):
        y, x = ((n - side) // 2 // SCALE * SCALE for n in hr.shape[:2])
        if min(y, x) < 0:
            raise UserError("sr.hr_valid: a held-out photo is smaller than 256 px after sr.reduce")
        targets.append(hr[y : y + side, x : x + side])
        source, scale = (enlarge(lr), 1) if enlarged else (lr, SCALE)
        rows, columns = (slice(n // scale, (n + side) // scale) for n in (y, x))
        inputs.append(source[rows, columns])
    return ValidationPairs(np.stack(inputs), np.stack(targets))


@dataclass(frozen=True)
class ValidationPairs:
    """Pairs on which progress is measured.

    Attributes:
        inputs: (N, H, W, 3) uint8.
        targets: same shape, or four times as high and wide.
    """

    inputs: Images
    targets: Images

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """Mean PSNR in dB of the clipped outputs."""
        device = choose_device()
        x, y = (to_tensor(images, device) for images in (self.inputs, self.targets))
        with evaluating(network):
            output = torch.cat([network(part) for part in x.split(16)]).clamp(0, 1)
        errors = (output - y).square().mean(dim=(1, 2, 3)).clamp_min(1e-10)
        return {"psnr": float((-10 * errors.log10()).mean())}
