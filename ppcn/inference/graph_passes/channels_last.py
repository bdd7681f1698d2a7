"""Graphs for maps whose channels lie last in memory."""

from typing import Any

from torch import fx

from ppcn.inference.graph_passes.simd_packing import POINTWISE

TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


def with_channels_last(module: fx.GraphModule) -> fx.GraphModule:
    """Take and give (1, H, W, C) in place of (1, C, H, W).

    What is pointwise is computed in the layout that a map is given in, so that a runtime need not
    turn it over first; convolutions of the runtime want channels last, too, whatever their shapes
    say.

    Args:
        module: of a network or a part of one, which returns a tuple of maps.
    """
    return fx.GraphModule(module, _Turned(module.graph).graph)


class _Turned:
    """The turning over of one graph.

    Args:
        old: the graph.

    Attributes:
        graph: the other one.
    """

    def __init__(self, old: fx.Graph) -> None:
        self.graph = fx.Graph()
        self._first: dict[fx.Node, fx.Node] = {}
        self._last: dict[fx.Node, fx.Node] = {}
        for node in old.nodes:
            if node.op == "placeholder":
                self._last[node] = self.graph.node_copy(node)
            elif node.op == "output":
                self.graph.output(fx.map_arg(node.args[0], self._with_last))
            elif node.target in POINTWISE and all(n in self._last for n in node.all_input_nodes):
                self._last[node] = self.graph.node_copy(node, self._last.__getitem__)
            else:
                self._first[node] = self.graph.node_copy(node, self._with_first)

    def _with_first(self, node: fx.Node) -> Any:
        if node not in self._first:
            self._first[node] = self._permuted(self._last[node], TO_FIRST)
        return self._first[node]

    def _with_last(self, node: fx.Node) -> Any:
        if node not in self._last:
            self._last[node] = self._permuted(self._first[node], TO_LAST)
        return self._last[node]

    def _permuted(self, node: fx.Node, order: tuple[int, ...]) -> fx.Node:
        return self.graph.call_method("permute", (node, order))
