"""What the networks are trained for: the papers' total losses.

`TERMS` is the table of the enhancement terms. To add one, write its function in `ppcn.losses`, its
name and weight in `ppcn.params.losses`, and its row here.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from ppcn import losses
from ppcn.errors import UserError
from ppcn.networks.devices import (
    choose_device,
    compile_in_place,
    compiled,
    free_bytes,
    full_precision,
    hold_weights,
    place,
)
from ppcn.networks.discriminators import Discriminator
from ppcn.networks.layers import Enhanced, EnhancementNetwork
from ppcn.networks.ppcn import Teacher
from ppcn.networks.vgg import VGG19, State
from ppcn.params import Engine, Loss, Recipe, TermName
from ppcn.training.adversarial import Adversary
from ppcn.training.batches import Batch
from ppcn.training.vgg_cache import TargetFeatures

Terms = dict[str, Tensor]
CONTEXTUAL_LAYER = "conv4_2"
# Share of the free memory that features of targets may fill.
SHARE_FOR_FEATURES = 4


class Objective(Protocol):
    """What a network is trained for."""

    @property
    def weights(self) -> Mapping[str, float]:
        """Weight of each term."""

    @property
    def discriminator(self) -> nn.Module | None:
        """A network that is trained against this one."""

    @property
    def discriminator_rate(self) -> float:
        """Its learning rate, before decay."""

    def prepare(self, engine: Engine) -> None:
        """Get ready for how training computes."""

    def terms(self, network: nn.Module, batch: Batch, step: int, random: torch.Generator) -> Terms:
        """Loss terms of a batch, each to be multiplied by its weight."""

    def show_inputs(self, batch: Batch, random: torch.Generator) -> None:
        """Show the discriminator what the network reads, as if the network had generated it."""

    def discriminator_loss(self) -> Tensor | None:
        """The discriminator's loss after `terms` or `show_inputs`; None when it saw nothing."""


@dataclass(frozen=True)
class Evidence:
    """What the terms of one step are computed from.

    Attributes:
        image: generated images, (N, 3, S, S) in [0, 1].
        target: the better camera's, same shape.
        features: features of image and target by VGG layer, for the terms that need them.
        taps: feature maps of the network and of its teacher; empty without a teacher.
        taught: the teacher's images, of the same shape; None without a teacher.
        adversary: the discriminator; None where no term needs it.
        recipe: variants of the terms.
        loss: formulas of the terms.
        random: for terms that draw something.
    """

    image: Tensor
    target: Tensor
    features: Mapping[str, tuple[Tensor, Tensor]]
    taps: tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
    taught: Tensor | None
    adversary: Adversary | None
    recipe: Recipe
    loss: Loss
    random: torch.Generator | None


@dataclass(frozen=True)
class Term:
    """A row of the table of enhancement terms.

    Attributes:
        name: as in the log, and in the tables' `without`.
        compute: the term, before its weight.
        weights: parameters of recipe or loss whose product is its weight.
        needs: what it costs. Terms that need VGG's features or the discriminator are left out
            during the warm-up; one that needs the teacher's output counts only with a teacher.
        layer: the layer of VGG-19 whose features it compares.
    """

    name: TermName
    compute: Callable[[Evidence], Tensor]
    weights: tuple[str, ...]
    needs: Literal["nothing", "features", "discriminator", "teacher"] = "nothing"
    layer: Callable[[Recipe], str] | None = None


def _texture(e: Evidence) -> Tensor:
    assert e.adversary is not None and e.random is not None
    return e.adversary.texture(e.image, e.target, e.random)


def _kd_output(e: Evidence) -> Tensor:
    assert e.taught is not None
    return losses.absolute(e.image, e.taught)


