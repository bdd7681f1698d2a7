"""What the networks are trained for: the papers' total losses."""

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from ppcn import losses
from ppcn.errors import UserError
from ppcn.networks.devices import choose_device, free_bytes, place
from ppcn.networks.discriminators import Discriminator
from ppcn.networks.ppcn import Enhanced, Student, Teacher
from ppcn.networks.vgg import VGG19
from ppcn.params import Loss, Recipe, SharpeningLoss
from ppcn.training import distributed
from ppcn.training.batches import Batch
from ppcn.training.vgg_cache import TargetFeatures

Terms = dict[str, Tensor]
NEED_A_NETWORK = {"contextual", "vgg", "texture"}
CONTEXTUAL_LAYER = "conv4_2"
# Share of the free memory that features of targets may fill.
SHARE_FOR_FEATURES = 4


class Objective(Protocol):
    """What a network is trained for."""

    @property
    def weights(self) -> Mapping[str, float]:
        """Weight of each term."""

    @property
    def rival(self) -> nn.Module | None:
        """A network that learns against the trained one."""

    @property
    def rival_rate(self) -> float:
        """Its learning rate, before decay."""

    def terms(self, network: nn.Module, batch: Batch, step: int, random: torch.Generator) -> Terms:
        """Loss terms of a batch, each to be multiplied by its weight."""

    def rival_loss(self) -> Tensor | None:
        """What the rival has to learn from the last `terms`; None when it was not asked."""


