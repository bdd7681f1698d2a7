"""Graphs that sum up what they computed, while they have it at hand."""

import torch
from torch import fx

from ppcn.inference.graph_passes.graphs import copy_of


def with_row_sums(module: fx.GraphModule, output: int) -> fx.GraphModule:
    """Give two more maps: mean, and root of the sum of squares, of each row of one of the maps.

    Args:
        module: of a part of a network, which returns a tuple of maps.
        output: place in it of the map (1, C, H, W) that is summed; the new ones are (1, C, H, 1).
    """
    result = copy_of(module)
    graph = result.graph
    (end,) = (node for node in graph.nodes if node.op == "output")
    maps: tuple[fx.Node, ...] = end.args[0]
    with graph.inserting_before(end):
        sums = [
            graph.call_function(function, (maps[output],), {"dim": 3, "keepdim": True})
            for function in (torch.mean, torch.linalg.vector_norm)
        ]
    end.args = ((*maps, *sums),)
    result.recompile()
    return result
