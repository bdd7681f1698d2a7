"""Networks cut where they need the whole photo, so that the rest can be computed piece by piece.

Contrast step and instance norm need statistics of a map of the whole photo. Between two such needs
lies a segment: a graph of its own that sees only so far around each pixel. What segments need of
the whole photo (statistics, the place of position noise) becomes an input of theirs.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, fx, nn

from ppcn.inference.tile_grid import GROUP, power_of_two
from ppcn.networks.layers import InstanceNorm, PhotoMean
from ppcn.networks.muxdemux import PositionNoise

PHOTO = "photo"
"""Name of the map that a network is given."""

Shape = tuple[int, int, int]
"""Channels, height and width of a map."""

# Side of the photo on which shapes of maps are found, a multiple of the group, px.
SMALL = 64


@dataclass(frozen=True)
class Statistic:
    """What has to be known of a map of the whole photo.

    Attributes:
        of: name of the map.
        norm: the norm that wants mean and variance; without one the mean alone is wanted.
        inputs: names under which segments read it: the mean, or the norm's scale and shift, each
            (1, C, 1, 1).
    """

    of: str
    norm: InstanceNorm | None
    inputs: tuple[str, ...]

    def values(self, mean: Tensor, variance: Tensor) -> dict[str, Tensor]:
        """The inputs, float32, from mean and variance (1, C, 1, 1) in float64."""
        if self.norm is None:
            return {self.inputs[0]: mean.float()}
        scale = self.norm.weight.view(1, -1, 1, 1) / (variance + self.norm.epsilon).sqrt()
        shift = self.norm.bias.view(1, -1, 1, 1) - mean * scale
        return {self.inputs[0]: scale.float(), self.inputs[1]: shift.float()}


@dataclass(frozen=True)
class Noise:
    """A channel of position noise that a segment reads.

    Attributes:
        name: of the map that it is.
        like: name of the map whose size it takes.
        seed: of the noise.
    """

    name: str
    like: str
    seed: int


@dataclass(frozen=True)
class Segment:
    """A part of a network that needs nothing more of the whole photo.

    Attributes:
        module: takes the inputs in their order and returns the maps written, as a tuple.
        maps: names of the inputs that are maps.
        statistics: names of the inputs that are known of the whole photo, after the maps.
        noises: the inputs that are noise, after those.
        writes: names of the maps that it gives.
        computes: names of all maps that it computes.
    """

    module: fx.GraphModule
    maps: tuple[str, ...]
    statistics: tuple[str, ...]
    noises: tuple[Noise, ...]
    writes: tuple[str, ...]
    computes: tuple[str, ...]


@dataclass(frozen=True)
class Chain:
    """A network as segments; the statistic of each place is known after its segment.

    Attributes:
        segments: one more than statistics.
        statistics: what to find out after each segment but the last.
        result: name of the map that the network gives.
        whole: the network, which makes its noise by itself, too.
    """

    segments: tuple[Segment, ...]
    statistics: tuple[Statistic, ...]
    result: str
    whole: fx.GraphModule

    def shapes(self, height: int, width: int) -> dict[str, Shape]:
        """The shape of every map, for a photo of a height and width."""
        return _shapes(self.whole, height, width)

    def peak(self, height: int, width: int) -> int:
        """Most bytes that maps take at once in float32, for a photo of a height and width."""
        shapes = self.shapes(height, width)
        last = {n: node for node in self.whole.graph.nodes for n in node.all_input_nodes}
        alive = most = 0
        for node in self.whole.graph.nodes:
            alive += _bytes(shapes, node)
            most = max(most, alive)
            alive -= sum(_bytes(shapes, n) for n in node.all_input_nodes if last[n] is node)
        return most

    def inputs(self, segment: Segment, photo: Tensor) -> list[Tensor]:
        """What a segment is given for a photo (1, 3, H, W)."""
        maps = self.maps(photo)
        known = self.known(maps)
        inputs = [maps[name] for name in segment.maps]
        inputs += [known[name] for name in segment.statistics]
        return inputs + [maps[noise.name] for noise in segment.noises]

    def maps(self, photo: Tensor) -> dict[str, Tensor]:
        """Every map of a photo (1, 3, H, W)."""
        recorder = _Recorder(self.whole)
        with torch.inference_mode():
            recorder.run(photo)
        return recorder.maps

    def known(self, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What segments have to know of the whole photo."""
        known: dict[str, Tensor] = {}
        for statistic in self.statistics:
            x = maps[statistic.of].double()
            variance, mean = torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)
            known |= statistic.values(mean, variance)
        return known


