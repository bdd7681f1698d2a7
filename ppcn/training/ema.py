"""Exponential moving average of a network's weights."""

import torch
from torch import nn

# The average looks back one step at first, and further from step to step.
STEPS_BEFORE_AVERAGING = 10


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move averaged weights towards a network's, in place.

    Args:
        average: a copy of the network, whose weights are the average.
        network: after the step.
        decay: weight of the average so far, such as 0.999; less in the first steps.
        step: number of the step, from 0.
    """
    so_far = min(decay, (1 + step) / (STEPS_BEFORE_AVERAGING + step))
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - so_far)
