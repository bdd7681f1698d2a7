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
        steps: their numbers.
        values: the terms of each step, (terms,).
    """

    names: tuple[str, ...]
    steps: list[int]
    values: list[Tensor]

    def rows(self) -> list[list[float]]:
        """The terms of each step, fetched at once."""
        rows: list[list[float]] = torch.stack(self.values).tolist()
        return rows


class LossMeter:
    """Means of loss terms since the last row, and the step at which one stopped being finite.

    Everything stays where it is computed until it is asked for, so that no step waits; a step
    costs one operator.
    """

    def __init__(self) -> None:
        # By the names of a step's terms, which differ during the warm-up.
        self._groups: dict[tuple[str, ...], _Group] = {}

    def add(self, terms: dict[str, Tensor], step: int) -> None:
        """Take in the terms of one step."""
        names = tuple(terms)
        group = self._groups.setdefault(names, _Group(names, [], []))
        group.steps.append(step)
        group.values.append(torch.stack([value.detach() for value in terms.values()]))

    def means(self) -> dict[str, float]:
        """Mean of each term over steps and processes."""
        sum_of: dict[str, float] = {}
        steps: dict[str, int] = {}
        for group in self._groups.values():
            own = [sum(column) for column in zip(*group.rows(), strict=True)]
            summed = torch.tensor(own, dtype=torch.float64, device=group.values[0].device)
            for name, total in zip(group.names, distributed.average(summed).tolist(), strict=True):
                sum_of[name] = sum_of.get(name, 0.0) + total
                steps[name] = steps.get(name, 0) + len(group.steps)
        return {name: sum_of[name] / steps[name] for name in sum_of}

    def first_bad(self) -> tuple[int, str] | None:
        """The first step of this process with a term that is not finite, and the term."""
        bad = [
            (step, name == "loss", name)
            for group in self._groups.values()
            for step, row in zip(group.steps, group.rows(), strict=True)
            for name, value in zip(group.names, row, strict=True)
            if not math.isfinite(value)
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
            tensors[f"{number}.values"] = torch.stack(group.values)
            facts.append({"names": list(group.names), "steps": list(group.steps)})
        return tensors, facts

    def load(
        self, tensors: dict[str, Tensor], facts: list[dict[str, Any]], device: torch.device
    ) -> None:
        """Take up what `save` gave."""
        for number, fact in enumerate(facts):
            names = tuple(fact["names"])
            values = list(tensors[f"{number}.values"].to(device).unbind())
            self._groups[names] = _Group(names, fact["steps"], values)
