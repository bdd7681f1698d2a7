"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

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
    started = time.monotonic()
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=None, figures="")

        def report(done: int, total: int, figures: Mapping[str, float]) -> None:
            bar.update(task, completed=done, total=total, figures=_format(figures, done, started))

        yield report


def counted(items: Iterable[Item], total: int, report: Report) -> Iterator[Item]:
    """The items, each reported when the next one is asked for."""
    for done, item in enumerate(items, start=1):
        yield item
        report(done, total, {})


def _line_printer(title: str) -> Report:
    started = time.monotonic()
    printed = started - SECONDS_BETWEEN_LINES

    def report(done: int, total: int, figures: Mapping[str, float]) -> None:
        nonlocal printed
        now = time.monotonic()
        if now - printed < SECONDS_BETWEEN_LINES and done < total:
            return
        printed = now
        left = (now - started) / done * (total - done) if done else 0.0
        shown = _format(figures, done, started)
        print(f"{title} {done}/{total}  {left:.0f} s left  {shown}", flush=True)

    return report


def _format(figures: Mapping[str, float], done: int, started: float) -> str:
    """Throughput, and loss and PSNR where there are any."""
    chosen = {name: figures[name] for name in ("loss", "psnr", "kept") if name in figures}
    rate = done / max(time.monotonic() - started, 1e-3)
    return "  ".join([f"{rate:.3g}/s", *(f"{n} {value:.4g}" for n, value in chosen.items())])
