"""What a training step changes, so that it can be saved and taken up again to the bit."""

import copy
import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ppcn.params import Training
from ppcn.training import distributed

Row = dict[str, float]
Tensors = dict[str, Tensor]

# The average of the weights looks back one step at first, and further from step to step.
STEPS_BEFORE_AVERAGING = 10


class Descent:
    """Adam(0.9, 0.999, 1e-8) for some parameters, over all processes."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        self._adam = torch.optim.Adam(self.parameters, eps=1e-8, fused=True)

    def step(self, loss: Tensor, rate: float) -> None:
        """Take one step down the gradient of `loss` at a learning rate."""
        for group in self._adam.param_groups:
            group["lr"] = rate
        self._adam.zero_grad()
        loss.backward()
        distributed.average_gradients(self.parameters)
        self._adam.step()

    def tensors(self) -> Tensors:
        """Its moments and step counts."""
        states = self._adam.state_dict()["state"]
        return {f"{i}.{name}": value for i, s in states.items() for name, value in s.items()}

    def load(self, tensors: Tensors) -> None:
        """Take up what `tensors` gave."""
        stored = self._adam.state_dict()
        for key, value in tensors.items():
            index, name = key.split(".")
            if name != "step":
                # The fused step needs the parameter's own order in memory.
                value = torch.empty_like(self.parameters[int(index)]).copy_(value)
            stored["state"].setdefault(int(index), {})[name] = value
        self._adam.load_state_dict(stored)


class Totals:
    """Sums of loss terms since the last row, and the step at which one stopped being finite.

    Everything stays where it is computed until it is asked for, so that no step waits.
    """

    def __init__(self) -> None:
        # By the names of a step's terms, which differ during the warm-up: sums, counts, steps.
        self._by_names: dict[tuple[str, ...], tuple[Tensor, int, Tensor]] = {}

    def add(self, terms: Tensors, step: int) -> None:
        """Take in the terms of one step."""
        names = tuple(terms)
        values = torch.stack([value.detach().double() for value in terms.values()])
        if names not in self._by_names:
            nothing = torch.zeros_like(values)
            self._by_names[names] = (nothing, 0, torch.full_like(values, math.inf))
        total, number, spoilt = self._by_names[names]
        spoilt = torch.where(values.isfinite() | spoilt.isfinite(), spoilt, float(step))
        self._by_names[names] = (total + values, number + 1, spoilt)

    def means(self) -> Row:
        """Mean of each term over steps and processes."""
        sums: dict[str, float] = {}
        counts: dict[str, int] = {}
        for names, (total, number, _) in self._by_names.items():
            for name, value in zip(names, distributed.average(total.clone()).tolist(), strict=True):
                sums[name] = sums.get(name, 0.0) + value
                counts[name] = counts.get(name, 0) + number
        return {name: sums[name] / counts[name] for name in sums}

    def first_spoilt(self) -> tuple[int, str] | None:
        """The first step of this process with a term that is not finite, and the term."""
        found = [
            (int(step), name == "loss", name)
            for names, (_, _, spoilt) in self._by_names.items()
            for name, step in zip(names, spoilt.tolist(), strict=True)
            if math.isfinite(step)
        ]
        return (min(found)[0], min(found)[2]) if found else None

    def clear(self) -> None:
        """Begin the next row."""
        self._by_names.clear()

    def tensors(self) -> Tensors:
        """Everything, by the names of the terms."""
        return {
            f"{number}.{'+'.join(names)}.{part}": torch.as_tensor(value)
            for number, (names, values) in enumerate(self._by_names.items())
            for part, value in zip(("sum", "count", "spoilt"), values, strict=True)
        }

    def load(self, tensors: Tensors, device: torch.device) -> None:
        """Take up what `tensors` gave."""
        firsts = (key.removesuffix(".sum") for key in tensors if key.endswith(".sum"))
        for key in sorted(firsts, key=lambda key: int(key.split(".")[0])):
            total, number, spoilt = (tensors[f"{key}.{p}"] for p in ("sum", "count", "spoilt"))
            values = (total.to(device), int(number), spoilt.to(device))
            self._by_names[tuple(key.split(".")[1].split("+"))] = values


class State:
    """Networks, optimisers, averages, rows and the step, of one training run.

    Args:
        network: what is trained.
        discriminator: a network that learns against it, or None.
        training: which weights to average and keep.
    """

    def __init__(
        self, network: nn.Module, discriminator: nn.Module | None, training: Training
    ) -> None:
        self.step = 0
        self.rows: list[Row] = []
        self.totals = Totals()
        self.network, self.discriminator, self._training = network, discriminator, training
        self._average = copy.deepcopy(network).requires_grad_(False) if training.average else None
        self.descent = Descent(network.parameters())
        self.discriminator_descent = Descent(discriminator.parameters()) if discriminator else None
        self._best: Tensors = {}
        self._best_psnr = -math.inf

    @property
    def judged(self) -> nn.Module:
        """The network that is validated: with averaged weights where those are wanted."""
        return self._average or self.network

    @torch.no_grad()
    def follow(self) -> None:
        """Move the averaged weights towards the network's."""
        if self._average:
            share = (1 + self.step) / (STEPS_BEFORE_AVERAGING + self.step)
            nearer = 1 - min(self._training.average, share)
            pairs = zip(self._average.parameters(), self.network.parameters(), strict=True)
            for mean, new in pairs:
                mean.lerp_(new, nearer)

    def is_finite(self) -> bool:
        """Whether all weights are finite numbers."""
        modules = self._modules().values()
        return all(bool(p.isfinite().all()) for m in modules for p in m.parameters())

    def add(self, row: Row) -> None:
        """Note a row of the log, and the weights if they are the best so far."""
        self.rows.append(row)
        if row["psnr"] > self._best_psnr:
            self._best_psnr = row["psnr"]
            self._best = {name: v.clone() for name, v in self.judged.state_dict().items()}

    def end(self) -> Row:
        """Put the weights that are wanted into the network; returns their row."""
        best = self._training.keep == "best" and self._best
        self.network.load_state_dict(self._best if best else self.judged.state_dict())
        if not best:
            return self.rows[-1]
        return next(row for row in self.rows if row["psnr"] == self._best_psnr)

    def save(self) -> tuple[Tensors, dict[str, Any]]:
        """Everything, as tensors and as facts that JSON can hold."""
        groups = {name: part.state_dict() for name, part in self._modules().items()}
        groups |= {name: part.tensors() for name, part in self._descents().items()}
        groups |= {"totals": self.totals.tensors(), "best": self._best}
        tensors = {f"{group}/{k}": v for group, values in groups.items() for k, v in values.items()}
        best = self._best_psnr if self._best else None
        return tensors, {"step": self.step, "rows": self.rows, "best_psnr": best}

    def load(self, tensors: Tensors, facts: dict[str, Any]) -> None:
        """Take up what `save` gave."""
        groups: dict[str, Tensors] = {}
        for key, value in tensors.items():
            group, name = key.split("/", 1)
            groups.setdefault(group, {})[name] = value
        for name, module in self._modules().items():
            module.load_state_dict(groups.get(name, {}))
        for name, descent in self._descents().items():
            descent.load(groups.get(name, {}))
        device = next(self.network.parameters()).device
        self.totals.load(groups.get("totals", {}), device)
        self._best = {name: value.to(device) for name, value in groups.get("best", {}).items()}
        self._best_psnr = -math.inf if facts["best_psnr"] is None else facts["best_psnr"]
        self.step, self.rows = facts["step"], facts["rows"]

    def _modules(self) -> dict[str, nn.Module]:
        found = {
            "network": self.network,
            "discriminator": self.discriminator,
            "average": self._average,
        }
        return {name: module for name, module in found.items() if module}

    def _descents(self) -> dict[str, Descent]:
        found = {"descent": self.descent, "discriminator_descent": self.discriminator_descent}
        return {name: descent for name, descent in found.items() if descent}
