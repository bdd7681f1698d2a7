"""The larger network that a super-resolution network imitates."""

from pathlib import Path

import torch
from torch import Tensor

from ppcn.networks.devices import compiled, hold_weights, place
from ppcn.params import Engine
from ppcn.training.batches import enlarge_parts
from ppcn.weights.upscalers import load_upscaler


class SRTeacher:
    """A network that enlarges LR photos for another one to learn from; it learns nothing itself.

    Args:
        path: weights of a super-resolution network, of this project or one that spandrel knows.

    Attributes:
        path: of its weights.
        scale: how many times as high and wide it makes photos.

    Raises:
        UserError: they are none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._upscaler = load_upscaler(path)
        self.scale = self._upscaler.scale
        self._network = place(self._upscaler.network).eval().requires_grad_(False)
        self._run = self._network.forward

    def prepare(self, engine: Engine) -> None:
        """Compute as training does."""
        if engine.precision == "bfloat16" and not self._upscaler.is_foreign:
            hold_weights(self._network, torch.bfloat16)
        if engine.compile == "step":
            self._run = compiled(self._run, graphs=True)

    @torch.no_grad()
    def __call__(self, lr: Tensor) -> Tensor:
        """Photos (N, 3, k H, k W) in [0, 1], float32, of LR photos (N, 3, H, W) in [0, 1]."""
        if self._upscaler.input == "lr_bicubic":
            lr = enlarge_parts(255 * lr, self.scale) / 255
        return self._run(lr).float().clamp(0, 1)