TERMS = (
    Term(
        "contextual",
        lambda e: losses.contextual(*e.features[CONTEXTUAL_LAYER], e.loss.contextual, e.random),
        weights=("content_weight", "contextual_weight"),
        needs="features",
        layer=lambda recipe: CONTEXTUAL_LAYER,
    ),
    Term(
        "ssim",
        lambda e: losses.structural(e.image, e.target),
        weights=("content_weight", "ssim_weight"),
    ),
    Term("texture", _texture, weights=("texture_weight",), needs="discriminator"),
    Term(
        "color",
        lambda e: losses.color(e.image, e.target, e.loss.color_blur),
        weights=("color_weight",),
    ),
    Term(
        "tv",
        lambda e: losses.total_variation(e.image, e.loss.tv),
        weights=("tv_weight",),
    ),
    Term(
        "kd",
        lambda e: losses.distillation(*e.taps, e.loss.distillation),
        weights=("kd_weight",),
        needs="teacher",
    ),
    Term(
        "l1",
        lambda e: losses.absolute(e.image, e.target, e.recipe.l1_channels),
        weights=("l1_weight",),
    ),
    Term(
        "vgg",
        lambda e: losses.perceptual(*e.features[e.recipe.vgg_layer], e.recipe.vgg_distance),
        weights=("vgg_weight",),
        needs="features",
        layer=lambda recipe: recipe.vgg_layer,
    ),
    Term(
        "mse",
        lambda e: losses.squared(e.image, e.target),
        weights=("mse_weight",),
    ),
    Term("kd_output", _kd_output, weights=("kd_output_weight",), needs="teacher"),
)
"""The enhancement terms, in the order of the log's columns."""


def _value(term: Term, evidence: Evidence) -> Tensor:
    """A term, in float32 but for what a network computes."""
    if term.needs == "discriminator":
        return term.compute(evidence)
    with full_precision(evidence.image.device):
        return term.compute(evidence)


def _values(terms: tuple[Term, ...], evidence: Evidence) -> Terms:
    """What is compiled: terms that draw nothing."""
    return {term.name: term.compute(evidence) for term in terms}


def _draws(term: Term, evidence: Evidence) -> bool:
    """Whether a term draws something at random, or changes what it is given."""
    maps = [target for _, target in evidence.features.values()]
    many = any(features[0, 0].numel() > losses.MAX_POSITIONS for features in maps)
    return term.needs == "discriminator" or (term.needs == "features" and many)


def weights_of(recipe: Recipe, loss: Loss, distils: bool) -> dict[str, float]:
    """Weight of each term.

    Raises:
        UserError: all of them are 0.
    """
    values = {**loss.model_dump(), **recipe.model_dump()}
    weights: dict[str, float] = {
        term.name: math.prod(values[name] for name in term.weights)
        if term.needs != "teacher" or distils
        else 0.0
        for term in TERMS
    }
    return not_all_zero(weights)


def not_all_zero(weights: dict[str, float]) -> dict[str, float]:
    """The weights.

    Raises:
        UserError: all of them are 0.
    """
    if not any(weights.values()):
        raise UserError("every weight of the loss is 0, so there is nothing to train for")
    return weights


