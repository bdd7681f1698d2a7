"""Where networks run, how images get there, and what fits there."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ppcn.errors import UserError
from ppcn.machine import free_memory

Network = TypeVar("Network", bound=nn.Module)
Output = TypeVar("Output")
P = ParamSpec("P")

WHITE = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
"""Largest value of a channel of whole numbers; floating-point channels end at 1."""

logger = logging.getLogger(__name__)


def choose_device() -> torch.device:
    """The GPU where there is one, else the CPU; of several GPUs, this process's own.

    A GPU is told to compute in float32, not in TF32, and the same thing every time; training
    allows TF32 for as long as a step takes (`tf32`).
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    number = int(os.environ.get("LOCAL_RANK", "0"))
    if number >= torch.cuda.device_count():
        raise UserError(f"{torch.cuda.device_count()} GPUs here; start no more processes than that")
    device = torch.device("cuda", number)
    torch.cuda.set_device(device)
    return device


def place(network: Network) -> Network:
    """Move a network to the chosen device, channels last in memory."""
    return network.to(choose_device()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def has_tf32() -> bool:
    """Whether this process's GPU, if there is one, multiplies in TF32."""
    return torch.cuda.is_available() and torch.cuda.get_device_capability()[0] >= 8


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Allow matrix products and convolutions in TF32 on a GPU that has it, or none."""
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, products.allow_tf32
    cudnn.allow_tf32 = products.allow_tf32 = allowed and has_tf32()
    try:
        yield
    finally:
        cudnn.allow_tf32, products.allow_tf32 = before


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Compute in float32 as it is, neither under autocast nor in TF32.

    A function that torch compiles needs this around its call, even if it switches autocast off
    itself: gradients of matrix products are otherwise compiled as autocast around it has them.
    """
    with torch.autocast(device.type, enabled=False), tf32(False):
        yield


def hold_weights(network: nn.Module, dtype: torch.dtype) -> None:
    """Hold the convolutions of a frozen network as autocast would make them anew in every step."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(dtype)


def compile_in_place(network: nn.Module, graphs: bool = False) -> None:
    """Let torch compile what a network computes; without a working compiler it stays as it is.

    In evaluation mode it computes as before.

    Args:
        network: its `enhance` and `forward` are replaced.
        graphs: as CUDA graphs, on a GPU.
    """
    for name in ("enhance", "forward"):
        if plain := getattr(network, name, None):
            setattr(network, name, _in_training(network, plain, compiled(plain, graphs)))


def _in_training(
    network: nn.Module, plain: Callable[[Tensor], Output], trained: Callable[[Tensor], Output]
) -> Callable[[Tensor], Output]:
    def run(x: Tensor) -> Output:
        return trained(x) if network.training else plain(x)

    return run


def compiled(plain: Callable[P, Output], graphs: bool = False) -> Callable[P, Output]:
    """The compiled function, or from the first failure on the plain one."""
    # What losses keep in a cache is a constant, so that tracing it does no harm.
    warnings.filterwarnings("ignore", "Dynamo detected a call to a `functools.lru_cache`")
    by_graphs = graphs and torch.cuda.is_available()
    chosen: Callable[P, Output] = torch.compile(
        plain, mode="reduce-overhead" if by_graphs else None
    )

    def run(*arguments: P.args, **options: P.kwargs) -> Output:
        nonlocal chosen
        try:
            return chosen(*arguments, **options)
        except torch._dynamo.exc.TorchDynamoException as error:
            if chosen is plain:
                raise
            logger.warning("not compiled (%s)", str(error).strip().splitlines()[0])
            chosen = plain
            return plain(*arguments, **options)

    return run


def to_tensor(pixels: NDArray[Any], device: torch.device) -> Tensor:
    """Turn pixels into what networks read, with the same values on every device.

    Args:
        pixels: (N, H, W, 3) or (H, W, 3) RGB: uint8, uint16, or floating point in [0, 1].
        device: where the result lies.

    Returns:
        (N, 3, H, W) float32 in [0, 1], channels last in memory; N is 1 for a single image.
    """
    white = np.float32(WHITE.get(pixels.dtype, 1))
    images = torch.from_numpy(np.divide(pixels, white, dtype=np.float32, order="C")).to(device)
    return (images if images.ndim == 4 else images[None]).permute(0, 3, 1, 2)


def free_bytes(device: torch.device) -> int:
    """Memory that is free where a device computes; processes of torchrun share a machine's."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return free_memory() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def room_on(size: int) -> tuple[str, torch.device | None]:
    """Where so many bytes may stay: on the GPU, else in memory, if at most half fills up.

    Returns:
        "on the GPU", "in memory" or "in its file", and the device of the first two.
    """
    device, cpu = choose_device(), torch.device("cpu")
    if device.type == "cuda" and size <= free_bytes(device) // 2:
        return "on the GPU", device
    return ("in memory", cpu) if size <= free_bytes(cpu) // 2 else ("in its file", None)


def used_megabytes() -> float:
    """What this process uses: of the GPU's memory, at most so far, or else of RAM, now."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return psutil.Process().memory_info().rss / 2**20


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
