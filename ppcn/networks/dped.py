"""DPED's generator and its small sister (Ignatov et al. 2017)."""

from torch import Tensor, nn
from torch.nn import functional as F

from ppcn.networks.layers import (
    Enhanced,
    EnhancementNetwork,
    ResidualBlock,
    bounded,
    conv_same,
    initialise,
)


class ResNet(EnhancementNetwork):
    """DPED's generator (Fig. 7): ResNet-12-64 with 401,475 parameters, ResNet-8-32 with 71,331.

    Deviation: instance norm, as in the released code and weights; the paper says batch norm.

    Args:
        channels: feature maps of every layer.
        blocks: residual blocks.
        initial_deviation: of fresh weights, see `initialise`; the authors' is 0.01.
    """

    def __init__(self, channels: int, blocks: int, initial_deviation: float | None = 0.01) -> None:
        super().__init__()
        self.margin = 10 + 2 * blocks
        self.first = conv_same(3, channels, 9)
        self.blocks = nn.Sequential(
            *(ResidualBlock(channels, ends_in_relu=True) for _ in range(blocks))
        )
        self.after1, self.after2 = (
            conv_same(channels, channels, 3),
            conv_same(channels, channels, 3),
        )
        self.last = conv_same(channels, 3, 9)
        initialise(self, initial_deviation)

    def compute(self, x: Tensor) -> Enhanced:
        """The enhanced photo."""
        x = self.blocks(F.relu(self.first(x)))
        x = F.relu(self.after2(F.relu(self.after1(x))))
        return Enhanced(bounded(self.last(x)))
