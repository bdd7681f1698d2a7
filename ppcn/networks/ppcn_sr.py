"""PPCN's x4 super-resolution network (paper Fig. 2)."""

from torch import Tensor, nn
from torch.nn import functional as F

from ppcn.networks.layers import PhotoMean, crop_like, pad_to_multiple


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """3x3 convolution with Glorot-uniform weights and zero bias.

    At stride 2 the caller pads (TensorFlow's SAME pads only right and bottom at even sizes).
    """
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=0 if stride > 1 else 1)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def _lrelu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.05)


class _ResidualModule(nn.Module):
    """u + conv(LReLU(conv(u))), 32 -> 64 -> 32 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.expand, self.reduce = _conv(32, 64), _conv(64, 32)

    def forward(self, u: Tensor) -> Tensor:
        return u + self.reduce(_lrelu(self.expand(u)))


class _Block(nn.Module):
    """Two residual modules and a transition convolution, with a skip over all three."""

    def __init__(self) -> None:
        super().__init__()
        self.modules_ = nn.Sequential(_ResidualModule(), _ResidualModule())
        self.transition = _conv(32, 32)

    def forward(self, u: Tensor) -> Tensor:
        return self.transition(self.modules_(u)) + u


class PPCNSR(nn.Module):
    """PPCN SR x4, 236,560 parameters: works at a quarter of the enlarged photo's size.

    Input (N, 3, H, W) in [0, 1]: the LR photo enlarged x4 bicubically. Sizes that are no
    multiple of 4 are padded by repeating the border and cropped afterwards.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mean = PhotoMean()
        self.down1, self.down2 = _conv(3, 32, stride=2), _conv(32, 64, stride=2)
        self.reduce = _conv(64, 32)
        self.blocks = nn.Sequential(_Block(), _Block())
        self.fuse = _conv(32, 32)
        self.up1, self.up2 = _conv(32, 32), _conv(32, 48)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sharpened photo, (N, 3, H, W), not clipped."""
        padded = pad_to_multiple(x, 4) * 255
        mean = self.mean(padded)
        t = _lrelu(self.down1(F.pad(padded - mean, (0, 1, 0, 1))))
        t = self.reduce(_lrelu(self.down2(F.pad(t, (0, 1, 0, 1)))))
        t = self.fuse(self.blocks(t)) + t
        out = F.pixel_shuffle(self.up2(self.up1(t)), 4) + mean
        return crop_like(out / 255, x)
