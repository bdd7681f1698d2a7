"""Adam over all processes, with a state that can be saved and taken up again to the bit."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ppcn.training import distributed


class Optimizer:
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

    def tensors(self) -> dict[str, Tensor]:
        """Its moments and step counts."""
        states = self._adam.state_dict()["state"]
        return {f"{i}.{name}": value for i, s in states.items() for name, value in s.items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take up what `tensors` gave."""
        stored = self._adam.state_dict()
        for key, value in tensors.items():
            index, name = key.split(".")
            if name != "step":
                # The fused step needs the parameter's own order in memory.
                value = torch.empty_like(self.parameters[int(index)]).copy_(value)
            stored["state"].setdefault(int(index), {})[name] = value
        self._adam.load_state_dict(stored)
