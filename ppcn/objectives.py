"""What the networks are trained for: PPCN eq. 13 for enhancement, eq. 6 for super-resolution."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from ppcn import losses
from ppcn.devices import place
from ppcn.errors import UserError
from ppcn.networks.ppcn import Discriminator, Enhanced, Student, Teacher
from ppcn.params import Loss, SuperResolution
from ppcn.vgg import VGG19

Terms = dict[str, Tensor]
NEED_A_NETWORK = {"contextual", "vgg", "texture"}


class Objective(Protocol):
    """What a network is trained for."""

    @property
    def weights(self) -> Mapping[str, float]:
        """Weight of each term."""

    def terms(
        self, network: nn.Module, x: Tensor, y: Tensor, step: int, random: torch.Generator
    ) -> Terms:
        """Loss terms, each to be multiplied by its weight, for inputs x and targets y."""

    def finish_step(self) -> dict[str, Tensor]:
        """Train whatever else has to learn from this step; returns its losses."""


class Enhancement:
    """PPCN's enhancement loss (eq. 13 with eq. 7-12); terms of weight 0 are not computed.

    Args:
        loss: weights and formulas.
        vgg: the feature network.
        teacher: the network whose maps eq. 12 imitates; None trains without distillation.
        size: height and width of the patches, px.
        warmup_steps: first steps, which leave out the terms that need VGG-19 or the
            discriminator.

    Deviation: the warm-up, for short runs: those terms cost nine tenths of a step and say little
    while colours are still wrong. The papers have none; 0 turns it off.
    """

    def __init__(
        self, loss: Loss, vgg: VGG19, teacher: Teacher | None, size: int, warmup_steps: int
    ) -> None:
        self.loss = loss
        self.warmup_steps = warmup_steps
        self.weights = {
            "contextual": loss.content_weight * loss.contextual_weight,
            "ssim": loss.content_weight * loss.ssim_weight,
            "texture": loss.texture_weight,
            "color": loss.color_weight,
            "tv": loss.tv_weight,
            "kd": loss.kd_weight if teacher else 0.0,
            "l1": loss.l1_weight,
            "vgg": loss.vgg_weight,
        }
        if not any(self.weights.values()):
            raise UserError("every weight under loss: is 0, so there is nothing to train for")
        self.vgg = place(vgg)
        self.teacher = place(teacher).eval().requires_grad_(False) if teacher else None
        self.discriminator = place(Discriminator(size))
        self.optimiser = torch.optim.Adam(
            self.discriminator.parameters(), lr=loss.discriminator_rate
        )
        self._shown: tuple[Tensor, Tensor, Tensor] | None = None

    def terms(
        self, network: nn.Module, x: Tensor, y: Tensor, step: int, random: torch.Generator
    ) -> Terms:
        """Terms of eq. 13 for phone patches x and camera patches y."""
        assert isinstance(network, Teacher | Student)
        output = network.enhance(x)
        wanted = {name for name, weight in self.weights.items() if weight}
        if step < self.warmup_steps:
            wanted = wanted - NEED_A_NETWORK or wanted
        terms: Terms = {}
        terms |= self._feature_terms(output.image, y, wanted, random)
        if "ssim" in wanted:
            terms["ssim"] = losses.structural(output.image, y)
        if "texture" in wanted:
            terms["texture"] = self._texture(output.image, y, random)
        if "color" in wanted:
            terms["color"] = losses.color(output.image, y, self.loss.color_blur)
        if "tv" in wanted:
            terms["tv"] = losses.total_variation(output.image, self.loss.tv)
        if "kd" in wanted:
            terms["kd"] = self._distillation(output, x)
        if "l1" in wanted:
            terms["l1"] = losses.absolute(output.image, y)
        return terms

    def _feature_terms(
        self, image: Tensor, y: Tensor, wanted: set[str], random: torch.Generator
    ) -> Terms:
        if not wanted & {"contextual", "vgg"}:
            return {}
        with torch.no_grad():
            target = self.vgg(y)
        features = self.vgg(image)
        terms: Terms = {}
        if "contextual" in wanted:
            terms["contextual"] = losses.contextual(features, target, self.loss.contextual, random)
        if "vgg" in wanted:
            terms["vgg"] = losses.perceptual(features, target)
        return terms

    def _texture(self, image: Tensor, y: Tensor, random: torch.Generator) -> Tensor:
        """Eq. 8, or the authors' minimax on a batch in which half of the images are swapped."""
        self.discriminator.requires_grad_(False)
        if self.loss.adversarial == "paper":
            self._shown = (image.detach(), y, torch.zeros(0))
            return losses.texture(self.discriminator(image))
        is_real = torch.randint(0, 2, (len(y),), generator=random, device=y.device)
        shown = torch.where(is_real.view(-1, 1, 1, 1) == 1, y, image)
        self._shown = (shown.detach(), y, is_real)
        return -losses.swapped_discrimination(self.discriminator(shown), is_real)

    def _distillation(self, output: Enhanced, x: Tensor) -> Tensor:
        assert self.teacher is not None
        with torch.no_grad():
            taps = self.teacher.enhance(x).taps
        return losses.distillation(output.taps, taps, self.loss.distillation)

    def finish_step(self) -> dict[str, Tensor]:
        """Train the discriminator on the images of this step."""
        if self._shown is None:
            return {}
        shown, real, is_real = self._shown
        self._shown = None
        self.discriminator.requires_grad_(True)
        if self.loss.adversarial == "paper":
            loss = losses.discrimination(self.discriminator(real), self.discriminator(shown))
        else:
            loss = losses.swapped_discrimination(self.discriminator(shown), is_real)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return {"discriminator": loss}


class Sharpening:
    """PPCN's super-resolution loss (eq. 6), on images in 0..255."""

    def __init__(self, sr: SuperResolution) -> None:
        self.weights = {"mae": sr.mae_weight, "ssim": sr.ssim_weight}

    def terms(
        self, network: nn.Module, x: Tensor, y: Tensor, step: int, random: torch.Generator
    ) -> Terms:
        """MAE on 0..255 and 1 - SSIM for enlarged photos x and sharp photos y."""
        output = network(x)
        return {"mae": 255 * losses.absolute(output, y), "ssim": losses.structural(output, y)}

    def finish_step(self) -> dict[str, Tensor]:
        """Nothing else learns."""
        return {}
