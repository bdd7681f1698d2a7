"""Convolutions of maps that need not be put side by side first."""

import copy
import operator
from collections.abc import Sequence

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from ppcn.inference.graph_passes.graphs import conv_of, copy_of, finished


def without_concatenation(module: fx.GraphModule, example: Sequence[Tensor]) -> fx.GraphModule:
    """Let 1x1 convolutions of two maps convolve each by itself, and add up what comes of it.

    Such a convolution computes so little that putting the maps side by side takes as long. Of more
    maps, as dense blocks have them, the sums would take longer.

    Args:
        module: of a network or a part of one.
        example: inputs of it.
    """
    result = copy_of(module)
    with torch.inference_mode():
        ShapeProp(result).propagate(*example)
    for node in list(result.graph.nodes):
        conv = conv_of(result, node)
        if conv and conv.kernel_size == (1, 1) and conv.groups == 1:
            (joined,) = node.all_input_nodes
            if joined.target is torch.cat and _are_few(maps := joined.all_input_nodes):
                _convolve_apart(result, node, conv, maps)
    result.graph.eliminate_dead_code()
    return finished(result)


def _are_few(maps: Sequence[fx.Node]) -> bool:
    return len(maps) == 2 and not any(x.target is torch.cat for x in maps)


def _convolve_apart(
    module: fx.GraphModule, node: fx.Node, conv: nn.Conv2d, maps: Sequence[fx.Node]
) -> None:
    """Put a sum of convolutions in the place of one."""
    widths = [x.meta["tensor_meta"].shape[1] for x in maps]
    total: fx.Node | None = None
    with module.graph.inserting_before(node):
        for number, (x, weight) in enumerate(zip(maps, conv.weight.split(widths, 1), strict=True)):
            name = f"{node.name}_of_{number}"
            module.add_submodule(name, _part_of(conv, weight, has_bias=number == 0))
            part = module.graph.call_module(name, (x,))
            total = (
                part if total is None else module.graph.call_function(operator.add, (total, part))
            )
    assert total is not None
    node.replace_all_uses_with(total)
    module.graph.erase_node(node)


def _part_of(conv: nn.Conv2d, weight: Tensor, has_bias: bool) -> nn.Conv2d:
    part = copy.copy(conv)
    part.in_channels = weight.shape[1]
    part._parameters = {
        "weight": nn.Parameter(weight.detach().contiguous(), requires_grad=False),
        "bias": conv._parameters["bias"] if has_bias else None,
    }
    return part
