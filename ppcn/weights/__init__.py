"""Weights files: safetensors whose metadata says what they are, so no command must be told."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from ppcn.errors import FileError, FileKind
from ppcn.files.safetensors import save_tensors
from ppcn.networks import NETWORKS
from ppcn.networks.layers import EnhancementNetwork, Padding
from ppcn.networks.plain_sr import BranchedSR
from ppcn.photos.resize import SCALE
from ppcn.weights.foreign import check_weights

# Weights that come with this package.
SHIPPED = Path(__file__).parent

Network = TypeVar("Network", bound=nn.Module)


def save_weights(path: Path, name: str, network: nn.Module, facts: Mapping[str, Any]) -> None:
    """Write a network's weights.

    Args:
        path: ends in .safetensors.
        name: the network's name in `NETWORKS`.
        network: the network, or the one that is trained in its place, which is folded.
        facts: phone, training data, parameters, versions; stored as JSON.
    """
    if isinstance(network, BranchedSR):
        network = network.fold()
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    metadata = {"network": name, "facts": json.dumps(facts, sort_keys=True)}
    if isinstance(network, EnhancementNetwork):
        metadata["padding"] = network.padding
    save_tensors(path, state, metadata)


def load_weights(path: Path, network: str | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """Read a weights file into the network that it names.

    Args:
        path: the file.
        network: name of the network that it must hold; any by default.

    Returns:
        The network in evaluation mode, and the file's facts with `network` added.

    Raises:
        FileError: the file is missing, damaged, does not fit the network it names, or holds
            another one.
        UserError: a folder of several checkpoints.
    """
    check_weights(path)
    try:
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
        name = metadata.get("network", "")
        if name not in NETWORKS:
            problem = (
                "its metadata names no network of this project; save it with "
                "ppcn.weights.save_weights"
            )
            raise FileError(path, FileKind.WEIGHTS, problem)
        if network not in (None, name):
            raise FileError(path, FileKind.WEIGHTS, f"holds {name}, not {network}")
        module = NETWORKS[name].make()
        module.load_state_dict(load_file(path))
        if isinstance(module, EnhancementNetwork):
            module.padding = _padding(path, metadata.get("padding", "zero"))
        facts = json.loads(metadata.get("facts", "{}"))
    except (SafetensorError, RuntimeError, ValueError):
        raise FileError(path, FileKind.WEIGHTS, "damaged weights file") from None
    return module.eval(), {"network": name, **facts}


def scale_of(facts: Mapping[str, Any]) -> int:
    """How many times as high and wide a super-resolution network makes photos.

    Args:
        facts: of a weights file; those of before there was a choice say nothing: 4.
    """
    return int(facts.get("scale", SCALE))


def _padding(path: Path, name: str) -> Padding:
    """The padding that a file names; those of before there was a choice name none: zero."""
    for padding in get_args(Padding):
        if padding == name:
            return padding
    raise FileError(path, FileKind.WEIGHTS, f"its metadata names an unknown padding, '{name}'")


def load_network(path: Path, kind: type[Network]) -> tuple[Network, dict[str, Any]]:
    """Read a weights file that must hold one kind of network.

    Raises:
        FileError: as `load_weights`.
    """
    (name,) = (name for name, row in NETWORKS.items() if row.make is kind)
    network, facts = load_weights(path, name)
    assert isinstance(network, kind)
    return network, facts


def read_facts(path: Path) -> dict[str, Any]:
    """What a weights file says of itself, with `network` added; the weights are not read.

    Raises:
        FileError: the file is missing or damaged.
    """
    check_weights(path)
    try:
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
        return {"network": metadata.get("network", ""), **json.loads(metadata.get("facts", "{}"))}
    except (SafetensorError, ValueError):
        raise FileError(path, FileKind.WEIGHTS, "damaged weights file") from None
