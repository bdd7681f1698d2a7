"""Networks in operators that every converter knows."""

import copy

import torch
from torch import Tensor, nn

from ppcn.networks.layers import InstanceNorm


class PlainNorm(nn.Module):
    """Instance norm as means, differences and a square root.

    Args:
        norm: whose numbers it takes.
    """

    def __init__(self, norm: InstanceNorm) -> None:
        super().__init__()
        self.epsilon = norm.epsilon
        self.weight = nn.Parameter(norm.weight.detach().view(1, -1, 1, 1))
        self.bias = nn.Parameter(norm.bias.detach().view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (1, C, H, W)."""
        x = x - x.mean(dim=(2, 3), keepdim=True)
        variance = (x * x).mean(dim=(2, 3), keepdim=True)
        return x * (self.weight * torch.rsqrt(variance + self.epsilon)) + self.bias


def with_plain_norms(network: nn.Module) -> nn.Module:
    """A copy whose instance norms are plain."""
    network = copy.deepcopy(network).eval().requires_grad_(False)
    for parent in list(network.modules()):
        for name, module in list(parent.named_children()):
            if isinstance(module, InstanceNorm):
                setattr(parent, name, PlainNorm(module).requires_grad_(False))
    return network
