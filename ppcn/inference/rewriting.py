"""Graphs rewritten to compute the same faster on processors that compute in vectors.

No rewriting changes its argument; weights that stay as they are stay shared.
"""

import copy
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

# Numbers in a vector of AVX-512; a convolution of fewer channels leaves the rest idle.
LANES = 16
# Widths that divide by it suit every filled convolution.
WIDTHS = LANES
# What changes each number by itself, whatever lies beside it.
POINTWISE = {F.leaky_relu, F.relu, torch.tanh, operator.mul, operator.add}

Activation = tuple[str, tuple[float, ...]]


def fill_lanes(module: fx.GraphModule) -> fx.GraphModule:
    """Let convolutions of few channels compute several neighbours of a row at once.

    A convolution of 3 channels becomes one of 12 that steps by 4 px and whose kernel is 3 px wider.
    Where maps are channels last in memory, its 12 channels in turn are the neighbours themselves.

    Args:
        module: of a network or a part of one.

    Returns:
        A module for maps whose widths divide by `WIDTHS`.
    """
    result = _copy(module)
    for node in list(result.graph.nodes):
        conv = _conv(result, node)
        if conv and _is_narrow(conv):
            pixels = _pixels(conv)
            _replace(result, node, _filled(conv, pixels))
            _spread_after(result.graph, node, pixels)
    result.delete_all_unused_submodules()
    result.recompile()
    return result


def without_rows_around(module: fx.GraphModule, example: Sequence[Tensor]) -> fx.GraphModule | None:
    """Compute no rows that a strip's neighbours answer for.

    Convolutions add no rows of zeros, so that each gives fewer rows than it is given.

    Args:
        module: of a part of a network.
        example: inputs of it.

    Returns:
        A module for strips as wide as the photo that touch neither its first nor its last row; None
        where a module adds up maps of several heights.
    """
    result = _copy(module)
    for node in result.graph.nodes:
        if conv := _conv(result, node):
            lower = copy.copy(conv)
            lower.padding = (0, _padding(conv)[1])
            _replace(result, node, lower)
    result.delete_all_unused_submodules()
    result.recompile()
    try:
        with torch.inference_mode():
            return result if _agree(result(*example), module(*example)) else None
    except RuntimeError:
        return None


def fuse_activations(module: fx.GraphModule) -> fx.GraphModule:
    """Let oneDNN apply activations while a convolution's results are in registers.

    Args:
        module: of a network or a part of one, on the CPU.
    """
    result = _copy(module)
    for node in list(result.graph.nodes):
        if conv := _conv(result, node):
            users = list(node.users)
            activation = _activation(users[0]) if len(users) == 1 else None
            _replace(result, node, FusedConv(conv, activation or ("none", ())))
            if activation:
                users[0].replace_all_uses_with(node)
                result.graph.erase_node(users[0])
    result.delete_all_unused_submodules()
    result.recompile()
    return result


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
        place = (_padding(conv), conv.stride, conv.dilation, conv.groups)
        if self._weight is None:
            self._weight = torch.ops.mkldnn._reorder_convolution_weight(
                conv.weight.detach(), *place, list(x.shape)
            )
        name, numbers = self._activation
        return torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, conv.bias, *place, name, list(numbers), ""
        )


def spread(x: Tensor, pixels: int) -> Tensor:
    """Turn (N, pixels * C, H, W) into (N, C, H, pixels * W): channels become neighbours."""
    batch, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1).reshape(batch, height, width * pixels, channels // pixels)
    return x.permute(0, 3, 1, 2)


def _filled(conv: nn.Conv2d, pixels: int) -> nn.Conv2d:
    """The convolution that gives neighbours as channels, pixel after pixel."""
    outputs, inputs, height, width = conv.weight.shape
    weight = conv.weight.new_zeros(pixels, outputs, inputs, height, width + pixels - 1)
    for pixel in range(pixels):
        weight[pixel, ..., pixel : pixel + width] = conv.weight.detach()
    filled = nn.Conv2d(
        inputs,
        outputs * pixels,
        (height, width + pixels - 1),
        stride=(1, pixels),
        padding=(_padding(conv)[0], _padding(conv)[1]),
        dilation=(conv.dilation[0], 1),
        bias=conv.bias is not None,
    )
    filled.weight.data = weight.flatten(0, 1)
    if conv.bias is not None and filled.bias is not None:
        filled.bias.data = conv.bias.detach().repeat(pixels)
    return filled


def _spread_after(graph: fx.Graph, node: fx.Node, pixels: int) -> None:
    """Insert `spread` after a node and what is pointwise behind it."""
    while len(node.users) == 1:
        (user,) = node.users
        if user.target not in POINTWISE or user.all_input_nodes != [node]:
            break
        node = user
    with graph.inserting_after(node):
        after = graph.call_function(spread, (node, pixels))
    node.replace_all_uses_with(after, delete_user_cb=lambda user: user is not after)


def _pixels(conv: nn.Conv2d) -> int:
    """Neighbours that fit into a vector, a power of two."""
    return 2 ** max(int(math.log2(LANES / conv.out_channels)), 0)


def _is_narrow(conv: nn.Conv2d) -> bool:
    """Whether a filled convolution takes fewer steps."""
    kernel, dilation = conv.kernel_size[1], conv.dilation[1]
    small = _pixels(conv) > 1 and conv.groups == 1
    keeps_width = conv.stride == (1, 1) and _padding(conv)[1] == (kernel - 1) // 2
    return small and keeps_width and kernel > 1 and kernel % 2 == 1 and dilation == 1


def _agree(inner: Sequence[Tensor], whole: Sequence[Tensor]) -> bool:
    """Whether maps are others without as many rows above as below."""
    for few, many in zip(inner, whole, strict=True):
        around, odd = divmod(many.shape[2] - few.shape[2], 2)
        rows = slice(around, many.shape[2] - around)
        if odd or not torch.allclose(few, many[:, :, rows], atol=1e-4, rtol=1e-4):
            return False
    return True


def _activation(node: fx.Node) -> Activation | None:
    """OneDNN's name and numbers of what a node does, if it knows it."""
    if node.op == "call_function" and node.target is F.leaky_relu:
        slope = node.kwargs.get("negative_slope", node.args[1] if len(node.args) > 1 else None)
        return ("leaky_relu", (slope,)) if isinstance(slope, float) else None
    names: dict[str | Callable[..., Any], str] = {F.relu: "relu", torch.tanh: "tanh"}
    return (names[node.target], ()) if node.target in names else None


def _conv(module: fx.GraphModule, node: fx.Node) -> nn.Conv2d | None:
    found = module.get_submodule(str(node.target)) if node.op == "call_module" else None
    return found if isinstance(found, nn.Conv2d) else None


def _padding(conv: nn.Conv2d) -> list[int]:
    if not isinstance(conv.padding, str):
        return list(conv.padding)
    return [d * (k - 1) // 2 for d, k in zip(conv.dilation, conv.kernel_size, strict=True)]


def _copy(module: fx.GraphModule) -> fx.GraphModule:
    graph = fx.Graph()
    graph.output(graph.graph_copy(module.graph, {}))
    return fx.GraphModule(module, graph)


def _replace(module: fx.GraphModule, node: fx.Node, by: nn.Module) -> None:
    name = f"{node.name}_rewritten"
    module.add_submodule(name, by)
    node.target = name
