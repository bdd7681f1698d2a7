"""Training by several processes that torchrun starts, each with its part of every batch.

Every process holds the whole network, drawn from the same seed, and sees the whole batch's
picks; gradients are averaged before each step, so that all copies stay the same. The batch and
the learning rate are the whole's: more processes change the speed, not the result.
"""

import os
from collections.abc import Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, distributed

from ppcn.errors import UserError

Item = TypeVar("Item")


def join() -> None:
    """Meet the other processes, where torchrun has started more than one."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def leave() -> None:
    """Part from them."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def count() -> int:
    """Number of processes that train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Number of this process; 0 is the one that reports and writes."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def own_part(items: Sequence[Item]) -> Sequence[Item]:
    """This process's part of what a batch is made of."""
    return items[rank() :: count()]


def check_batch(batch: int) -> None:
    """Refuse a batch that cannot be shared out evenly.

    Raises:
        UserError: naming both numbers.
    """
    if batch % count():
        raise UserError(f"a batch of {batch} cannot be shared out evenly among {count()} processes")


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace gradients by their mean over all processes, in one message."""
    if count() > 1:
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        average(flat)
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def least(value: float, device: torch.device) -> float:
    """The smallest of every process's value."""
    smallest = torch.tensor(value, device=device)
    if count() > 1:
        distributed.all_reduce(smallest, distributed.ReduceOp.MIN)
    return smallest.item()


def average(values: Tensor) -> Tensor:
    """Replace values by their mean over all processes."""
    if count() > 1:
        distributed.all_reduce(values)
        values /= count()
    return values
