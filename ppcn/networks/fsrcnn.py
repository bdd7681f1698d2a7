"""FSRCNN (Dong et al. 2016).

Images are (N, 3, H, W) float RGB in [0, 1], any height and width.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from ppcn.networks.layers import conv_same, gray, initialise
from ppcn.photos.resize import SCALE


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
