"""Weights files: safetensors whose metadata says what they are, so no command must be told."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from ppcn.errors import UserError
from ppcn.files.safetensors import save_tensors
from ppcn.networks import NETWORKS

# Weights that come with this package.
SHIPPED = Path(__file__).parent

Network = TypeVar("Network", bound=nn.Module)


def save_weights(path: Path, name: str, network: nn.Module, facts: Mapping[str, Any]) -> None:
    """Write a network's weights.

    Args:
        path: ends in .safetensors.
        name: the network's name in `NETWORKS`.
        network: the network.
        facts: phone, training data, parameters, versions; stored as JSON.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    metadata = {"network": name, "facts": json.dumps(facts, sort_keys=True)}
    save_tensors(path, state, metadata)


def load_weights(path: Path, made_by: str) -> tuple[nn.Module, dict[str, Any]]:
    """Read a weights file into the network that it names.

    Args:
        path: the file.
        made_by: the command that makes it, named to the user when the file is missing.

    Returns:
        The network in evaluation mode, and the file's facts with `network` added.

    Raises:
        UserError: the file is missing, damaged, or does not fit the network it names.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; make it with '{made_by}'")
    try:
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
        name = metadata.get("network", "")
        if name not in NETWORKS:
            raise UserError(f"{path}: its metadata names no network of this project")
        network = NETWORKS[name].make()
        network.load_state_dict(load_file(path))
        facts = json.loads(metadata.get("facts", "{}"))
    except (SafetensorError, RuntimeError, ValueError):
        raise UserError(f"{path}: damaged weights file; remake it with '{made_by}'") from None
    return network.eval(), {"network": name, **facts}


def load_network(path: Path, kind: type[Network], made_by: str) -> tuple[Network, dict[str, Any]]:
    """Read a weights file that must hold one kind of network.

    Raises:
        UserError: as `load_weights`, or the file holds another network.
    """
    network, facts = load_weights(path, made_by)
    if not isinstance(network, kind):
        raise UserError(f"{path}: holds {facts['network']}; name the file of '{made_by}'")
    return network, facts
