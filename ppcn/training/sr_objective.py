"""What super-resolution networks are trained for."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ppcn import losses
from ppcn.networks.devices import compiled, full_precision
from ppcn.params import Engine, SRLoss
from ppcn.training.batches import Batch
from ppcn.training.objective import Terms, not_all_zero
from ppcn.training.sr_teacher import SRTeacher

WHITE = 255
# Of a pixel, levels: where it is as large, squares pull as hard as absolute errors do.
TYPICAL_ERROR = 5.0


class SRObjective:
    """Super-resolution losses: PPCN's (eq. 6) on images in 0..255, and mean squared error.

    With a share t of the teacher, T, and N the network, d(N, HR) of eq. 6 becomes
    (1 - t) d(N, HR) + t d(N, T). With a share l of luma, Y, d(a, b) is
    (1 - l) |a - b| + l |Y(a) - Y(b)|. In the last steps, from `mse_from` on, the loss is d alone,
    with (a - b)^2 / (2 * 5 levels) in place of |a - b|: PSNR is made of squares, and at an error
    of 5 levels the two have one gradient, so that the learning rate suits both.

    Deviation: PPCN has neither teacher, luma nor squares here; shares of 0 and `mse_from` 1 are
    its loss.

    Args:
        loss: weights of the terms, and the shares.
        steps: of the training.
        teacher: whose photos are imitated, where there is a share of it.
    """

    discriminator = None
    discriminator_rate = 0.0

    def __init__(self, loss: SRLoss, steps: int, teacher: SRTeacher | None = None) -> None:
        share = loss.teacher_weight if teacher else 0.0
        own, taught = (1 - share) * loss.mae_weight, share * loss.mae_weight
        weights = {"mae": own, "ssim": loss.ssim_weight, "mse": loss.mse_weight}
        weights |= {"teacher": taught} if teacher else {}
        if loss.mse_from < 1:
            weights |= {"squares": own, "teacher_squares": taught}
        self.weights = not_all_zero(weights)
        self._luma, self._teacher = loss.luma, teacher
        self._first_of_squares = loss.mse_from * steps
        self._compute = self._values

    def prepare(self, engine: Engine) -> None:
        """Compile the terms where a step is to be compiled, and ready the teacher."""
        if self._teacher:
            self._teacher.prepare(engine)
        if engine.compile == "step":
            self._compute = compiled(self._values, graphs=True)

    def terms(self, network: nn.Module, batch: Batch, step: int, random: torch.Generator) -> Terms:
        """The terms of a step: distances on 0..255, 1 - SSIM, and MSE on 0..1."""
        output = network(batch.x)
        lr = batch.x if batch.lr is None else batch.lr
        taught = self._teacher(lr) if self._teacher else batch.y
        with full_precision(output.device):
            return self._compute(output, batch.y, taught, step >= self._first_of_squares)

    def _values(self, output: Tensor, target: Tensor, taught: Tensor, in_squares: bool) -> Terms:
        terms: dict[str, Callable[[], Tensor]]
        if in_squares:
            terms = {
                "squares": lambda: self._squares(output, target),
                "teacher_squares": lambda: self._squares(output, taught),
            }
        else:
            terms = {
                "mae": lambda: self._errors(output, target),
                "ssim": lambda: losses.structural(output, target),
                "mse": lambda: losses.squared(output, target),
                "teacher": lambda: self._errors(output, taught),
            }
        return {name: term() for name, term in terms.items() if self.weights.get(name)}

    def _errors(self, output: Tensor, target: Tensor) -> Tensor:
        return WHITE * losses.with_luma(losses.absolute, output, target, self._luma)

    def _squares(self, output: Tensor, target: Tensor) -> Tensor:
        squares = losses.with_luma(losses.squared, output, target, self._luma)
        return WHITE**2 * squares / (2 * TYPICAL_ERROR)

    def show_inputs(self, batch: Batch, random: torch.Generator) -> None:
        """There is no discriminator."""

    def discriminator_loss(self) -> Tensor | None:
        """There is no discriminator."""
        return None
