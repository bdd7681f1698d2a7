"""The image pairs on which a training run is judged while it goes on; never trained on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ppcn.dataset.patch_set import PatchSet
from ppcn.dataset.splits import VALIDATION
from ppcn.dataset.sr_set import HeldOutPhotos
from ppcn.errors import UserError
from ppcn.networks.devices import choose_device, evaluating, to_tensor
from ppcn.photos.color import luma
from ppcn.photos.decode import Photo
from ppcn.photos.niqe import BLOCK, blocks_in, niqe_of_all
from ppcn.photos.resize import enlarge

Images = NDArray[np.uint8]
PER_PASS = 16
# Side of the parts of photos that super-resolution is validated on, px.
SIDE = 256


@dataclass(frozen=True)
class ValidationPairs:
    """Pairs on which progress is measured.

    Attributes:
        inputs: (N, H, W, 3) uint8.
        targets: same shape, or as many times as high and wide as the network enlarges.
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


def validation_photos(held_out: HeldOutPhotos, enlarged: bool, most: int = 16) -> ValidationPairs:
    """The middle of photos that are not trained on: inputs, enlarged or not, and targets.

    Parts of SIDE px, or as large as the largest photo is; smaller photos are not validated on.
    Of patches, which are smaller and more, as many pixels are taken.

    Raises:
        UserError: there is none.
    """
    scale = held_out.scale
    side = min(SIDE, held_out.side // scale * scale)
    names = held_out.names("validation")
    if not side:
        raise UserError(f"{held_out.path}: holds no photo to validate on")
    large = (pair for pair in held_out.read(names) if min(pair[0].shape[:2]) >= side)
    inputs, targets = [], []
    for hr, lr in islice(large, most * (SIDE // side) ** 2):
        y, x = ((n - side) // 2 // scale * scale for n in hr.shape[:2])
        targets.append(hr[y : y + side, x : x + side])
        source, factor = (enlarge(lr, scale), 1) if enlarged else (lr, scale)
        rows, columns = (slice(n // factor, (n + side) // factor) for n in (y, x))
        inputs.append(source[rows, columns])
    return ValidationPairs(np.stack(inputs), np.stack(targets))
