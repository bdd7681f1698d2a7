"""VDSR (Kim et al. 2016).

Images are (N, 3, H, W) float RGB in [0, 1], any height and width.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from ppcn.networks.layers import conv_same, gray, initialise


class VDSR(nn.Module):
    """VDSR (Kim et al. 2016), 665,921 parameters: twenty 3x3 convolutions and a global skip.

    It sharpens brightness; colour differences of the enlarged photo are kept. Weights are drawn
    as He et al. 2015, as in the paper.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (1, *[64] * 19, 1)
        self.convs = nn.ModuleList(conv_same(a, b, 3) for a, b in pairwise(widths))
        initialise(self, None)

    def forward(self, x: Tensor) -> Tensor:
        """Sharpen what was enlarged before."""
        residual = gray(x)
        for conv in self.convs[:-1]:
            residual = F.relu(conv(residual))
        return x + self.convs[-1](residual)
