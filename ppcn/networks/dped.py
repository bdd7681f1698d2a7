"""Residual enhancement networks: DPED's generator, its small sister, and Johnson et al.'s."""

from torch import Tensor, nn
from torch.nn import functional as F

from ppcn.networks.layers import InstanceNorm, bounded, conv_same, initialise


class _Block(nn.Module):
    """u + norm(conv(ReLU(norm(conv(u))))), with a ReLU before the sum where `ends_in_relu`."""

    def __init__(self, channels: int, ends_in_relu: bool) -> None:
        super().__init__()
        self.conv1, self.norm1 = conv_same(channels, channels, 3), InstanceNorm(channels)
        self.conv2, self.norm2 = conv_same(channels, channels, 3), InstanceNorm(channels)
        self.ends_in_relu = ends_in_relu

    def forward(self, u: Tensor) -> Tensor:
        x = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(u)))))
        return (F.relu(x) if self.ends_in_relu else x) + u


class ResNet(nn.Module):
    """DPED's generator (Fig. 7): ResNet-12-64 with 401,475 parameters, ResNet-8-32 with 71,331.

    Deviation: instance norm, as in the released code and weights; the paper says batch norm.

    Args:
        channels: feature maps of every layer.
        blocks: residual blocks.
        initial_deviation: of fresh weights, see `initialise`; the authors' is 0.01.
    """

    def __init__(self, channels: int, blocks: int, initial_deviation: float | None = 0.01) -> None:
        super().__init__()
        self.first = conv_same(3, channels, 9)
        self.blocks = nn.Sequential(*(_Block(channels, ends_in_relu=True) for _ in range(blocks)))
        self.after1, self.after2 = (
            conv_same(channels, channels, 3),
            conv_same(channels, channels, 3),
        )
        self.last = conv_same(channels, 3, 9)
        initialise(self, initial_deviation)

    def forward(self, x: Tensor) -> Tensor:
        """Enhance (N, 3, H, W) in [0, 1]."""
        x = self.blocks(F.relu(self.first(x)))
        x = F.relu(self.after2(F.relu(self.after1(x))))
        return bounded(self.last(x))


class Johnson(nn.Module):
    """Johnson et al.'s transformation network (2016) for pictures that keep their size, 401,859.

    Their x4 network without its upsampling: conv 9x9, four residual blocks of 64 channels without
    ReLU after the sum, two convolutions (theirs of stride 1/2), conv 9x9. DPED section 4.1
    compares with it.

    Deviation: instance norm for their batch norm, so that one photo's result does not depend on
    the batch, and the bounded output of the other networks of the comparison.

    Args:
        initial_deviation: of fresh weights, see `initialise`.
    """

    def __init__(self, initial_deviation: float | None = 0.01) -> None:
        super().__init__()
        self.first, self.norm_first = conv_same(3, 64, 9), InstanceNorm(64)
        self.blocks = nn.Sequential(*(_Block(64, ends_in_relu=False) for _ in range(4)))
        self.after1, self.norm1 = conv_same(64, 64, 3), InstanceNorm(64)
        self.after2, self.norm2 = conv_same(64, 64, 3), InstanceNorm(64)
        self.last = conv_same(64, 3, 9)
        initialise(self, initial_deviation)

    def forward(self, x: Tensor) -> Tensor:
        """Enhance (N, 3, H, W) in [0, 1]."""
        x = self.blocks(F.relu(self.norm_first(self.first(x))))
        x = F.relu(self.norm2(self.after2(F.relu(self.norm1(self.after1(x))))))
        return bounded(self.last(x))
