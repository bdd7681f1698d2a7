"""PPCN's enhancement generators (paper Fig. 3).

Images are (N, 3, H, W) float RGB in [0, 1], any height and width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ppcn.networks.layers import (
    Enhanced,
    EnhancementNetwork,
    InstanceNorm,
    PhotoMean,
    bounded,
    conv_same,
    initialise,
)


class ContrastStep(nn.Module):
    """The fixed first step: x' = (x - mean) * 1.2 + mean, per image and channel over H, W."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = PhotoMean()

    def forward(self, x: Tensor) -> Tensor:
        """Stretch the contrast of (N, 3, H, W)."""
        mean = self.mean(x)
        return (x - mean) * 1.2 + mean


def _lrelu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.05)


class Teacher(EnhancementNetwork):
    """PPCN teacher, 21,843 parameters (Fig. 3, above).

    Args:
        initial_deviation: of fresh weights, see `initialise`; the authors' is 0.01.
    """

    margin = 10

    def __init__(self, initial_deviation: float | None = 0.01) -> None:
        super().__init__()
        self.contrast = ContrastStep()
        self.conv0 = conv_same(3, 16, (1, 7))
        self.conv1 = conv_same(16, 16, (7, 1))
        self.conv2, self.norm2 = conv_same(16, 32, 3), InstanceNorm(32)
        self.conv3, self.norm3 = conv_same(32, 16, 3), InstanceNorm(16)
        self.conv4, self.norm4 = conv_same(16, 32, 3, dilation=2), InstanceNorm(32)
        self.conv5, self.norm5 = conv_same(32, 16, 3, dilation=2), InstanceNorm(16)
        self.conv6 = conv_same(32, 16, 1)
        self.conv7 = conv_same(16, 3, 3)
        initialise(self, initial_deviation)

    def compute(self, x: Tensor) -> Enhanced:
        """The enhanced image with the taps c1 and c6, each (N, 16, H, W)."""
        c1 = _lrelu(self.conv1(_lrelu(self.conv0(self.contrast(x)))))
        c3 = self.norm3(self.conv3(_lrelu(self.norm2(self.conv2(c1))))) + c1
        c5 = self.norm5(self.conv5(_lrelu(self.norm4(self.conv4(c3))))) + c3
        c6 = _lrelu(self.conv6(torch.cat((c3, c5), dim=1)))
        return Enhanced(bounded(self.conv7(c6)), (c1, c6))


class Student(EnhancementNetwork):
    """PPCN student, 2,715 parameters (Fig. 3, below).

    Args:
        initial_deviation: of fresh weights, see `initialise`; the authors' is 0.01.
    """

    margin = 10

    def __init__(self, initial_deviation: float | None = 0.01) -> None:
        super().__init__()
        self.contrast = ContrastStep()
        self.conv0 = conv_same(3, 8, (1, 7))
        self.conv1 = conv_same(8, 8, (7, 1))
        self.conv2, self.norm2 = conv_same(8, 16, (1, 7), dilation=2), InstanceNorm(16)
        self.conv3, self.norm3 = conv_same(16, 8, (7, 1), dilation=2), InstanceNorm(8)
        self.conv4 = conv_same(8, 3, 3)
        initialise(self, initial_deviation)

    def compute(self, x: Tensor) -> Enhanced:
        """The enhanced image with the taps c1 and c3, each (N, 8, H, W)."""
        c1 = _lrelu(self.conv1(_lrelu(self.conv0(self.contrast(x)))))
        c2 = _lrelu(self.norm2(self.conv2(c1)))
        c3 = _lrelu(self.norm3(self.conv3(c2))) + c1
        return Enhanced(bounded(self.conv4(c3)), (c1, c3))
