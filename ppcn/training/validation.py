"""The image pairs on which a training run is judged while it goes on; never trained on."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ppcn.dataset.patch_set import PatchSet
from ppcn.dataset.splits import VALIDATION
from ppcn.errors import UserError
from ppcn.networks.devices import choose_device, evaluating, to_tensor
from ppcn.photos.color import luma
from ppcn.photos.decode import Photo
from ppcn.photos.niqe import BLOCK, blocks_in, niqe_of_all
from ppcn.photos.resize import SCALE, enlarge

Images = NDArray[np.uint8]
PER_PASS = 16


@dataclass(frozen=True)
class ValidationPairs:
    """Pairs on which progress is measured.

    Attributes:
        inputs: (N, H, W, 3) uint8.
        targets: same shape, or four times as high and wide.
    """

    inputs: Images
    targets: Images

    def psnr(self, network: nn.Module) -> float:
        """Mean PSNR in dB of the clipped outputs."""
        target = to_tensor(self.targets, choose_device())
        errors = (self._run(network, self.inputs) - target).square().mean(dim=(1, 2, 3))
        return float((-10 * errors.clamp_min(1e-10).log10()).mean())

    def check_niqe(self) -> None:
        """Refuse images that have no NIQE.

        Raises:
            UserError: they hold fewer than two blocks in all.
        """
        count, height, width = self.targets.shape[:3]
        if count * blocks_in(height, width) < 2:
            raise UserError(
                f"keep is niqe, which needs two validation images of {BLOCK} px or more; there are "
                f"{count} of {min(height, width)} px: set keep to best or last"
            )

    def niqe(self, network: nn.Module) -> float:
        """NIQE of the clipped outputs, lower is more natural; infinite where they are flat.

        Deviation: BOE-SBG section 4.3 validates by NIQE and does not say on which images. A patch
        has one block, of which NIQE is not defined; here all outputs' blocks have one together.
        """
        images = self._run(network, self.inputs).permute(0, 2, 3, 1).double().cpu().numpy()
        try:
            return niqe_of_all(luma(image) for image in images)
        except ValueError:
            return math.inf

    def pictures(self, network: nn.Module, most: int = 6) -> Photo:
        """Inputs, outputs and targets of some pairs beside each other, one pair per row."""
        chosen = np.linspace(0, len(self.inputs) - 1, min(most, len(self.inputs))).astype(int)
        output = self._run(network, self.inputs[chosen]).permute(0, 2, 3, 1)
        shown = (output * 255).round().to(torch.uint8).cpu().numpy()
        scale = shown.shape[1] // self.inputs.shape[1]
        inputs = self.inputs[chosen].repeat(scale, 1).repeat(scale, 2)
        rows = np.concatenate((inputs, shown, self.targets[chosen]), axis=2)
        return np.concatenate(list(rows))

    @staticmethod
    def _run(network: nn.Module, inputs: Images) -> Tensor:
        x = to_tensor(inputs, choose_device())
        with evaluating(network):
            return torch.cat([network(part) for part in x.split(PER_PASS)]).clamp(0, 1)


def validation_patches(sets: Sequence[PatchSet], most: int = 64) -> ValidationPairs:
    """At most `most` pairs of each set's validation photos, evenly spread.

    Raises:
        UserError: a set has none.
    """
    read = []
    for patches in sets:
        indices = patches.of_split(VALIDATION, "validation")
        read.append(patches.read(indices[:: -(-len(indices) // most)]))
    inputs, targets = (np.concatenate(sides) for sides in zip(*read, strict=True))
    return ValidationPairs(inputs, targets)


def validation_photos(
    photos: Iterable[tuple[str, Images, Images]],
    enlarged: bool,
    side: int = 256,
    most: int = 16,
) -> ValidationPairs:
    """The middle of held-out photos (stem, HR, LR): inputs, enlarged x4 or not, and targets.

    Smaller photos are scored, but not validated on.

    Raises:
        UserError: all are smaller.
    """
    inputs, targets = [], []
    large = (photo for photo in photos if min(photo[1].shape[:2]) >= side)
    for _, hr, lr in islice(large, most):
        y, x = ((n - side) // 2 // SCALE * SCALE for n in hr.shape[:2])
        targets.append(hr[y : y + side, x : x + side])
        source, scale = (enlarge(lr), 1) if enlarged else (lr, SCALE)
        rows, columns = (slice(n // scale, (n + side) // scale) for n in (y, x))
        inputs.append(source[rows, columns])
    if not inputs:
        raise UserError(
            f"sr.hr_valid: no held-out photo is {side} px high and wide after sr.reduce"
        )
    return ValidationPairs(np.stack(inputs), np.stack(targets))
