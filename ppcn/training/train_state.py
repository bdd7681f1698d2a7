"""What a training step changes, so that it can be saved and taken up again to the bit."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from ppcn.params import Training
from ppcn.training.ema import update_ema
from ppcn.training.meter import LossMeter
from ppcn.training.optimizer import Optimizer

Row = dict[str, float]
Tensors = dict[str, Tensor]


class TrainState:
    """Networks, optimizers, EMA weights, rows and the step, of one training run.

    Args:
        network: what is trained.
        discriminator: a network that is trained against it, or None.
        training: which weights to average and keep.
    """

    def __init__(
        self, network: nn.Module, discriminator: nn.Module | None, training: Training
    ) -> None:
        self.step = self.warmup_step = 0
        self.rows: list[Row] = []
        self.meter = LossMeter()
        self.network, self.discriminator, self._training = network, discriminator, training
        self._ema = copy.deepcopy(network).requires_grad_(False) if training.average else None
        self.optimizer = Optimizer(network.parameters())
        self.discriminator_optimizer = (
            Optimizer(discriminator.parameters()) if discriminator else None
        )
        self._best: Tensors = {}
        self._best_score = -math.inf

    @property
    def validated(self) -> nn.Module:
        """The network that is validated: with EMA weights where those are wanted."""
        return self._ema or self.network

    def update_ema(self) -> None:
        """Move the EMA weights, if there are any, towards the network's."""
        if self._ema:
            update_ema(self._ema, self.network, self._training.average, self.step)

    @torch.no_grad()
    def is_finite(self) -> bool:
        """Whether all weights are finite numbers."""
        parameters: list[Tensor] = [
            p for module in self._modules().values() for p in module.parameters()
        ]
        largest = torch._foreach_norm(parameters, math.inf)
        return bool(torch.stack(largest).isfinite().all())

    def add(self, row: Row) -> None:
        """Note a row of the log, and the weights if they are the best so far."""
        self.rows.append(row)
        if (score := self._score(row)) > self._best_score:
            self._best_score = score
            self._best = {name: v.clone() for name, v in self.validated.state_dict().items()}

    def end(self) -> Row:
        """Put the weights that are wanted into the network; returns their row."""
        best = self._training.keep != "last" and self._best
        self.network.load_state_dict(self._best if best else self.validated.state_dict())
        if not best:
            return self.rows[-1]
        return next(row for row in self.rows if self._score(row) == self._best_score)

    def _score(self, row: Row) -> float:
        """What `keep` chooses weights by; higher is better."""
        return -row["niqe"] if self._training.keep == "niqe" else row["psnr"]

    def save(self) -> tuple[Tensors, dict[str, Any]]:
        """Everything, as tensors and as facts that JSON can hold."""
        meter, meter_facts = self.meter.save()
        groups = {name: part.state_dict() for name, part in self._modules().items()}
        groups |= {name: part.tensors() for name, part in self._optimizers().items()}
        groups |= {"meter": meter, "best": self._best}
        tensors = {f"{group}/{k}": v for group, values in groups.items() for k, v in values.items()}
        return tensors, {
            "step": self.step,
            "warmup_step": self.warmup_step,
            "rows": self.rows,
            "best_score": self._best_score if self._best else None,
            "meter": meter_facts,
        }

    def load(self, tensors: Tensors, facts: dict[str, Any]) -> None:
        """Take up what `save` gave."""
        groups: dict[str, Tensors] = {}
        for key, value in tensors.items():
            group, name = key.split("/", 1)
            groups.setdefault(group, {})[name] = value
        for name, module in self._modules().items():
            module.load_state_dict(groups.get(name, {}))
        for name, optimizer in self._optimizers().items():
            optimizer.load(groups.get(name, {}))
        device = next(self.network.parameters()).device
        self.meter.load(groups.get("meter", {}), facts["meter"], device)
        self._best = {name: value.to(device) for name, value in groups.get("best", {}).items()}
        self._best_score = -math.inf if facts["best_score"] is None else facts["best_score"]
        self.step, self.rows = facts["step"], facts["rows"]
        self.warmup_step = facts["warmup_step"]

    def _modules(self) -> dict[str, nn.Module]:
        modules = {
            "network": self.network,
            "discriminator": self.discriminator,
            "ema": self._ema,
        }
        return {name: module for name, module in modules.items() if module}

    def _optimizers(self) -> dict[str, Optimizer]:
        optimizers = {
            "optimizer": self.optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }
        return {name: optimizer for name, optimizer in optimizers.items() if optimizer}
