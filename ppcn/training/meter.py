"""Means of the loss terms between two rows of the log."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ppcn.training import distributed


@dataclass
class _Group:
    """What is known of the steps that had the same terms.

    Attributes:
        names: of the terms.
        total: their sums over the steps, (terms,) float64.
        steps: number of steps.
        first_bad: for each term the first step at which it was not finite, else infinity.
    """

    names: tuple[str, ...]
    total: Tensor
    steps: int
    first_bad: Tensor


class LossMeter:
    """Means of loss terms since the last row, and the step at which one stopped being finite.

    Everything stays where it is computed until it is asked for, so that no step waits.
    """

    def __init__(self) -> None:
        # By the names of a step's terms, which differ during the warm-up.
        self._groups: dict[tuple[str, ...], _Group] = {}

    def add(self, terms: dict[str, Tensor], step: int) -> None:
        """Take in the terms of one step."""
        names = tuple(terms)
        values = torch.stack([value.detach().double() for value in terms.values()])
        if names not in self._groups:
            bad = torch.full_like(values, math.inf)
            self._groups[names] = _Group(names, torch.zeros_like(values), 0, bad)
        group = self._groups[names]
        is_known = values.isfinite() | group.first_bad.isfinite()
        group.first_bad = torch.where(is_known, group.first_bad, float(step))
        group.total = group.total + values
        group.steps += 1

    def means(self) -> dict[str, float]:
        """Mean of each term over steps and processes."""
        sum_of: dict[str, float] = {}
        steps: dict[str, int] = {}
        for group in self._groups.values():
            values = distributed.average(group.total.clone()).tolist()
            for name, value in zip(group.names, values, strict=True):
                sum_of[name] = sum_of.get(name, 0.0) + value
                steps[name] = steps.get(name, 0) + group.steps
        return {name: sum_of[name] / steps[name] for name in sum_of}

    def first_bad(self) -> tuple[int, str] | None:
        """The first step of this process with a term that is not finite, and the term."""
        bad = [
            (int(step), name == "loss", name)
            for group in self._groups.values()
            for name, step in zip(group.names, group.first_bad.tolist(), strict=True)
            if math.isfinite(step)
        ]
        return (min(bad)[0], min(bad)[2]) if bad else None

    def clear(self) -> None:
        """Begin the next row."""
        self._groups.clear()

    def save(self) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
        """Everything: tensors, and for each group of steps its terms and number."""
        tensors = {}
        facts: list[dict[str, Any]] = []
        for number, group in enumerate(self._groups.values()):
            tensors[f"{number}.total"] = group.total
            tensors[f"{number}.first_bad"] = group.first_bad
            facts.append({"names": list(group.names), "steps": group.steps})
        return tensors, facts

    def load(
        self, tensors: dict[str, Tensor], facts: list[dict[str, Any]], device: torch.device
    ) -> None:
        """Take up what `save` gave."""
        for number, fact in enumerate(facts):
            names = tuple(fact["names"])
            total, bad = (tensors[f"{number}.{part}"].to(device) for part in ("total", "first_bad"))
            self._groups[names] = _Group(names, total, fact["steps"], bad)
