"""Networks that tell camera patches from generated ones (PPCN Fig. 4, DPED Fig. 7)."""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from ppcn import machine
from ppcn.networks.layers import InstanceNorm, gray, initialise

Kind = Literal["ppcn", "dped"]
LAYERS: dict[Kind, tuple[tuple[int, int, int], ...]] = {
    "ppcn": ((64, 9, 4), (128, 5, 2), (192, 3, 1), (192, 3, 1), (256, 3, 2), (256, 3, 1)),
    "dped": ((48, 11, 4), (128, 5, 2), (192, 3, 1), (192, 3, 1), (128, 3, 2)),
}
"""Channels, kernel and stride of each convolution."""


class Discriminator(nn.Module):
    """Judges grayscale patches; each convolution is followed by LeakyReLU(0.2) and a norm.

    Deviation: as in the authors' codes, the first convolution has no norm, and the norm is an
    instance norm where DPED's paper says batch norm.

    Args:
        size: height and width of the patches, px; the papers' is 100.
        kind: "ppcn" has six convolutions, "dped" five (also BOE-SBG's).
    """

    def __init__(self, size: int = 100, kind: Kind = "ppcn") -> None:
        super().__init__()
        self.convs = nn.ModuleList()
        self.norms = nn.ModuleList([nn.Identity()])
        inputs = 1
        for index, (outputs, kernel, stride) in enumerate(LAYERS[kind]):
            self.convs.append(nn.Conv2d(inputs, outputs, kernel, stride))
            if index:
                self.norms.append(InstanceNorm(outputs))
            inputs, size = outputs, -(-size // stride)
        self.hidden = nn.Linear(inputs * size**2, 1024)
        self.logit = nn.Linear(1024, 1)
        initialise(self, 0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N,) that RGB (N, 3, size, size) in [0, 1] came from the camera."""
        x = gray(x)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(F.leaky_relu(_conv_same(x, conv), 0.2))
        x = F.leaky_relu(self.hidden(x.flatten(1)), 0.2)
        return self.logit(x).squeeze(1)


def _conv_same(x: Tensor, conv: nn.Module) -> Tensor:
    """Convolve as TensorFlow's SAME: output ceil(input / stride), the extra row at the bottom."""
    assert isinstance(conv, nn.Conv2d)
    pads: list[int] = []
    for size, kernel, stride in zip(
        (x.shape[3], x.shape[2]), conv.kernel_size[::-1], conv.stride[::-1], strict=True
    ):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    left, right, top, bottom = pads
    if machine.prefers_few_operators(x) and (left, top) == (right, bottom):
        return F.conv2d(x, conv.weight, conv.bias, conv.stride, (top, left))
    return conv(F.pad(x, pads))
