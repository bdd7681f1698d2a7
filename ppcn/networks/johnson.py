"""Johnson et al.'s transformation network (2016), which DPED compares with."""

from torch import Tensor, nn
from torch.nn import functional as F

from ppcn.networks.layers import (
    Enhanced,
    EnhancementNetwork,
    InstanceNorm,
    ResidualBlock,
    bounded,
    conv_same,
    initialise,
)


class Johnson(EnhancementNetwork):
    """Johnson et al.'s transformation network (2016) for pictures that keep their size, 401,859.

    Their x4 network without its upsampling: conv 9x9, four residual blocks of 64 channels without
    ReLU after the sum, two convolutions (theirs of stride 1/2), conv 9x9. DPED section 4.1
    compares with it.

    Deviation: instance norm for their batch norm, so that one photo's result does not depend on
    the batch, and the bounded output of the other networks of the comparison.

    Args:
        initial_deviation: of fresh weights, see `initialise`.
    """

    margin = 18

    def __init__(self, initial_deviation: float | None = 0.01) -> None:
        super().__init__()
        self.first, self.norm_first = conv_same(3, 64, 9), InstanceNorm(64)
        self.blocks = nn.Sequential(*(ResidualBlock(64, ends_in_relu=False) for _ in range(4)))
        self.after1, self.norm1 = conv_same(64, 64, 3), InstanceNorm(64)
        self.after2, self.norm2 = conv_same(64, 64, 3), InstanceNorm(64)
        self.last = conv_same(64, 3, 9)
        initialise(self, initial_deviation)

    def compute(self, x: Tensor) -> Enhanced:
        """The enhanced photo."""
        x = self.blocks(F.relu(self.norm_first(self.first(x))))
        x = F.relu(self.norm2(self.after2(F.relu(self.norm1(self.after1(x))))))
        return Enhanced(bounded(self.last(x)))
