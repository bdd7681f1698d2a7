"""What several networks share: blocks, padding, norm, first weights, colour, bounded outputs.

Images and feature maps are (N, C, H, W) float; images are RGB in [0, 1].
"""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ppcn import machine
from ppcn.photos.color import TF_GRAY_WEIGHTS

Padding = Literal["zero", "mirror"]
"""What an enhancement network sees beyond the border of a photo."""


class Enhanced(NamedTuple):
    """An enhancement network's output and the feature maps that PPCN eq. 12 distils, if any."""

    image: Tensor
    taps: tuple[Tensor, ...] = ()


class EnhancementNetwork(nn.Module):
    """What enhancement networks share: what they see beyond the border of a photo.

    With zeros around it, as in the papers' programs, a network draws a frame around a photo, for
    it tells its border from its middle.

    Deviation: padding "mirror", with which the photo goes on mirrored beyond its border as far as
    the network sees; what comes of the margin is cut off.

    Attributes:
        margin: how many pixels around each pixel the network sees, rounded up to the groups of
            pixels that it shuffles.
        padding: part of the weights, for they are trained with the one or the other.
    """

    margin: int
    padding: Padding = "zero"

    def forward(self, x: Tensor) -> Tensor:
        """Enhance (N, 3, H, W) in [0, 1]."""
        return self.enhance(x).image

    def enhance(self, x: Tensor) -> Enhanced:
        """Enhance (N, 3, H, W) in [0, 1]; the maps to distil have the same height and width."""
        if self.padding == "zero":
            return self.compute(x)
        result = self.compute(with_mirrored_margin(x, self.margin))
        image, *taps = (without_margin(x, self.margin) for x in (result.image, *result.taps))
        return Enhanced(image, tuple(taps))

    def compute(self, x: Tensor) -> Enhanced:
        """What the network's layers make of (N, 3, H, W), zeros around it."""
        raise NotImplementedError


def take_margin(network: nn.Module) -> int:
    """Let a network compute what it is shown; returns the mirrored margin that it has to be shown.

    Args:
        network: is changed; one that mirrors a margin by itself no longer does.
    """
    if not isinstance(network, EnhancementNetwork) or network.padding == "zero":
        return 0
    network.padding = "zero"
    return network.margin


class PhotoMean(nn.Module):
    """Mean over H, W of each image and channel, (N, C, 1, 1).

    A module, as everything that depends on more of a photo than the neighbourhood of a pixel, so
    that a photo can be computed in tiles: `InstanceNorm`, `PhotoMean`, `PositionNoise`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Average (N, C, H, W)."""
        return x.mean(dim=(2, 3), keepdim=True)


class InstanceNorm(nn.Module):
    """Instance norm over H, W: biased variance, eps 1e-3, learned scale and shift.

    Unlike torch's module, it takes maps of a single pixel (and returns the shift).
    """

    epsilon = 1e-3

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W) per image and channel.

        Where a network is trained on a GPU, as a group norm with one channel in each group:
        torch's instance norm starts eight operators, forward and back, for every two of this.
        """
        if machine.prefers_few_operators(x) and torch.is_grad_enabled():
            weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
            count, channels, height, width = x.shape
            sizes = count, channels, height * width, channels
            return torch.native_group_norm(x.contiguous(), weight, bias, *sizes, self.epsilon)[0]
        return torch.instance_norm(
            x,
            self.weight,
            self.bias,
            None,
            None,
            True,
            0.0,
            self.epsilon,
            torch.backends.cudnn.enabled,
        )


def conv_same(
    inputs: int, outputs: int, kernel: int | tuple[int, int], dilation: int = 1, bias: bool = True
) -> nn.Conv2d:
    """Stride-1 convolution whose output has the size of its input."""
    return nn.Conv2d(inputs, outputs, kernel, padding="same", dilation=dilation, bias=bias)


class ResidualBlock(nn.Module):
    """u + norm(conv(ReLU(norm(conv(u))))), 3x3 convolutions of as many channels as come in.

    Args:
        channels: feature maps of every layer.
        ends_in_relu: whether a ReLU precedes the sum.
    """

    def __init__(self, channels: int, ends_in_relu: bool) -> None:
        super().__init__()
        self.conv1, self.norm1 = conv_same(channels, channels, 3), InstanceNorm(channels)
        self.conv2, self.norm2 = conv_same(channels, channels, 3), InstanceNorm(channels)
        self.ends_in_relu = ends_in_relu

    def forward(self, u: Tensor) -> Tensor:
        """(N, channels, H, W) to the same shape."""
        x = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(u)))))
        return (F.relu(x) if self.ends_in_relu else x) + u


def initialise(network: nn.Module, deviation: float | None) -> None:
    """Draw weights from a normal distribution cut at two deviations; biases are 0.01.

    Args:
        network: whose convolutions and linear layers to set.
        deviation: of the weights; None takes sqrt(2 / inputs) of each layer (He et al. 2015).
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            own = deviation or math.sqrt(2 / layer.weight[0].numel())
            nn.init.trunc_normal_(layer.weight, std=own, a=-2 * own, b=2 * own)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, 0.01)


def bounded(x: Tensor) -> Tensor:
    """tanh(x) * 0.58 + 0.5, in [-0.08, 1.08]: clip only when an image is written or scored."""
    return torch.tanh(x) * 0.58 + 0.5


def gray(x: Tensor) -> Tensor:
    """Brightness (N, 1, H, W) of RGB (N, 3, H, W), with the weights of `TF_GRAY_WEIGHTS`."""
    red, green, blue = x.split(1, dim=1)
    weights = TF_GRAY_WEIGHTS
    return red * weights[0] + green * weights[1] + blue * weights[2]


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Repeat the right and bottom border until height and width divide by `multiple`."""
    height, width = x.shape[2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def crop_like(x: Tensor, original: Tensor) -> Tensor:
    """Cut what `pad_to_multiple` added.

    By negative padding, not slices, whose strides would tie an exported network to sizes like
    the one it was traced with.
    """
    return F.pad(x, (0, original.shape[3] - x.shape[3], 0, original.shape[2] - x.shape[2]))


def with_mirrored_margin(x: Tensor, margin: int) -> Tensor:
    """Continue (N, C, H, W) by its mirror image, whose border pixels are not repeated.

    A photo that is smaller than the margin is mirrored again and again.
    """
    if min(x.shape[2:]) > margin:
        return F.pad(x, (margin,) * 4, mode="reflect")
    rows, columns = (mirrored_indices(size, margin).to(x.device) for size in x.shape[2:])
    return x.index_select(2, rows).index_select(3, columns)


def without_margin(x: Tensor, margin: int) -> Tensor:
    """Cut off what `with_mirrored_margin` added."""
    return F.pad(x, (-margin,) * 4)


def mirrored_indices(size: int, margin: int) -> Tensor:
    """Which of `size` pixels in a row lie at -margin .. size + margin - 1, (size + 2 margin,)."""
    period = max(2 * size - 2, 1)
    places = torch.arange(-margin, size + margin) % period
    return torch.minimum(places, period - places) if size > 1 else torch.zeros_like(places)
