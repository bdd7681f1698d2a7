"""What this machine has to give: cores and memory, as cgroups and affinity leave them."""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import cv2
import psutil
from threadpoolctl import threadpool_limits

Task = TypeVar("Task")
Result = TypeVar("Result")

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
CGROUP_MEMORY = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


class OnDevice(Protocol):
    """A tensor, of which only the device counts here."""

    @property
    def is_cuda(self) -> bool:
        """Whether it lies on a GPU."""


def prefers_few_operators(x: OnDevice) -> bool:
    """Whether starting an operator costs more than what it computes, as in training on a GPU.

    What is then computed by fewer operators agrees with the rest up to rounding.
    """
    return x.is_cuda


def run_on_one_thread(function: Callable[[Task], Result], task: Task) -> Result:
    """Run a task with one thread of OpenCV and of BLAS, for every core has a process of its own."""
    cv2.setNumThreads(1)
    with threadpool_limits(1):
        return function(task)


def worker_count(wanted: int | None, bytes_per_worker: int) -> tuple[int, str | None]:
    """Choose the number of processes of this machine.

    Args:
        wanted: a number that is taken as it is; None for one process for each core that this
            process may use, as far as memory goes.
        bytes_per_worker: what one process needs, bytes.

    Returns:
        The number, and a warning if so many may not fit into memory.
    """
    free = free_memory()
    fitting = free // bytes_per_worker
    number = wanted or max(1, min(_usable_cores(), fitting))
    if number <= fitting:
        return number, None
    return number, (
        f"{number} x {bytes_per_worker / 1e9:.1f} GB may not fit into {free / 1e9:.1f} GB of free "
        "memory; " + ("fewer workers need less" if number > 1 else "free some if the run fails")
    )


def _usable_cores() -> int:
    """Cores that affinity and the CPU quotas of cgroups leave to this process."""
    affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if affinity else os.cpu_count() or 1
    for folder in _cgroups("cpu"):
        times = _text(folder / "cpu.max") or (
            _text(folder / "cpu.cfs_quota_us") + _text(folder / "cpu.cfs_period_us")
        )
        quota, period = times.split() or ("max", "")
        if quota.isdecimal():
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def free_memory() -> int:
    """Bytes that the machine and the limits of cgroups leave; file caches count as free."""
    free = psutil.virtual_memory().available
    for folder in _cgroups("memory"):
        for limit, used, caches in CGROUP_MEMORY:
            most = _text(folder / limit).strip()
            if most.isdecimal():
                stat = _text(folder / "memory.stat").split()
                cached = dict(zip(stat[::2], stat[1::2], strict=True)).get(caches, 0)
                free = min(free, int(most) - int(_text(folder / used)) + int(cached))
    return max(0, free)


def _cgroups(controller: str) -> Iterator[Path]:
    """Folders of the cgroups (v1 or v2) around this process, those that do not exist included."""
    for line in _text(OWN_CGROUPS).splitlines():
        _, controllers, name = line.split(":", 2)
        if not controllers or controller in controllers.split(","):
            top = CGROUPS / controller if controllers else CGROUPS
            own = top / name.lstrip("/")
            yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(top))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
