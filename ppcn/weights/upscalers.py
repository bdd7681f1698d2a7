"""Super-resolution networks of weights files, whoever trained them."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch import nn

from ppcn.errors import UserError
from ppcn.networks import NETWORKS
from ppcn.weights import load_weights, scale_of
from ppcn.weights.spandrel_models import is_foreign_model, load_foreign_model


class Upscaler(NamedTuple):
    """A super-resolution network.

    Attributes:
        network: in evaluation mode, on the CPU.
        input: "lr", or "lr_bicubic", which was enlarged bicubically.
        scale: how many times as high and wide it makes photos.
        facts: what its file says of it, with `network`, its name.
        is_foreign: whether it is none of this project's.
    """

    network: nn.Module
    input: Literal["lr", "lr_bicubic"]
    scale: int
    facts: dict[str, Any]
    is_foreign: bool = False


def load_upscaler(path: Path) -> Upscaler:
    """Read a weights file of this project, or one of a network that spandrel knows.

    Raises:
        FileError: the file is missing or damaged.
        UserError: it holds a network that does not enlarge photos, or one that cannot be read.
    """
    if is_foreign_model(path):
        model = load_foreign_model(path)
        return Upscaler(model, "lr", model.scale, {"network": model.name}, is_foreign=True)
    network, facts = load_weights(path)
    architecture = NETWORKS[facts["network"]]
    for kind in (architecture.input, architecture.also):
        if kind in ("lr", "lr_bicubic"):
            return Upscaler(network, kind, scale_of(facts), facts)
    raise UserError(f"{path}: holds {facts['network']}, which does not enlarge photos")
