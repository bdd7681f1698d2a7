"""What a network costs: parameters and multiply-adds per pixel, and on what machine."""

import os
import platform
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ppcn.networks import NETWORKS
from ppcn.photos.resize import SCALE

BASELINE = "srcnn"
SIDE = 256


def count_parameters(network: nn.Module) -> int:
    """Learned numbers of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def macs_per_pixel(name: str) -> float:
    """Multiply-adds of a network's convolutions per pixel of its output."""
    is_lr = NETWORKS[name].input == "lr"
    with torch.device("meta"):
        network = NETWORKS[name].make().eval()
        x = torch.zeros(1, 3, *[SIDE // SCALE if is_lr else SIDE] * 2)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(x)
    return counter.get_total_flops() / 2 / SIDE**2


def describe_machine() -> dict[str, Any]:
    """What a time depends on besides runtime and precision: processor, threads, allocator."""
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
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
