"""Networks that the papers compare with: SRCNN, VDSR and FSRCNN.

Images are (N, 3, H, W) float RGB in [0, 1], any height and width.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ppcn.networks.layers import bounded, conv_same, gray, initialise

SCALE = 4


class SRCNN(nn.Module):
    """The SRCNN of the PIRM 2018 challenge, 69,249 parameters: 9x9, 5x5 and 5x5 on RGB.

    As in the challenge's weights, one bias is shared by the three output channels.

    Args:
        initial_deviation: of fresh weights, see `initialise`.
    """

    def __init__(self, initial_deviation: float | None = 0.01) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv_same(3, 64, 9), conv_same(64, 32, 5)
        self.conv3 = conv_same(32, 3, 5, bias=False)
        self.bias3 = nn.Parameter(torch.full((1,), 0.01))
        initialise(self, initial_deviation)

    def forward(self, x: Tensor) -> Tensor:
        """Enhance, or sharpen what was enlarged before."""
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        return bounded(self.conv3(x) + self.bias3)


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


class FSRCNN(nn.Module):
    """FSRCNN (Dong et al. 2016) x4 with d = 56, s = 12, m = 4, 12,809 parameters.

    It enlarges brightness; colour differences are enlarged bicubically (a = -0.5). PReLU has a
    slope per channel; the last layer is a transposed 9x9 convolution of stride 4. Weights are
    drawn as He et al. 2015; those of the last layer with a deviation of 0.001, as in the paper.
    """

    def __init__(self) -> None:
        super().__init__()
        kernels = ((1, 56, 5), (56, 12, 1), *[(12, 12, 3)] * 4, (12, 56, 1))
        self.convs = nn.ModuleList(conv_same(*kernel) for kernel in kernels)
        self.slopes = nn.ModuleList(nn.PReLU(outputs) for _, outputs, _ in kernels)
        self.enlarge = nn.ConvTranspose2d(56, 1, 9, SCALE, padding=4, output_padding=3)
        initialise(self, None)
        nn.init.normal_(self.enlarge.weight, std=0.001)
        nn.init.zeros_(self.enlarge.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge (N, 3, H, W) to (N, 3, 4H, 4W)."""
        brightness = gray(x)
        for conv, slope in zip(self.convs, self.slopes, strict=True):
            brightness = slope(conv(brightness))
        size = (x.shape[2] * SCALE, x.shape[3] * SCALE)
        # Interpolation knows no bfloat16; antialias chooses a = -0.5.
        enlarged = F.interpolate(x.float(), size=size, mode="bicubic", antialias=True).to(x.dtype)
        return enlarged - gray(enlarged) + self.enlarge(brightness)
