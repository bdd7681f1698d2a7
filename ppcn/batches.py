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
from ppcn.params import SuperResolution
from ppcn.resize import enlarge
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


def crop_batches(crops: CropSet, sr: SuperResolution) -> Draw:
    """Draw random parts of crops, flipped and turned, with the LR part enlarged x4.

    Deviation: augmentation follows the LR image's making, which is the same up to rounding,
    since Pillow's bicubic is symmetric and parts start at multiples of 4.
    """
    if sr.train_crop > crops.size:
        raise UserError(f"sr.train_crop is larger than the stored crops of {crops.size} px; run lr")
    small = sr.train_crop // 4

    def draw(random: np.random.Generator) -> tuple[Images, Images]:
        inputs, targets = [], []
        for index in random.integers(0, len(crops), sr.batch):
            hr, lr = crops.read(int(index))
            y, x = random.integers(0, lr.shape[0] - small + 1, 2)
            part = hr[4 * y : 4 * y + sr.train_crop, 4 * x : 4 * x + sr.train_crop]
            turn = int(random.integers(8))
            inputs.append(dihedral(enlarge(lr[y : y + small, x : x + small]), turn))
            targets.append(dihedral(part, turn))
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
    photos: Iterable[tuple[str, Images, Images]], side: int = 256, most: int = 16
) -> "ValidationPairs":
    """The middle of held-out photos (stem, HR, LR), enlarged x4: inputs and sharp targets."""
    inputs, targets = [], []
    for _, hr, lr in islice(photos, most):
        y, x = ((n - side) // 2 // 4 * 4 for n in hr.shape[:2])
        if min(y, x) < 0:
            raise UserError("sr.hr_valid: a held-out photo is smaller than 256 px after sr.reduce")
        inputs.append(enlarge(lr)[y : y + side, x : x + side])
        targets.append(hr[y : y + side, x : x + side])
    return ValidationPairs(np.stack(inputs), np.stack(targets))


@dataclass(frozen=True)
class ValidationPairs:
    """Pairs on which progress is measured.

    Attributes:
        inputs: (N, H, W, 3) uint8.
        targets: same shape.
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
