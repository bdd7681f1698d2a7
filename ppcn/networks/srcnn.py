"""SRCNN (Dong et al. 2014), as the PIRM 2018 challenge has it.

Images are (N, 3, H, W) float RGB in [0, 1], any height and width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ppcn.networks.layers import Enhanced, EnhancementNetwork, bounded, conv_same, initialise


class SRCNN(EnhancementNetwork):
    """The SRCNN of the PIRM 2018 challenge, 69,249 parameters: 9x9, 5x5 and 5x5 on RGB.

    As in the challenge's weights, one bias is shared by the three output channels.

    Args:
        initial_deviation: of fresh weights, see `initialise`.
    """

    margin = 8

    def __init__(self, initial_deviation: float | None = 0.01) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv_same(3, 64, 9), conv_same(64, 32, 5)
        self.conv3 = conv_same(32, 3, 5, bias=False)
        self.bias3 = nn.Parameter(torch.full((1,), 0.01))
        initialise(self, initial_deviation)

    def compute(self, x: Tensor) -> Enhanced:
        """The enhanced photo, or a sharper one of what was enlarged before."""
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        return Enhanced(bounded(self.conv3(x) + self.bias3))
