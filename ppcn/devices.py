"""Where networks run, and how images get there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def choose_device() -> torch.device:
    """The GPU where there is one, else the CPU.

    A GPU is told to compute in float32, not in TF32, and the same thing every time.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    return torch.device("cuda")


def place(network: Network) -> Network:
    """Move a network to the chosen device, channels last in memory."""
    return network.to(choose_device()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def to_tensor(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float32 in [0, 1], channels last in memory."""
    return torch.tensor(images, device=device).permute(0, 3, 1, 2).float() / 255


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """No gradients, evaluation mode; training mode comes back afterwards."""
    was = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(was)
