"""Super-resolution x4 by plain convolutions, which are sums of branches while they are trained.

All features are computed at the size of the small photo by 3x3 convolutions of C channels, each
followed by a leaky ReLU. The last one gives 48 maps, which a pixel shuffle arranges as a photo four
times as high and wide; the small photo, every pixel repeated 4x4 times, is added.

While it is trained, each convolution is a sum of branches, all linear in its input u (after the
edge-oriented blocks of Zhang et al. 2021, "Edge-oriented Convolution Block for Real-time Super
Resolution on Mobile Devices", without their fixed edge filters):

    f(u) = D * u + d                              3x3
         + S * (M * (E * u + e) + m) + s          1x1 (E), 3x3 (M), 1x1 (S)
         + P * u                                  1x1
         + u                                      where inputs and outputs are as many

where * is convolution. Being linear, the sum is one 3x3 convolution f(u) = K * u + k:

    K[o, i, y, x] = D[o, i, y, x] + sum_pq S[o, p] M[p, q, y, x] E[q, i]
                  + [y = x = middle] (P[o, i] + [o = i])
    k[o]          = d[o] + s[o] + sum_p S[o, p] (m[p] + sum_qyx M[p, q, y, x] e[q])

At borders, too, if E * u + e is continued by e, which is what it would be where u is 0. A training
step computes K and k of the branches, which costs far less than the branches do on maps, and runs
the one convolution; gradients reach the branches through this fold.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ppcn.photos.resize import SCALE

WIDTH, DEPTH = 32, 14
SLOPE = 0.1
# First weights of the branches, against those of He et al. 2015: what is added to the identity is
# small, and the network begins near the repeated photo.
DIRECT, OTHERS, LAST = 0.3, 0.15, 0.01
# The first features are of the photo less this: brightness itself says nothing of detail.
GREY = 0.5


def _sizes(width: int, depth: int) -> list[tuple[int, int]]:
    """Inputs and outputs of each convolution."""
    return [(3, width), *[(width, width)] * depth, (width, 3 * SCALE**2)]


class PlainSR(nn.Module):
    """The network as it runs: sixteen 3x3 convolutions, 144,272 parameters.

    Input (N, 3, H, W) in [0, 1], the small photo.

    Args:
        width: C.
        depth: convolutions of C to C channels.
    """

    def __init__(self, width: int = WIDTH, depth: int = DEPTH) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in _sizes(width, depth))

    def forward(self, x: Tensor) -> Tensor:
        """Return the photo four times as high and wide, (N, 3, 4H, 4W), not clipped."""
        u = x
        for conv in self.convs[:-1]:
            u = F.leaky_relu(conv(u), SLOPE)
        out: Tensor = F.pixel_shuffle(self.convs[-1](u), SCALE)
        return out + F.interpolate(x, scale_factor=SCALE, mode="nearest")


class BranchedConv(nn.Module):
    """A 3x3 convolution as the sum of its branches.

    Args:
        inputs: channels.
        outputs: channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.direct = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.expand = nn.Conv2d(inputs, outputs, 1)
        self.middle = nn.Conv2d(outputs, outputs, 3)
        self.squeeze = nn.Conv2d(outputs, outputs, 1)
        self.point = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.has_identity = inputs == outputs
        for layer in (self.direct, self.expand, self.middle, self.squeeze, self.point):
            nn.init.kaiming_normal_(layer.weight, a=SLOPE)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        self.scale_weights(DIRECT, OTHERS)

    def scale_weights(self, direct: float, others: float) -> None:
        """Multiply what the branches give: the 3x3 convolution, and the other two."""
        with torch.no_grad():
            self.direct.weight *= direct
            self.squeeze.weight *= others
            self.point.weight *= others

    def centre(self, level: float) -> None:
        """Let the output be zero where all inputs are `level`."""
        with torch.no_grad():
            kernel, bias = self.fold()
            _bias(self.direct).sub_(bias + level * kernel.sum(dim=(1, 2, 3)))

    def fold(self) -> tuple[Tensor, Tensor]:
        """K (outputs, inputs, 3, 3) and k (outputs,) of the one convolution.

        In the precision of the weights, inside autocast too, as when the network is stored folded.
        """
        with torch.autocast(self.direct.weight.device.type, enabled=False):
            return self._folded()

    def _folded(self) -> tuple[Tensor, Tensor]:
        squeeze, expand = self.squeeze.weight[..., 0, 0], self.expand.weight[..., 0, 0]
        kernel = self.direct.weight + torch.einsum(
            "op,pqyx,qi->oiyx", squeeze, self.middle.weight, expand
        )
        point = self.point.weight[..., 0, 0]
        if self.has_identity:
            point = point + torch.eye(len(point), dtype=point.dtype, device=point.device)
        kernel = kernel + F.pad(point[..., None, None], (1, 1, 1, 1))
        direct, middle, last, first = (
            _bias(c) for c in (self.direct, self.middle, self.squeeze, self.expand)
        )
        carried = middle + self.middle.weight.sum(dim=(2, 3)) @ first
        return kernel, direct + last + squeeze @ carried

    def forward(self, u: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        return F.conv2d(u, *self.fold(), padding=1)

    def sum_of_branches(self, u: Tensor) -> Tensor:
        """The same, each branch by itself."""
        expanded = self.expand(F.pad(u, (1, 1, 1, 1)))
        out: Tensor = self.direct(u) + self.squeeze(self.middle(expanded)) + self.point(u)
        return out + u if self.has_identity else out


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias


class BranchedSR(PlainSR):
    """The network as it is trained; `fold` gives the one that runs."""

    def __init__(self, width: int = WIDTH, depth: int = DEPTH) -> None:
        super().__init__(width, depth)
        sizes = _sizes(width, depth)
        branched = [BranchedConv(inputs, outputs) for inputs, outputs in sizes]
        branched[0].centre(GREY)
        branched[-1].scale_weights(LAST, LAST)
        self.convs = nn.ModuleList(branched)
        self._width, self._depth = width, depth

    def fold(self) -> PlainSR:
        """The same network of one convolution for each sum, in evaluation mode."""
        plain = PlainSR(self._width, self._depth)
        with torch.no_grad():
            for branched, conv in zip(self.convs, plain.convs, strict=True):
                assert isinstance(branched, BranchedConv) and isinstance(conv, nn.Conv2d)
                kernel, bias = branched.fold()
                conv.weight.copy_(kernel)
                _bias(conv).copy_(bias)
        return plain.eval()
