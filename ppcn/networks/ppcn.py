"""PPCN's enhancement generators (paper Fig. 3) and their discriminator (Fig. 4).

Images are (N, 3, H, W) float RGB in [0, 1], any height and width. The outputs of the generators
lie in [-0.08, 1.08]: clip only when an image is written or scored.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GRAY_WEIGHTS = (0.2989, 0.5870, 0.1140)


class Enhanced(NamedTuple):
    """A generator's output and the two feature maps that eq. 12 distils."""

    image: Tensor
    taps: tuple[Tensor, Tensor]


def stretch_contrast(x: Tensor) -> Tensor:
    """The fixed first step: x' = (x - mean) * 1.2 + mean, per image and channel over H, W."""
    mean = x.mean(dim=(2, 3), keepdim=True)
    return (x - mean) * 1.2 + mean


def _conv(inputs: int, outputs: int, kernel: int | tuple[int, int], dilation: int = 1) -> nn.Conv2d:
    """Stride-1 SAME convolution."""
    return nn.Conv2d(inputs, outputs, kernel, padding="same", dilation=dilation)


def _initialise(network: nn.Module, deviation: float) -> None:
    """Draw weights from a normal distribution cut at two deviations; biases are 0.01."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            reach = 2 * deviation
            nn.init.trunc_normal_(layer.weight, std=deviation, a=-reach, b=reach)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, 0.01)


def _norm(channels: int) -> nn.InstanceNorm2d:
    return nn.InstanceNorm2d(channels, eps=1e-3, affine=True)


def _lrelu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.05)


def _bounded(x: Tensor) -> Tensor:
    return torch.tanh(x) * 0.58 + 0.5


class Teacher(nn.Module):
    """PPCN teacher, 21,843 parameters (Fig. 3, above).

    Args:
        initial_deviation: standard deviation of fresh weights; the authors' is 0.01.
    """

    def __init__(self, initial_deviation: float = 0.01) -> None:
        super().__init__()
        self.conv0 = _conv(3, 16, (1, 7))
        self.conv1 = _conv(16, 16, (7, 1))
        self.conv2, self.norm2 = _conv(16, 32, 3), _norm(32)
        self.conv3, self.norm3 = _conv(32, 16, 3), _norm(16)
        self.conv4, self.norm4 = _conv(16, 32, 3, dilation=2), _norm(32)
        self.conv5, self.norm5 = _conv(32, 16, 3, dilation=2), _norm(16)
        self.conv6 = _conv(32, 16, 1)
        self.conv7 = _conv(16, 3, 3)
        _initialise(self, initial_deviation)

    def enhance(self, x: Tensor) -> Enhanced:
        """Return the enhanced image with the taps c1 and c6, each (N, 16, H, W)."""
        c1 = _lrelu(self.conv1(_lrelu(self.conv0(stretch_contrast(x)))))
        c3 = self.norm3(self.conv3(_lrelu(self.norm2(self.conv2(c1))))) + c1
        c5 = self.norm5(self.conv5(_lrelu(self.norm4(self.conv4(c3))))) + c3
        c6 = _lrelu(self.conv6(torch.cat((c3, c5), dim=1)))
        return Enhanced(_bounded(self.conv7(c6)), (c1, c6))

    def forward(self, x: Tensor) -> Tensor:
        """Enhance (N, 3, H, W) in [0, 1]."""
        return self.enhance(x).image


class Student(nn.Module):
    """PPCN student, 2,715 parameters (Fig. 3, below).

    Args:
        initial_deviation: standard deviation of fresh weights; the authors' is 0.01.
    """

    def __init__(self, initial_deviation: float = 0.01) -> None:
        super().__init__()
        self.conv0 = _conv(3, 8, (1, 7))
        self.conv1 = _conv(8, 8, (7, 1))
        self.conv2, self.norm2 = _conv(8, 16, (1, 7), dilation=2), _norm(16)
        self.conv3, self.norm3 = _conv(16, 8, (7, 1), dilation=2), _norm(8)
        self.conv4 = _conv(8, 3, 3)
        _initialise(self, initial_deviation)

    def enhance(self, x: Tensor) -> Enhanced:
        """Return the enhanced image with the taps c1 and c3, each (N, 8, H, W)."""
        c1 = _lrelu(self.conv1(_lrelu(self.conv0(stretch_contrast(x)))))
        c2 = _lrelu(self.norm2(self.conv2(c1)))
        c3 = _lrelu(self.norm3(self.conv3(c2))) + c1
        return Enhanced(_bounded(self.conv4(c3)), (c1, c3))

    def forward(self, x: Tensor) -> Tensor:
        """Enhance (N, 3, H, W) in [0, 1]."""
        return self.enhance(x).image


class Discriminator(nn.Module):
    """Tells camera patches from generated ones, on grayscale 100x100 (Fig. 4).

    Deviation: as in the authors' code, the first convolution has no instance norm.

    Args:
        size: height and width of the patches, px; the paper's is 100.
    """

    LAYERS = ((64, 9, 4), (128, 5, 2), (192, 3, 1), (192, 3, 1), (256, 3, 2), (256, 3, 1))

    def __init__(self, size: int = 100) -> None:
        super().__init__()
        self.convs = nn.ModuleList()
        self.norms = nn.ModuleList([nn.Identity()])
        inputs = 1
        for index, (outputs, kernel, stride) in enumerate(self.LAYERS):
            self.convs.append(nn.Conv2d(inputs, outputs, kernel, stride))
            if index:
                self.norms.append(_norm(outputs))
            inputs = outputs
        self.hidden = nn.Linear(256 * (-(-size // 16)) ** 2, 1024)
        self.logit = nn.Linear(1024, 1)
        _initialise(self, 0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N,) that RGB (N, 3, size, size) in [0, 1] came from the camera."""
        weights = x.new_tensor(GRAY_WEIGHTS).view(1, 3, 1, 1)
        x = (x * weights).sum(dim=1, keepdim=True)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(F.leaky_relu(conv(_pad_same(x, conv)), 0.2))
        x = F.leaky_relu(self.hidden(x.flatten(1)), 0.2)
        return self.logit(x).squeeze(1)


def _pad_same(x: Tensor, conv: nn.Module) -> Tensor:
    """Pad as TensorFlow's SAME: output ceil(input / stride), the extra row at the bottom."""
    assert isinstance(conv, nn.Conv2d)
    pads: list[int] = []
    for size, kernel, stride in zip(
        (x.shape[3], x.shape[2]), conv.kernel_size[::-1], conv.stride[::-1], strict=True
    ):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)
