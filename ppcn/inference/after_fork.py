"""Processes that were forked: torch's threads are the parent's alone."""

import torch

from ppcn import in_a_fork
from ppcn.errors import UserError


def survive_fork() -> None:
    """Let torch compute in a process that was forked, on one thread.

    A child waits for ever for threads that only its parent has, as torch's own data loaders would.

    Raises:
        UserError: the parent had used CUDA, which nothing helps.
    """
    if not in_a_fork():
        return
    if torch.cuda.is_available() and torch.cuda._is_in_bad_fork():
        raise UserError(
            "this process was forked after CUDA had been used; start it by spawn, as "
            "multiprocessing.get_context('spawn') does"
        )
    torch.set_num_threads(1)
