"""PPCN's training steps written down literally, to measure the engine against.

Formulas as printed, one after the other, nothing kept, nothing shared, torch's plain Adam.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ppcn.networks.ppcn import Student, Teacher
from ppcn.networks.vgg import VGG19


def contextual(x: Tensor, y: Tensor) -> Tensor:
    """PPCN eq. 1-2, feature maps (N, C, H, W)."""
    x, y = F.normalize(x.flatten(2), dim=1), F.normalize(y.flatten(2), dim=1)
    distance = (1 - torch.einsum("nci,ncj->nij", x, y)).clamp_min(0)
    relative = distance / (distance.min(dim=2, keepdim=True).values + 1e-5)
    weight = torch.exp((1 - relative) / 0.5)
    affinity = weight / weight.sum(dim=2, keepdim=True)
    return -torch.log(affinity.max(dim=1).values.mean(dim=1)).mean()


def structural(x: Tensor, y: Tensor) -> Tensor:
    """PPCN eq. 4-5, the window as one 11x11 kernel."""
    offset = torch.arange(-5, 6, device=x.device)
    row = torch.exp(-(offset**2) / (2 * 1.5**2))
    window = torch.outer(row, row) / row.sum() ** 2
    kernel = window.expand(3, 1, 11, 11)

    def mean(z: Tensor) -> Tensor:
        return F.conv2d(z, kernel, groups=3)

    mx, my = mean(x), mean(y)
    vx, vy, c = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    above = (2 * mx * my + 1e-4) * (2 * c + 9e-4)
    return 1 - (above / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))).mean()


def color(x: Tensor, y: Tensor) -> Tensor:
    """PPCN eq. 9-10, the blur as one 21x21 kernel."""
    offset = torch.arange(-10, 11, device=x.device)
    row = torch.exp(-(offset**2) / 6)
    kernel = (0.053 * torch.outer(row, row)).expand(3, 1, 21, 21)
    blurred = [F.conv2d(z, kernel, padding=10, groups=3) for z in (x, y)]
    return (blurred[0] - blurred[1]).square().sum() / len(x)


def total_variation(x: Tensor) -> Tensor:
    """PPCN eq. 11."""
    dx = F.pad(x[:, :, :, 1:] - x[:, :, :, :-1], (0, 1))
    dy = F.pad(x[:, :, 1:] - x[:, :, :-1], (0, 0, 0, 1))
    return (dx + dy).flatten(1).norm(dim=1).mean() / x[0].numel()


def distillation(student: tuple[Tensor, ...], teacher: tuple[Tensor, ...]) -> Tensor:
    """PPCN eq. 12."""
    total = torch.zeros((), device=student[0].device)
    for ours, theirs in zip(student, teacher, strict=True):
        maps = [F.normalize(taps.mean(dim=1).flatten(1), dim=1) for taps in (ours, theirs)]
        total = total + (maps[0] - maps[1]).norm(dim=1).mean()
    return total


class LiteralEnhancer:
    """One step of PPCN eq. 13 for the teacher, or for a student with its teacher."""

    def __init__(
        self,
        network: Teacher | Student,
        discriminator: nn.Module,
        vgg: VGG19,
        teacher: Teacher | None,
        weights: Mapping[str, float],
    ) -> None:
        self.network, self.discriminator, self.vgg, self.teacher = (
            network,
            discriminator,
            vgg,
            teacher,
        )
        self.weights = weights
        self.adam = torch.optim.Adam(network.parameters(), lr=5e-4, foreach=False)
        self.discriminator_adam = torch.optim.Adam(
            discriminator.parameters(), lr=5e-4, foreach=False
        )

    def step(self, x: Tensor, y: Tensor) -> Tensor:
        """Learn from a batch; returns the loss."""
        output = self.network.enhance(x)
        image = output.image
        terms = {
            "contextual": contextual(self.vgg(image)["conv4_2"], self.vgg(y)["conv4_2"]),
            "ssim": structural(image, y),
            "texture": -F.logsigmoid(self.discriminator(image)).sum(),
            "color": color(image, y),
            "tv": total_variation(image),
        }
        if self.teacher:
            terms["kd"] = distillation(output.taps, self.teacher.enhance(x).taps)
        loss = sum((self.weights[name] * term for name, term in terms.items()), torch.zeros(()))
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        real, fake = self.discriminator(y), self.discriminator(image.detach())
        adversarial = -F.logsigmoid(real).sum() - F.logsigmoid(-fake).sum()
        self.discriminator_adam.zero_grad()
        adversarial.backward()
        self.discriminator_adam.step()
        return loss.detach()


class LiteralSR:
    """One step of PPCN eq. 6."""

    def __init__(self, network: nn.Module, weights: Mapping[str, float]) -> None:
        self.network, self.weights = network, weights
        self.adam = torch.optim.Adam(network.parameters(), lr=5e-4, foreach=False)

    def step(self, x: Tensor, y: Tensor) -> Tensor:
        """Learn from a batch; returns the loss."""
        output = self.network(x)
        loss = self.weights["mae"] * 255 * (output - y).abs().mean()
        loss = loss + self.weights["ssim"] * structural(output, y)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return loss.detach()
