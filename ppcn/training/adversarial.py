"""The adversarial term: a discriminator that is trained against the network, a step after it."""

import torch
from torch import Tensor

from ppcn import losses, machine
from ppcn.networks.devices import place
from ppcn.networks.discriminators import Discriminator
from ppcn.params import Formula
from ppcn.training import distributed


class Adversary:
    """A discriminator, and what it was shown in the step that is going on.

    Args:
        discriminator: tells the better camera's patches from generated ones.
        formula: "paper" shows it generated and real images apart (PPCN eq. 8); "code" shows it a
            batch in which each image is one or the other at random, as the authors' program does.
    """

    def __init__(self, discriminator: Discriminator, formula: Formula) -> None:
        self.discriminator = place(discriminator)
        self._formula = formula
        self._shown: tuple[Tensor, Tensor, Tensor] | None = None

    def texture(self, image: Tensor, target: Tensor, random: torch.Generator) -> Tensor:
        """What the network has to lower: eq. 8, or the authors' minimax.

        A sum over the batch; of several processes each has a part, and gradients are averaged.

        Args:
            image: generated images, (N, 3, S, S).
            target: the better camera's, same shape.
            random: draws which images of the batch are real; only for "code".
        """
        self.discriminator.requires_grad_(False)
        shown, is_real = self.show(image, target, random)
        logits = self.discriminator(shown)
        if self._formula == "paper":
            return distributed.count() * losses.texture(logits)
        return -distributed.count() * losses.swapped_discrimination(logits, is_real)

    def show(self, image: Tensor, target: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Choose what `loss` has the discriminator tell apart; arguments as of `texture`.

        Returns:
            The images, with gradients, and which of them are real, (N,); for "paper" none is.
        """
        if self._formula == "paper":
            shown, is_real = image, torch.zeros(0)
        else:
            everyones = (len(target) * distributed.count(),)
            is_real = torch.randint(0, 2, everyones, generator=random, device=target.device)
            is_real = is_real[distributed.rank() :: distributed.count()]
            shown = torch.where(is_real.view(-1, 1, 1, 1) == 1, target, image)
        self._shown = (shown.detach(), target, is_real)
        return shown, is_real

    def loss(self) -> Tensor | None:
        """What the discriminator has to lower for the images of this step; None if there are none.

        It can be asked for once a step.
        """
        if self._shown is None:
            return None
        shown, real, is_real = self._shown
        self._shown = None
        self.discriminator.requires_grad_(True)
        if self._formula == "paper":
            loss = losses.discrimination(*self._logits(real, shown))
        else:
            loss = losses.swapped_discrimination(self.discriminator(shown), is_real)
        return distributed.count() * loss

    def _logits(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Of both kinds of images: in one pass where that starts fewer operators."""
        if machine.prefers_few_operators(real):
            first, second = self.discriminator(torch.cat((real, fake))).split(len(real))
            return first, second
        return self.discriminator(real), self.discriminator(fake)
