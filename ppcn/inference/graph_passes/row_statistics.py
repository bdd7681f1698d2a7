"""Graphs that give statistics of the rows that they computed, while they have them at hand."""

import torch
from torch import fx

from ppcn.inference.graph_passes.graphs import copy_of


def with_row_statistics(module: fx.GraphModule, output: int) -> fx.GraphModule:
    """Give two more maps: mean, and root of the sum of squares, of each row of one of the maps.

    Args:
        module: of a part of a network, which returns a tuple of maps.
        output: place in it of the map (1, C, H, W) whose rows are wanted; the new ones are
            (1, C, H, 1).
    """
    result = copy_of(module)
    graph = result.graph
    (end,) = (node for node in graph.nodes if node.op == "output")
    maps: tuple[fx.Node, ...] = end.args[0]
    with graph.inserting_before(end):
        statistics = [
            graph.call_function(function, (maps[output],), {"dim": 3, "keepdim": True})
            for function in (torch.mean, torch.linalg.vector_norm)
        ]
    end.args = ((*maps, *statistics),)
    result.recompile()
    return result
