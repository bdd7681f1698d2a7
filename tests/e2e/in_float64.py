"""Train in float64, alone or under torchrun, and print the rows as JSON.

Usage: python in_float64.py PARAMS... (one training after the other, in a folder with patches and
features)

In float64, for float32's rounding, which differs with the order of sums, grows to per cents within
tens of steps: Adam's first steps go by the sign of gradients, however small.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ppcn.dataset.patch_set import open_patches
from ppcn.networks.ppcn import Teacher
from ppcn.networks.vgg import load_vgg
from ppcn.params import Params
from ppcn.training import distributed
from ppcn.training.batches import Batch, Batches, PatchSource
from ppcn.training.objective import EnhancementObjective, Terms
from ppcn.training.trainer import TrainConfig, train
from ppcn.training.validation import validation_patches


class Wide(EnhancementObjective):
    """PPCN's loss in float64."""

    def terms(self, network: nn.Module, batch: Batch, step: int, random: torch.Generator) -> Terms:
        """The terms of a batch in float64."""
        wide = replace(batch, x=batch.x.double(), y=batch.y.double())
        return super().terms(network, wide, step, random)


class Unwidened(Teacher):
    """A teacher in float64 that takes float32 images."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Enhance."""
        return super().forward(x.double())


def rows_of(params: Params) -> list[dict[str, float]]:
    """The rows of one training."""
    torch.manual_seed(0)
    network = Unwidened(params.teacher.initial_deviation).double()
    vgg = load_vgg(Path("data/features/vgg19.safetensors"))[0].double()
    with open_patches(Path("data/patches/iphone.h5")) as cut:
        source = PatchSource([cut], params.teacher.batch)
        objective = Wide(params.recipe(), params.loss, vgg, None, cut.size, 5, source.targets)
        assert objective.discriminator is not None
        objective.discriminator.double()
        batches = Batches(source, params.seed)
        config = TrainConfig(params.teacher, params.engine, params.seed)
        result = train(
            network, objective, batches, validation_patches([cut]), config, lambda *figures: None
        )
    return result.rows


def main() -> None:
    """Train with each parameter file."""
    distributed.join()
    rows = [rows_of(Params.load(Path(name))) for name in sys.argv[1:]]
    if distributed.rank() == 0:
        print(json.dumps(rows))
    distributed.leave()


if __name__ == "__main__":
    main()
