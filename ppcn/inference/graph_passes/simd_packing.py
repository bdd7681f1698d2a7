"""Convolutions of few channels that fill the processor's vectors all the same."""

import math
import operator

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from ppcn.inference.graph_passes.graphs import conv_of, copy_of, finished, padding_of, replace

# Numbers in a vector of AVX-512; a convolution of fewer channels leaves the rest idle. Maps whose
# widths divide by it suit every packed convolution.
SIMD_WIDTH = 16
# What changes each number by itself, whatever lies beside it.
POINTWISE = {F.leaky_relu, F.relu, torch.sigmoid, torch.tanh}
POINTWISE |= {operator.mul, operator.add, operator.sub, torch.addcmul}


def with_simd_packing(module: fx.GraphModule) -> fx.GraphModule:
    """Let convolutions of few channels compute several neighbours of a row at once (SIMD packing).

    A convolution of 3 channels becomes one of 12 that steps by 4 px and whose kernel is 3 px wider.
    Where maps are channels last in memory, its 12 channels in turn are the neighbours themselves.

    Args:
        module: of a network or a part of one.

    Returns:
        A module for maps whose widths divide by `SIMD_WIDTH`.
    """
    result = copy_of(module)
    for node in list(result.graph.nodes):
        conv = conv_of(result, node)
        if conv and _is_narrow(conv):
            pixels = _pixels(conv)
            replace(result, node, _packed(conv, pixels))
            _rearrange_after(result.graph, node, pixels)
    return finished(result)


def channels_to_columns(x: Tensor, pixels: int) -> Tensor:
    """Turn (N, pixels * C, H, W) into (N, C, H, pixels * W): channels become neighbours."""
    batch, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1).reshape(batch, height, width * pixels, channels // pixels)
    return x.permute(0, 3, 1, 2)


def _packed(conv: nn.Conv2d, pixels: int) -> nn.Conv2d:
    """The convolution that gives neighbours as channels, pixel after pixel."""
    outputs, inputs, height, width = conv.weight.shape
    weight = conv.weight.new_zeros(pixels, outputs, inputs, height, width + pixels - 1)
    for pixel in range(pixels):
        weight[pixel, ..., pixel : pixel + width] = conv.weight.detach()
    packed = nn.Conv2d(
        inputs,
        outputs * pixels,
        (height, width + pixels - 1),
        stride=(1, pixels),
        padding=(padding_of(conv)[0], padding_of(conv)[1]),
        dilation=(conv.dilation[0], 1),
        bias=conv.bias is not None,
    )
    packed.weight.data = weight.flatten(0, 1)
    if conv.bias is not None and packed.bias is not None:
        packed.bias.data = conv.bias.detach().repeat(pixels)
    return packed


def _rearrange_after(graph: fx.Graph, node: fx.Node, pixels: int) -> None:
    """Insert `channels_to_columns` after a node and what is pointwise behind it."""
    while len(node.users) == 1:
        (user,) = node.users
        if user.target not in POINTWISE or user.all_input_nodes != [node]:
            break
        node = user
    with graph.inserting_after(node):
        after = graph.call_function(channels_to_columns, (node, pixels))
    node.replace_all_uses_with(after, delete_user_cb=lambda user: user is not after)


def _pixels(conv: nn.Conv2d) -> int:
    """Neighbours that fit into a vector, a power of two."""
    return 2 ** max(int(math.log2(SIMD_WIDTH / conv.out_channels)), 0)


def _is_narrow(conv: nn.Conv2d) -> bool:
    """Whether a packed convolution takes fewer steps."""
    kernel, dilation = conv.kernel_size[1], conv.dilation[1]
    small = _pixels(conv) > 1 and conv.groups == 1
    keeps_width = conv.stride == (1, 1) and padding_of(conv)[1] == (kernel - 1) // 2
    return small and keeps_width and kernel > 1 and kernel % 2 == 1 and dilation == 1
