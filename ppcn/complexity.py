"""What a network costs: parameters, multiply-adds per pixel, time on a photo."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ppcn.devices import evaluating
from ppcn.networks import NETWORKS

BASELINE = "srcnn"
DISCARDED = 2
SIDE = 256
SCALE = 4
Report = Callable[[int, int, Mapping[str, float]], None]


def count_parameters(network: nn.Module) -> int:
    """Learned numbers of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def macs_per_pixel(name: str) -> float:
    """Multiply-adds of a network's convolutions per pixel of its output."""
    reads_small = NETWORKS[name].reads == "small"
    with torch.device("meta"):
        network = NETWORKS[name].make().eval()
        x = torch.zeros(1, 3, *[SIDE // SCALE if reads_small else SIDE] * 2)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(x)
    return counter.get_total_flops() / 2 / SIDE**2


def time_networks(
    networks: Mapping[str, nn.Module], size: tuple[int, int], runs: int, report: Report
) -> dict[str, float]:
    """Mean wall time of each network on one photo on the CPU, in ms, as PIRM 2018 took it.

    The networks take turns, so that a busy moment of the machine hits all of them; the first two
    runs of each are discarded. Networks that read a small photo get a quarter of the size.

    Args:
        networks: by name in `NETWORKS`.
        size: height and width of the output, px.
        runs: of each network, the discarded ones not counted.
        report: called with runs done, runs in all and nothing else.
    """
    times: dict[str, list[float]] = {name: [] for name in networks}
    for network in networks.values():
        network.cpu().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for run in range(DISCARDED + runs):
        for name, network in networks.items():
            scale = SCALE if NETWORKS[name].reads == "small" else 1
            x = torch.rand(1, 3, -(-size[0] // scale), -(-size[1] // scale))
            x = x.to(memory_format=torch.channels_last)
            with evaluating(network):
                started = time.perf_counter()
                network(x)
                times[name].append((time.perf_counter() - started) * 1000)
        report(run + 1, DISCARDED + runs, {})
    return {name: statistics.mean(values[DISCARDED:]) for name, values in times.items()}


def describe_machine() -> dict[str, Any]:
    """What a time depends on: processor, threads, precision, runtime, allocator."""
    return {
        "processor": _processor(),
        "device": "cpu",
        "threads": torch.get_num_threads(),
        "precision": "float32",
        "runtime": f"torch {torch.__version__}",
        "allocator": {key: value for key, value in os.environ.items() if key.startswith("MALLOC_")},
    }


def _processor() -> str:
    """The processor's name, where the system tells it."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