class Enhancement:
    """The enhancement losses of the papers; terms of weight 0 are not computed.

    Args:
        recipe: weights and variants (PPCN eq. 7 and 13, DPED eq. 8, BOE-SBG eq. 10, ...).
        loss: formulas, weight of distillation, learning rate of the discriminator.
        vgg: the feature network.
        teacher: the network whose maps eq. 12 imitates; None trains without distillation.
        size: height and width of the patches, px.
        warmup_steps: first steps, which leave out the terms that need VGG-19 or the
            discriminator, unless nothing else is left.
        targets: number of different targets, whose features are kept where there is room.

    Deviation: the warm-up, for short runs: those terms cost nine tenths of a step and say little
    while colours are still wrong. The papers have none; 0 turns it off. DPED trains its
    discriminator on photo pairs beforehand; here it learns with the network from the start.
    """

    def __init__(
        self,
        recipe: Recipe,
        loss: Loss,
        vgg: VGG19,
        teacher: Teacher | None,
        size: int,
        warmup_steps: int,
        targets: int = 0,
    ) -> None:
        self.recipe, self.loss = recipe, loss
        self.warmup_steps = warmup_steps
        self.weights = {
            "contextual": recipe.content_weight * recipe.contextual_weight,
            "ssim": recipe.content_weight * recipe.ssim_weight,
            "texture": recipe.texture_weight,
            "color": recipe.color_weight,
            "tv": recipe.tv_weight,
            "kd": loss.kd_weight if teacher else 0.0,
            "l1": recipe.l1_weight,
            "vgg": recipe.vgg_weight,
            "mse": recipe.mse_weight,
        }
        if not any(self.weights.values()):
            raise UserError("every weight of the loss is 0, so there is nothing to train for")
        layers = {"contextual": CONTEXTUAL_LAYER, "vgg": recipe.vgg_layer}
        self._layers = {term: layer for term, layer in layers.items() if self.weights[term]}
        self.vgg = place(vgg)
        room = free_bytes(choose_device()) // SHARE_FOR_FEATURES
        self.target_features = TargetFeatures(self.vgg, set(self._layers.values()), room, targets)
        self.teacher = place(teacher).eval().requires_grad_(False) if teacher else None
        adversarial = bool(self.weights["texture"])
        self.rival = place(Discriminator(size, recipe.discriminator)) if adversarial else None
        self.rival_rate = loss.discriminator_rate
        self._shown: tuple[Tensor, Tensor, Tensor] | None = None

    def terms(self, network: nn.Module, batch: Batch, step: int, random: torch.Generator) -> Terms:
        """The recipe's terms for phone patches x and camera patches y."""
        x, y = batch.x, batch.y
        if isinstance(network, Teacher | Student):
            output = network.enhance(x)
        else:
            output = Enhanced(network(x), ())
        image = output.image
        wanted = {name for name, weight in self.weights.items() if weight}
        if step < self.warmup_steps:
            wanted = wanted - NEED_A_NETWORK or wanted
        compute: dict[str, Callable[[], Tensor]] = {
            "ssim": lambda: losses.structural(image, y),
            "texture": lambda: self._texture(image, y, random),
            "color": lambda: losses.color(image, y, self.loss.color_blur),
            "tv": lambda: losses.total_variation(image, self.loss.tv),
            "kd": lambda: self._distillation(output, x),
            "l1": lambda: losses.absolute(image, y, self.recipe.l1_channels),
            "mse": lambda: losses.squared(image, y),
        }
        terms = self._feature_terms(image, batch, wanted, random)
        return terms | {name: term() for name, term in compute.items() if name in wanted}

    def _feature_terms(
        self, image: Tensor, batch: Batch, wanted: set[str], random: torch.Generator
    ) -> Terms:
        """The terms that compare VGG-19's features, computed once for both."""
        layers = {term: layer for term, layer in self._layers.items() if term in wanted}
        if not layers:
            return {}
        target = self.target_features(batch.y, batch.keys)
        features = self.vgg(image, set(layers.values()))
        pairs = {term: (features[layer], target[layer]) for term, layer in layers.items()}
        terms: Terms = {}
        if "contextual" in pairs:
            terms["contextual"] = losses.contextual(
                *pairs["contextual"], self.loss.contextual, random
            )
        if "vgg" in pairs:
            terms["vgg"] = losses.perceptual(*pairs["vgg"], self.recipe.vgg_distance)
        return terms

    def _texture(self, image: Tensor, y: Tensor, random: torch.Generator) -> Tensor:
        """Eq. 8, or the authors' minimax on a batch whose images are swapped at random.

        A sum over the batch; of several processes each has a part, and gradients are averaged.
        """
        assert self.rival is not None
        self.rival.requires_grad_(False)
        if self.loss.adversarial == "paper":
            self._shown = (image.detach(), y, torch.zeros(0))
            return distributed.count() * losses.texture(self.rival(image))
        everyones = (len(y) * distributed.count(),)
        is_real = torch.randint(0, 2, everyones, generator=random, device=y.device)
        is_real = is_real[distributed.rank() :: distributed.count()]
        shown = torch.where(is_real.view(-1, 1, 1, 1) == 1, y, image)
        self._shown = (shown.detach(), y, is_real)
        return -distributed.count() * losses.swapped_discrimination(self.rival(shown), is_real)

    def _distillation(self, output: Enhanced, x: Tensor) -> Tensor:
        assert self.teacher is not None
        with torch.no_grad():
            taps = self.teacher.enhance(x).taps
        return losses.distillation(output.taps, taps, self.loss.distillation)

    def rival_loss(self) -> Tensor | None:
        """What the discriminator has to learn from the images of this step."""
        if self._shown is None or self.rival is None:
            return None
        shown, real, is_real = self._shown
        self._shown = None
        self.rival.requires_grad_(True)
        if self.loss.adversarial == "paper":
            loss = losses.discrimination(self.rival(real), self.rival(shown))
        else:
            loss = losses.swapped_discrimination(self.rival(shown), is_real)
        return distributed.count() * loss


class Sharpening:
    """Super-resolution losses: PPCN's (eq. 6) on images in 0..255, and mean squared error."""

    rival = None
    rival_rate = 0.0

    def __init__(self, loss: SharpeningLoss) -> None:
        self.weights = {"mae": loss.mae_weight, "ssim": loss.ssim_weight, "mse": loss.mse_weight}
        if not any(self.weights.values()):
            raise UserError("every weight of the loss is 0, so there is nothing to train for")

    def terms(self, network: nn.Module, batch: Batch, step: int, random: torch.Generator) -> Terms:
        """MAE on 0..255, 1 - SSIM and MSE on 0..1, for what the network reads and sharp photos."""
        output = network(batch.x)
        terms = {
            "mae": lambda: 255 * losses.absolute(output, batch.y),
            "ssim": lambda: losses.structural(output, batch.y),
            "mse": lambda: losses.squared(output, batch.y),
        }
        return {name: term() for name, term in terms.items() if self.weights[name]}

    def rival_loss(self) -> Tensor | None:
        """Nothing learns against it."""
        return None
