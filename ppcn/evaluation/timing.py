"""Time and memory of networks on the CPU with several runtimes, as PIRM 2018 took them."""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import nn

from ppcn.evaluation.complexity import BASELINE
from ppcn.files.versions import version_of
from ppcn.inference.example_inputs import enlarged_examples
from ppcn.inference.photo_rows import ArrayRows
from ppcn.inference.runtimes import RUNTIMES, Precision, RuntimeName, make_runtime
from ppcn.inference.tiled import Tiled
from ppcn.networks import NETWORKS
from ppcn.photos.resize import SCALE
from ppcn.weights import load_weights

DISCARDED = 2
TURNS = 3
MEGABYTE = 2**20
CPU = torch.device("cpu")
PEAK = "VmHWM:"
Report = Callable[[int, int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Subject:
    """What is timed.

    Attributes:
        network: its name in `NETWORKS`.
        weights: file of its weights; freshly made ones where it is None.
        runtime: what computes.
        precision: of convolutions.
        rewrites: whether the network may be rewritten; the baseline is not.
        calibration: photos (N, H, W, 3) uint8 for int8.
    """

    network: str
    weights: Path | None
    runtime: RuntimeName
    precision: Precision
    rewrites: bool = True
    calibration: NDArray[np.uint8] | None = None

    @property
    def is_baseline(self) -> bool:
        """Whether times with this runtime are compared with this."""
        return self.network == BASELINE and not self.rewrites

    def load(self) -> Tiled:
        """The network ready to run, for photos that fit into memory."""
        runtime = make_runtime(self.runtime, self.precision, self.rewrites, CPU)
        examples = self.calibration
        if examples is not None and NETWORKS[self.network].input == "lr_bicubic":
            examples = enlarged_examples(examples, SCALE)
        return Tiled(self.module(), None, runtime, examples)

    def module(self) -> nn.Module:
        """The network itself."""
        if self.weights:
            return load_weights(self.weights)[0]
        return NETWORKS[self.network].make()

    def photo(self, height: int, width: int) -> ArrayRows:
        """Noise of a size that gives a result of `height` and `width`."""
        scale = SCALE if NETWORKS[self.network].input == "lr" else 1
        shape = (-(-height // scale), -(-width // scale), 3)
        return ArrayRows(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def time_subjects(
    subjects: Sequence[Subject], size: tuple[int, int], runs: int, report: Report
) -> list[float]:
    """Mean wall time of each on one photo, ms.

    They take turns, so that a busy moment of the machine hits all of them; the first two runs of
    each turn, which find the caches full of others' numbers, are discarded.

    Args:
        subjects: what to time.
        size: height and width of the output, px.
        runs: of each, the discarded ones not counted.
        report: called with turns done, turns in all and nothing else.
    """
    times: list[list[float]] = [[] for _ in subjects]
    ready = [(subject.load(), subject.photo(*size)) for subject in subjects]
    turns = [len(part) for part in np.array_split(range(runs), min(TURNS, runs))]
    done = 0
    for counted in turns:
        for (tiled, photo), taken in zip(ready, times, strict=True):
            taken += [_milliseconds(tiled, photo) for _ in range(DISCARDED + counted)][DISCARDED:]
            done += 1
            report(done, len(turns) * len(subjects), {})
    return [statistics.mean(taken) for taken in times]


def _milliseconds(tiled: Tiled, photo: ArrayRows) -> float:
    started = time.perf_counter()
    for _ in tiled.tiles(photo):
        pass
    return (time.perf_counter() - started) * 1000


def peak_memories(subjects: Sequence[Subject], size: tuple[int, int]) -> Iterator[float | None]:
    """Memory that each takes above what the process had before, MB; None where none can tell."""
    context = multiprocessing.get_context("spawn")
    for subject in subjects:
        with ProcessPoolExecutor(1, context) as pool:
            yield pool.submit(_peak_memory, subject, size).result()


def describe_runtimes(names: Sequence[RuntimeName]) -> dict[str, str]:
    """Versions of runtimes by their names."""
    return {name: version_of(RUNTIMES[name].library) for name in names}


def _peak_memory(subject: Subject, size: tuple[int, int]) -> float | None:
    """Of a process of its own."""
    photo = subject.photo(*size)
    before = psutil.Process().memory_info().rss
    tiled = subject.load()
    for _ in range(2):
        for _ in tiled.tiles(photo):
            pass
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    peak = [int(line.split()[1]) * 1024 for line in lines if line.startswith(PEAK)]
    return (peak[0] - before) / MEGABYTE if peak else None