@lru_cache(maxsize=8)
def _shapes(whole: fx.GraphModule, height: int, width: int) -> dict[str, Shape]:
    """Sizes of maps grow with the photo's in steps of a group, so that a small photo tells."""
    small = tuple(SMALL + size % GROUP for size in (height, width))
    recorder = _Recorder(whole)
    with torch.inference_mode():
        recorder.run(torch.zeros(1, 3, *small))

    def grown(size: int, axis: int) -> int:
        more = (height, width)[axis] - small[axis]
        return size + int(more * power_of_two(size / small[axis])) if size > 1 else 1

    return {
        name: (x.shape[1], grown(x.shape[2], 0), grown(x.shape[3], 1))
        for name, x in recorder.maps.items()
    }


class _Recorder(fx.Interpreter):
    """Runs a network and keeps its maps by name."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.maps: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run a node and keep what it gives."""
        result = super().run_node(n)
        if isinstance(result, Tensor) and result.ndim == 4:
            self.maps[_name(n)] = result
        return result


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        whole = (InstanceNorm, PhotoMean, PositionNoise)
        return isinstance(module, whole) or super().is_leaf_module(module, name)


def cut_at_statistics(network: nn.Module, of_photo_alone: bool = False) -> Chain:
    """Cut a network in evaluation mode.

    Args:
        network: any whose dependence on the whole photo lies in `InstanceNorm`, `PhotoMean` and
            `PositionNoise`; its weights are shared.
        of_photo_alone: whether to cut where statistics of the photo itself are needed and nowhere
            else; those of other maps then stay the network's own business.
    """
    graph = _Tracer().trace(network.eval())
    pieces = _Cut(network, graph, of_photo_alone)
    return Chain(
        tuple(pieces.segment(number) for number in range(len(pieces.wants) + 1)),
        tuple(pieces.statistic(node) for node in pieces.wants),
        pieces.result,
        fx.GraphModule(network, graph),
    )


