"""What `score-enhancement` and `score-sr` share: a method to be scored, and its scores."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from torch import nn

from pipeline.cli.progress import counted, showing
from ppcn.errors import UserError
from ppcn.evaluation.protocols import Enhance
from ppcn.files.artifacts import provenance
from ppcn.networks import NETWORKS
from ppcn.photos.decode import Photo
from ppcn.weights import load_weights
from ppcn.weights.shipped import find_weights

Purpose = Literal["enhancement", "super-resolution"]
COMMANDS: dict[Purpose, str] = {
    "enhancement": "score-enhancement",
    "super-resolution": "score-sr",
}
METHOD = "method"


class Method(NamedTuple):
    """What is scored.

    Attributes:
        run: a network or a baseline, as a function of photos.
        facts: its name, versions of libraries, digest of the weights.
    """

    run: Enhance
    facts: dict[str, Any]


def baseline(name: str, run: Enhance) -> Method:
    """A method without weights."""
    return Method(run, {"network": name, **provenance(None, {})})


def from_weights(
    weights: str, purpose: Purpose, other: str, as_method: Callable[[str, nn.Module], Enhance]
) -> Method:
    """The method of weights.

    Args:
        weights: name of weights that come with this package, or a weights file.
        purpose: what the network has to be for.
        other: the method without weights, which could have been meant.
        as_method: makes a network, given its name too, a function of photos.

    Raises:
        UserError: no such weights, or of a network for another purpose.
    """
    path = find_weights(weights, [other])
    network, facts = load_weights(path)
    name = facts["network"]
    purposes = _purposes(name)
    if purpose not in purposes:
        own = purposes[0]
        raise UserError(f"{path}: holds {name}, for {own}; use {COMMANDS[own]}")
    return Method(
        as_method(name, network), {"network": name, **provenance(None, {"weights": path})}
    )


def _purposes(name: str) -> list[Purpose]:
    """What a network is for, its main purpose first."""
    inputs = [NETWORKS[name].input, NETWORKS[name].also]
    return ["enhancement" if i == "image" else "super-resolution" for i in inputs if i]


def score_method(
    method: Method,
    score: Callable[[Mapping[str, Enhance], Iterable[tuple[Photo, Photo]]], dict[str, Any]],
    pairs: Iterable[tuple[Photo, Photo]],
    count: int,
) -> dict[str, Any]:
    """Scores and facts of one method, with progress shown.

    Args:
        method: the method.
        score: scores methods by name on pairs of photos, under one protocol.
        pairs: pairs of photos.
        count: how many.
    """
    with showing("score") as report:
        scores = score({METHOD: method.run}, counted(pairs, count, report))
    means = scores.pop(METHOD)
    return {**scores, **means, **method.facts}
