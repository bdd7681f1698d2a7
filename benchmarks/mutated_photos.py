"""Damaged photo files through the program, which has to refuse each in a sentence, or read it.

    python benchmarks/mutated_photos.py [SEEDS_FOLDER] --count 10000 --seed 1 --out faults

Without a folder, small photos of all formats are made. Each mutant goes through what `enhance`
does at strength 0 and at 1, and through `read_photo`, in a process whose memory is limited. A fault
is an exception that is no sentence, more than 2 seconds, more than 1 GB, a hang or a crash; files
that reproduce it are saved. What libraries print on the screen is counted. Mutant N of a seed is
the same in every run.
"""

import json
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import typer
from mutants import mutant
from one_photo import Fate, chosen_suffix, enhance_darker, enhance_unchanged, read_upright, watched
from photo_seeds import make_seeds, seeds_of
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from worker import OWN_FAULT, Limits, Meter, Worker

SLOW, HANG = 2.0, 60.0
DARKER = 0.75
GIGABYTE = 2**30
LARGEST_SEED = 300_000
# Of one kind of fault.
MOST_SAVED = 5


@dataclass
class Fault:
    """What went wrong with a mutant.

    Attributes:
        number: of the mutant.
        seed_file: of which it was made.
        kind: TRACEBACK, SLOW, MEMORY, HANG, CRASH.
        what: the exception, the seconds, or the bytes.
        saved: the file that reproduces it, if it was kept.
    """

    number: int
    seed_file: str
    kind: str
    what: str
    saved: str = ""

    def group(self) -> tuple[str, str]:
        """What makes it the same as another."""
        if self.kind == "TRACEBACK":
            _, exception, *_ = self.what.split(": ")
            return self.kind, f"{exception.rstrip(':')} {self.what[self.what.rfind('[') :]}"
        return self.kind, self.what if self.kind == "CRASH" else Path(self.seed_file).suffix


@dataclass
class Probe:
    """What became of one mutant: whether it was read, its faults, and what was printed."""

    is_read: bool
    faults: list[tuple[str, str]]
    printed: list[str]


def probe(path: Path, folder: Path) -> Probe:
    """Put a mutant through the program."""
    faults, reads, printed = [], [], []
    out = folder / f"result{chosen_suffix(path)}"
    routes = {
        "enhance": lambda: enhance_unchanged(path, out),
        "darker": lambda: enhance_darker(path, out, DARKER),
        "read_photo": lambda: read_upright(path),
    }
    for route, run in routes.items():
        fate, meter = Fate(), Meter()
        with meter, watched(fate):
            run()
        reads.append(fate.is_done)
        printed += [f"{route}: {fate.printed}"] if fate.printed else []
        if fate.raised:
            faults.append(("TRACEBACK", f"{route}: {fate.raised}"))
        if meter.seconds > SLOW:
            faults.append(("SLOW", f"{route}: {meter.seconds:.1f} s, {fate.refused or 'read'}"))
        if meter.growth > GIGABYTE:
            size = f"{meter.growth / GIGABYTE:.1f} GB"
            faults.append(("MEMORY", f"{route}: {size}, {fate.refused or 'read'}"))
    return Probe(any(reads), faults, printed)


def _without_numbers(line: str) -> str:
    """A line without what differs from file to file."""
    line = re.sub(r"^(\S+): (.*/)?site-packages/", r"\1: ", line)
    return re.sub(r"[0-9.@-]*\d+|/tmp\S*|\"[^\"]*\"", "#", line)[:140]


class Run:
    """Mutants of a set of seeds.

    Args:
        seeds: names and contents.
        seed: of chance.
        out: folder for files that reproduce faults.
        limits: of the workers.
    """

    def __init__(
        self, seeds: list[tuple[str, bytes]], seed: int, out: Path, limits: Limits
    ) -> None:
        self._names, self._contents = [name for name, _ in seeds], [data for _, data in seeds]
        self._seed, self._out, self._limits = seed, out, limits
        self.printed: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.read = self.done = 0
        self._saved: dict[tuple[str, str], int] = defaultdict(int)

    def work(self, numbers: range) -> None:
        """Put these mutants through a worker of their own."""
        worker = Worker(probe, self._limits)
        try:
            with TemporaryDirectory(prefix="mutants-") as name:
                for number in numbers:
                    self._one(number, worker, Path(name))
        finally:
            worker.close()

    def _one(self, number: int, worker: Worker, folder: Path) -> None:
        random = np.random.default_rng([self._seed, number])
        which = number % len(self._names)
        name, data = self._names[which], mutant(self._contents, which, random)
        path = folder / f"mutant{Path(name).suffix}"
        path.write_bytes(data)
        how, result = worker.do(path, folder)
        self.done += 1
        if how != "done":
            self._keep(Fault(number, name, how, str(result)), data)
            return
        self.read += result.is_read
        self.printed.update(_without_numbers(line) for line in result.printed)
        for kind, what in result.faults:
            self._keep(Fault(number, name, kind, what), data)

    def _keep(self, fault: Fault, data: bytes) -> None:
        """Note a fault, and save its file where there are few of its group."""
        group = fault.group()
        if self._saved[group] < MOST_SAVED:
            self._saved[group] += 1
            self._out.mkdir(parents=True, exist_ok=True)
            kind = "HARNESS" if fault.kind == OWN_FAULT else fault.kind
            saved = self._out / f"{kind}-{fault.number}-{Path(fault.seed_file).name[-80:]}"
            saved.write_bytes(data)
            fault.saved = str(saved)
        self.faults.append(fault)

    def groups(self) -> Iterator[tuple[str, str, int, Fault]]:
        """Kinds of faults, with counts and an example."""
        groups: dict[tuple[str, str], list[Fault]] = defaultdict(list)
        for fault in self.faults:
            groups[fault.group()].append(fault)
        for (kind, what), faults in sorted(groups.items(), key=lambda item: -len(item[1])):
            yield kind, what, len(faults), faults[0]


def main(
    folder: Annotated[Path | None, typer.Argument(help="Folder of small photos.")] = None,
    count: Annotated[int, typer.Option(help="Mutants in all.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of chance.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for files that reproduce faults.")] = Path(
        "faults"
    ),
    workers: Annotated[int, typer.Option(help="Processes at a time.")] = 1,
    memory: Annotated[int, typer.Option(help="Address space of each, in GB.")] = 8,
) -> None:
    """Report what mutants do to the program."""
    os.environ["VIPS_WARNING"] = "0"
    seeds = seeds_of(folder, LARGEST_SEED) if folder else list(make_seeds())
    run = Run(seeds, seed, out, Limits(HANG, memory * GIGABYTE, file_size=4 * GIGABYTE))
    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(run.work, [range(first, count, workers) for first in range(workers)]))
    rate = run.done / (time.perf_counter() - start)
    print(f"{run.done} mutants of {len(seeds)} seeds, {rate:.0f} a second; {run.read} were read")
    table = Table("fault", "what", "mutants", "example", "saved", title="faults")
    for kind, what, number, example in run.groups():
        row = (kind, what, str(number), example.what[:300], Path(example.saved).name)
        table.add_row(*map(escape, row))
    Console(width=180).print(table)
    printed = Table("mutants", "line", title="printed by libraries")
    for line, number in run.printed.most_common(25):
        printed.add_row(str(number), escape(line))
    Console(width=180).print(printed)
    if run.faults:
        (out / "faults.json").write_text(json.dumps([asdict(f) for f in run.faults], indent=1))


if __name__ == "__main__":
    typer.run(main)