class _Cut:
    """The cutting of one traced network.

    Args:
        network: whose modules the graph calls.
        graph: of the network.
        of_photo_alone: whether the photo's own statistics alone are given.

    Attributes:
        wants: nodes that need statistics.
        result: name of the map that the network gives.
    """

    def __init__(self, network: nn.Module, graph: fx.Graph, of_photo_alone: bool) -> None:
        self._network = network
        self._nodes = [node for node in graph.nodes if node.op != "output"]
        (self._result,) = next(n for n in graph.nodes if n.op == "output").all_input_nodes
        self.result = _name(self._result)
        self.wants = [
            node
            for node in self._nodes
            if self._is(node, (InstanceNorm, PhotoMean))
            and not (of_photo_alone and node.all_input_nodes[0].op != "placeholder")
        ]
        self._part: dict[fx.Node, int] = {}
        for node in self._nodes:
            own = self.wants.index(node) + 1 if node in self.wants else 0
            self._part[node] = max([own, *(self._part[n] for n in node.all_input_nodes)])

    def _module(self, node: fx.Node) -> nn.Module | None:
        return self._network.get_submodule(str(node.target)) if node.op == "call_module" else None

    def _is(self, node: fx.Node, kinds: tuple[type[nn.Module], ...]) -> bool:
        return isinstance(self._module(node), kinds)

    def statistic(self, node: fx.Node) -> Statistic:
        """What a node needs of the whole photo."""
        (of,) = node.all_input_nodes
        norm = self._module(node)
        if isinstance(norm, InstanceNorm):
            return Statistic(_name(of), norm, (f"{node.name}_scale", f"{node.name}_shift"))
        return Statistic(_name(of), None, (node.name,))

    def _is_made_anew(self, node: fx.Node) -> bool:
        """Sizes and parameters, which every segment gets for itself."""
        if node.op == "get_attr" or (node.op == "call_function" and node.target is getattr):
            return True
        inputs = node.all_input_nodes
        return node.op == "call_function" and bool(inputs) and all(map(self._is_made_anew, inputs))

    def segment(self, number: int) -> Segment:
        """What lies between two statistics."""
        own = [n for n in self._nodes if self._part[n] == number and self._is_computed(n)]
        given = _Given()
        for node in own:
            self._gather(node, number, given)
        graph = fx.Graph()
        copies = {node: graph.placeholder(_name(node)) for node in given.maps}
        affine = {}
        for node in given.wholes:
            inputs = [graph.placeholder(name) for name in self.statistic(node).inputs]
            if len(inputs) == 1:
                copies[node] = inputs[0]
            else:
                affine[node] = inputs
        for node in given.noises:
            copies[node] = graph.placeholder(node.name)

        def copy(node: fx.Node) -> fx.Node:
            if node not in copies:
                if node in affine:
                    scale, shift = affine[node]
                    x = copy(node.all_input_nodes[0])
                    copies[node] = graph.call_function(torch.addcmul, (shift, x, scale))
                else:
                    copies[node] = graph.node_copy(node, copy)
            return copies[node]

        for node in own:
            copy(node)
        writes = [node for node in own if self._is_wanted_later(node, number)]
        graph.output(tuple(copies[node] for node in writes))
        return Segment(
            fx.GraphModule(self._network, graph),
            tuple(_name(node) for node in given.maps),
            tuple(name for node in given.wholes for name in self.statistic(node).inputs),
            tuple(self._noise(node) for node in given.noises),
            tuple(_name(node) for node in writes),
            tuple(_name(node) for node in own),
        )

    def _is_computed(self, node: fx.Node) -> bool:
        is_given = node.op == "placeholder" or self._is(node, (PositionNoise,))
        is_given |= node in self.wants and self._is(node, (PhotoMean,))
        return not is_given and not self._is_made_anew(node)

    def _gather(self, node: fx.Node, number: int, given: "_Given") -> None:
        """Add what a node needs and its segment does not compute."""
        if node in self.wants and self._is(node, (InstanceNorm,)):
            given.wholes[node] = None
        for needed in node.all_input_nodes:
            if needed in self.wants and self._is(needed, (PhotoMean,)):
                given.wholes[needed] = None
            elif self._is(needed, (PositionNoise,)):
                given.noises[needed] = None
            elif self._is_made_anew(needed):
                self._gather(needed, number, given)
            elif needed.op == "placeholder" or self._part[needed] < number:
                given.maps[needed] = None

    def _is_wanted_later(self, node: fx.Node, number: int) -> bool:
        if node is self._result:
            return True
        return any(self._part[user] > number for user in self._users(node))

    def _users(self, node: fx.Node) -> Iterable[fx.Node]:
        """Who computes with a node, sizes looked through."""
        for user in node.users:
            if self._is_made_anew(user):
                yield from self._users(user)
            else:
                yield user

    def _noise(self, node: fx.Node) -> Noise:
        like, seed = node.args
        assert isinstance(like, fx.Node) and isinstance(seed, int)
        return Noise(node.name, _name(like), seed)


class _Given:
    """Nodes that a segment is given, in order."""

    def __init__(self) -> None:
        self.maps: dict[fx.Node, None] = {}
        self.wholes: dict[fx.Node, None] = {}
        self.noises: dict[fx.Node, None] = {}


def _bytes(shapes: Mapping[str, Shape], node: fx.Node) -> int:
    return 4 * math.prod(shapes.get(_name(node), (0,)))


def _name(node: fx.Node) -> str:
    return PHOTO if node.op == "placeholder" else node.name