class EnhancementObjective:
    """The enhancement losses of the papers; terms of weight 0 are not computed.

    Args:
        recipe: weights and variants (PPCN eq. 7 and 13, DPED eq. 8, BOE-SBG eq. 10, ...).
        loss: formulas, weight of distillation, learning rate of the discriminator.
        vgg: the feature network.
        teacher: the network whose maps eq. 12 imitates, and whose images kd_output does; None
            trains without distillation.
        size: height and width of the patches, px.
        warmup_steps: first steps, which leave out the terms that need VGG-19 or the
            discriminator, unless nothing else is left.
        targets: number of different targets, whose features are kept where there is room.

    Deviation: kd_output, the mean absolute difference to the teacher's images, which PPCN does not
    have; its weight is 0 unless an experiment sets it.

    Deviation: the warm-up, for short runs: those terms cost nine tenths of a step and say little
    while colours are still wrong. The papers have none; 0 turns it off.
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
        self.weights = weights_of(recipe, loss, distils=teacher is not None)
        self._terms = [term for term in TERMS if self.weights[term.name]]
        layers = {term.layer(recipe) for term in self._terms if term.layer}
        self.vgg = place(vgg)
        self._image_features: Callable[[Tensor, Collection[str]], State] = self.vgg
        self._compiled: Callable[[tuple[Term, ...], Evidence], Terms] | None = None
        room = free_bytes(choose_device()) // SHARE_FOR_FEATURES
        self.target_features = TargetFeatures(self.vgg, layers, room, targets)
        self.teacher = place(teacher).eval().requires_grad_(False) if teacher else None
        self._imitated = self.teacher.enhance if self.teacher else None
        self.adversary: Adversary | None = None
        if any(term.needs == "discriminator" for term in self._terms):
            discriminator = Discriminator(size, recipe.discriminator)
            self.adversary = Adversary(discriminator, loss.adversarial)
        self.discriminator_rate = loss.discriminator_rate

    def prepare(self, engine: Engine) -> None:
        """Hold frozen weights in bfloat16, or compile all that is fixed in a step.

        What is drawn at random, the kept features of targets, and what is kept for the
        discriminator's own step stay outside of compiled functions.
        """
        if engine.precision == "bfloat16":
            for network in (self.vgg, self.teacher):
                if network:
                    hold_weights(network, torch.bfloat16)
        if engine.compile != "step":
            return
        if self.discriminator:
            compile_in_place(self.discriminator, graphs=True)
        if self._imitated:
            self._imitated = compiled(self._imitated, graphs=True)
        self._image_features = compiled(self.vgg.forward, graphs=True)
        self._compiled = compiled(_values, graphs=True)

    @property
    def discriminator(self) -> Discriminator | None:
        """The network that is trained to tell generated patches from the better camera's."""
        return self.adversary.discriminator if self.adversary else None

    def terms(self, network: nn.Module, batch: Batch, step: int, random: torch.Generator) -> Terms:
        """The recipe's terms for the phone's patches x and the better camera's y."""
        assert isinstance(network, EnhancementNetwork)
        output = network.enhance(batch.x)
        terms = self._of_step(step)
        taught = self._taught(batch.x, terms)
        image = output.image.to(torch.promote_types(output.image.dtype, torch.float32))
        evidence = Evidence(
            image,
            batch.y,
            self._features(image, batch, terms),
            (output.taps, taught.taps if taught else ()),
            taught.image if taught else None,
            self.adversary,
            self.recipe,
            self.loss,
            random,
        )
        # Gradients add up in the order in which terms were computed: those of VGG come first.
        first = [term for term in terms if term.needs == "features"]
        others = [term for term in terms if term.needs != "features"]
        return self._values((*first, *others), evidence)

    def _values(self, terms: tuple[Term, ...], evidence: Evidence) -> Terms:
        """The terms by name; the compiled function sees neither discriminator nor generator."""
        if not self._compiled:
            return {term.name: _value(term, evidence) for term in terms}
        own = [term for term in terms if _draws(term, evidence)]
        fixed = tuple(term for term in terms if term not in own)
        with full_precision(evidence.image.device):
            values = self._compiled(fixed, replace(evidence, adversary=None, random=None))
        return values | {term.name: _value(term, evidence) for term in own}

    def _of_step(self, step: int) -> list[Term]:
        """The terms that count in a step."""
        if step >= self.warmup_steps:
            return self._terms
        cheap = [term for term in self._terms if term.needs in ("nothing", "teacher")]
        return cheap or self._terms

    def _features(
        self, image: Tensor, batch: Batch, terms: list[Term]
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """VGG-19's features of image and target, computed once for all terms."""
        layers = {term.layer(self.recipe) for term in terms if term.layer}
        if not layers:
            return {}
        target = self.target_features(batch.y, batch.keys)
        features = self._image_features(image, layers)
        return {layer: (features[layer], target[layer]) for layer in layers}

    @torch.no_grad()
    def _taught(self, x: Tensor, terms: list[Term]) -> Enhanced | None:
        """What the teacher makes of a batch, where a term compares with it."""
        if self._imitated is None or all(term.needs != "teacher" for term in terms):
            return None
        return self._imitated(x)

    def show_inputs(self, batch: Batch, random: torch.Generator) -> None:
        """Show the discriminator the phone's photos beside the better camera's (DPED 3.1.2)."""
        if self.adversary:
            self.adversary.show(batch.x, batch.y, random)

    def discriminator_loss(self) -> Tensor | None:
        """What the discriminator has to lower for the images of this step."""
        return self.adversary.loss() if self.adversary else None
