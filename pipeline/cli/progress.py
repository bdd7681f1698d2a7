"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Report = Callable[[int, int, Mapping[str, float]], None]
Item = TypeVar("Item")
SECONDS_BETWEEN_LINES = 10


@contextmanager
def showing(title: str, quiet: bool = False) -> Iterator[Report]:
    """Yield a function to be called with steps done, steps in all, and the latest figures."""
    if quiet:
        yield lambda done, total, figures: None
        return
    console = Console()
    if not console.is_terminal:
        yield _line_printer(title)
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    pace = _Pace()
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=None, figures="")

        def report(done: int, total: int, figures: Mapping[str, float]) -> None:
            if pace.first is None:
                bar.reset(task, completed=done, total=total)
            bar.update(task, completed=done, total=total, figures=_format(figures, pace.rate(done)))

        yield report


def counted(items: Iterable[Item], total: int, report: Report) -> Iterator[Item]:
    """The items, each reported when the next one is asked for."""
    for done, item in enumerate(items, start=1):
        yield item
        report(done, total, {})


class _Pace:
    """Steps per second since the first report, which may be of a run that goes on."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.started = time.monotonic()

    def rate(self, done: int) -> float:
        """Of the steps done by now."""
        if self.first is None:
            self.first = done - 1
        return (done - self.first) / max(time.monotonic() - self.started, 1e-3)


def _line_printer(title: str) -> Report:
    pace = _Pace()
    printed = -math.inf

    def report(done: int, total: int, figures: Mapping[str, float]) -> None:
        nonlocal printed
        rate, now = pace.rate(done), time.monotonic()
        if now - printed < SECONDS_BETWEEN_LINES and done < total:
            return
        printed = now
        left = f"{(total - done) / rate:.0f} s left"
        print(f"{title} {done}/{total}  {left}  {_format(figures, rate)}", flush=True)

    return report


def _format(figures: Mapping[str, float], rate: float) -> str:
    """Throughput, and loss and PSNR where there are any."""
    chosen = {name: figures[name] for name in ("loss", "psnr", "kept") if name in figures}
    return "  ".join([f"{rate:.3g}/s", *(f"{n} {value:.4g}" for n, value in chosen.items())])
