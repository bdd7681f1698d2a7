"""Activations that cost less: others with the same values, and in one go with convolutions."""

import copy
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from ppcn.inference.graph_passes.graphs import conv_of, copy_of, finished, padding_of, replace

Activation = tuple[str, tuple[float, ...]]


def without_tanh(module: fx.GraphModule) -> fx.GraphModule:
    """Compute tanh(x) as 2 sigmoid(2 x) - 1.

    oneDNN looks tanh up in tables, which takes longer than the convolution before it.

    Args:
        module: of a network or a part of one.
    """
    result = copy_of(module)
    for node in list(result.graph.nodes):
        if node.target is torch.tanh:
            _replace_tanh(result, node)
    return finished(result)


def fuse_activations(module: fx.GraphModule) -> fx.GraphModule:
    """Let oneDNN apply activations while a convolution's results are in registers.

    Args:
        module: of a network or a part of one, on the CPU.
    """
    result = copy_of(module)
    for node in list(result.graph.nodes):
        if conv := conv_of(result, node):
            users = list(node.users)
            activation = _activation(users[0]) if len(users) == 1 else None
            replace(result, node, FusedConv(conv, activation or ("none", ())))
            if activation:
                users[0].replace_all_uses_with(node)
                result.graph.erase_node(users[0])
    return finished(result)


class FusedConv(nn.Module):
    """A convolution and what follows it in one call of oneDNN, its weights laid out beforehand.

    Args:
        conv: the convolution.
        activation: oneDNN's name and numbers.
    """

    def __init__(self, conv: nn.Conv2d, activation: Activation) -> None:
        super().__init__()
        self._conv, self._activation = conv, activation
        self._weight: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve and activate (1, C, H, W)."""
        conv = self._conv
        place = (padding_of(conv), conv.stride, conv.dilation, conv.groups)
        if self._weight is None:
            self._weight = torch.ops.mkldnn._reorder_convolution_weight(
                conv.weight.detach(), *place, list(x.shape)
            )
        name, numbers = self._activation
        return torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, conv.bias, *place, name, list(numbers), ""
        )


def _replace_tanh(module: fx.GraphModule, node: fx.Node) -> None:
    """Put a sigmoid in its place; numbers before and after it become one."""
    (x,) = node.all_input_nodes
    graph, conv = module.graph, conv_of(module, x)
    doubles = conv is not None and len(x.users) == 1
    if conv and doubles:
        replace(module, x, _doubled(conv))
    last, factor, offset = node, 1.0, 0.0
    while (user := _line(last)) is not None:
        number = float(user.args[1])  # type: ignore[arg-type]
        if user.target is operator.mul:
            factor, offset = factor * number, offset * number
        else:
            offset += number
        last = user
    with graph.inserting_before(last.next):
        if not doubles:
            x = graph.call_function(operator.mul, (x, 2.0))
        sigmoid = graph.call_function(torch.sigmoid, (x,))
        scaled = graph.call_function(operator.mul, (sigmoid, 2 * factor))
        result = graph.call_function(operator.add, (scaled, offset - factor))
    last.replace_all_uses_with(result)
    while last is not node:
        (before,) = last.all_input_nodes
        graph.erase_node(last)
        last = before
    graph.erase_node(node)


def _line(node: fx.Node) -> fx.Node | None:
    """The only user of a node, if it multiplies by a number or adds one."""
    users = list(node.users)
    if len(users) != 1 or users[0].target not in (operator.mul, operator.add):
        return None
    is_line = users[0].args[0] is node and isinstance(users[0].args[1], int | float)
    return users[0] if is_line else None


def _doubled(conv: nn.Conv2d) -> nn.Conv2d:
    """A convolution that gives twice as much."""
    double = copy.copy(conv)
    double._parameters = {
        name: None if value is None else nn.Parameter(2 * value.detach(), requires_grad=False)
        for name, value in conv._parameters.items()
    }
    return double


def _activation(node: fx.Node) -> Activation | None:
    """OneDNN's name and numbers of what a node does, if it knows it."""
    if node.op == "call_function" and node.target is F.leaky_relu:
        slope = node.kwargs.get("negative_slope", node.args[1] if len(node.args) > 1 else None)
        return ("leaky_relu", (slope,)) if isinstance(slope, float) else None
    names: dict[str | Callable[..., Any], str] = {
        F.relu: "relu",
        torch.tanh: "tanh",
        torch.sigmoid: "sigmoid",
    }
    return (names[node.target], ()) if node.target in names else None
