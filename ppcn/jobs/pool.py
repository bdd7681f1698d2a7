"""Independent tasks over the processes of this machine or of a Dask cluster, in order.

A task runs with one thread of OpenCV and of BLAS wherever it runs. What a worker was doing when it
died runs again, so a task may run twice: it should write its files whole, under names of its own.
"""

import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from typing import Generic, Protocol, TypeVar

from ppcn.errors import UserError
from ppcn.jobs.dask import Cluster
from ppcn.machine import run_on_one_thread

Task = TypeVar("Task")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)

TASKS_PER_THREAD = 4
# How often is checked whether any worker is left to wait for.
SECONDS_BETWEEN_CHECKS = 10


def run_in_order(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    workers: int = 1,
    cluster: str | None = None,
) -> Generator[Result, None, None]:
    """Yield function(task) for every task, in order, whoever runs it.

    A few tasks per worker are under way at a time, and `tasks` is read no further ahead. Where
    the generator may be left early, close it (`contextlib.closing`): its processes end at once.

    Args:
        function: a module-level function; its result should be small, for it travels.
        tasks: its arguments, picklable. Messages call a task by its `name`, if it has one. On a
            cluster, paths must be absolute and mean the same on every machine.
        workers: processes of this machine; 1 runs everything in this process.
        cluster: address of a Dask scheduler ("tcp://host:8786") or its scheduler file (*.json);
            `workers` is then not used.

    Raises:
        UserError: a task raised it, a task killed its worker every time, or the cluster cannot
            be used.
    """
    if cluster is None and workers == 1:
        yield from (run_on_one_thread(function, task) for task in tasks)
        return
    engine = _LocalPool(workers) if cluster is None else Cluster(cluster)
    with closing(engine):
        yield from _in_order(engine, function, iter(tasks))


class _Engine(Protocol):
    """Where tasks run.

    Attributes:
        death: what a future raises whose worker died.
        retries: times that a task whose worker died runs again beside others, before it runs alone.
        advice: what a user can do about a task that kills its worker.
    """

    death: type[Exception]
    retries: int
    advice: str

    def threads(self) -> int:
        """Tasks that can run at the same time, now."""

    def submit(self, function: Callable[[Task], Result], task: Task) -> Future[Result]:
        """Start one task."""

    def close(self) -> None:
        """Give up what is under way."""


@dataclass
class _Entry(Generic[Task, Result]):
    """A task under way, and how often its worker died."""

    task: Task
    future: Future[Result]
    deaths: int = 0


def _in_order(
    engine: _Engine, function: Callable[[Task], Result], tasks: Iterator[Task]
) -> Iterator[Result]:
    window: deque[_Entry[Task, Result]] = deque()
    while True:
        room = max(1, TASKS_PER_THREAD * engine.threads()) - len(window)
        for task in islice(tasks, max(0, room)):
            window.append(_Entry(task, engine.submit(function, task)))
        if not window:
            return
        if _worker_died(engine, window[0]):
            _run_again(engine, function, *window)
        else:
            yield window.popleft().future.result()


def _worker_died(engine: _Engine, entry: _Entry[Task, Result]) -> bool:
    """Wait for a task, and tell whether it is its worker's death that ended it."""
    while not wait([entry.future], SECONDS_BETWEEN_CHECKS).done:
        if engine.threads() == 0:
            logger.warning("no worker is left; waiting for one")
    return isinstance(entry.future.exception(), engine.death)


def _run_again(
    engine: _Engine,
    function: Callable[[Task], Result],
    dead: _Entry[Task, Result],
    *others: _Entry[Task, Result],
) -> None:
    """Start a task again whose worker died, with nothing beside it if it has no retries left.

    Raises:
        UserError: naming the task, for its worker died even so.
    """
    name = _name(dead.task)
    logger.warning("%s: its worker died, perhaps for lack of memory; it runs again", name)
    dead.deaths += 1
    alone = dead.deaths > engine.retries
    if alone:
        wait([other.future for other in others])
    dead.future = engine.submit(function, dead.task)
    if alone and _worker_died(engine, dead):
        raise UserError(
            f"{name}: its worker died each time, at last with no other task running; "
            f"lack of memory is likely, so {engine.advice}, or leave it out"
        )


def _name(task: object) -> str:
    text = str(getattr(task, "name", "")) or repr(task)
    return text if len(text) <= 80 else f"{text[:77]}..."


class _LocalPool:
    """Processes of this machine, each in an executor of its own and served by a thread.

    One executor of several processes would fail all tasks when one of them dies, and may wait for
    ever when a process dies that it started last.
    """

    death: type[Exception] = BrokenProcessPool
    retries = 1
    advice = "free some or use fewer workers"

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._listening, self._lifeline = multiprocessing.Pipe(duplex=False)
        self._threads = ThreadPoolExecutor(workers)
        self._idle: list[ProcessPoolExecutor] = []

    def threads(self) -> int:
        return self._workers

    def submit(self, function: Callable[[Task], Result], task: Task) -> Future[Result]:
        return self._threads.submit(self._run_apart, function, task)

    def _run_apart(self, function: Callable[[Task], Result], task: Task) -> Result:
        try:
            process = self._idle.pop()
        except IndexError:
            process = self._new_process()
        try:
            with _interrupts_blocked():
                future = process.submit(run_on_one_thread, function, task)
            return future.result()
        except BrokenProcessPool:
            process.shutdown()
            process = self._new_process()
            raise
        finally:
            self._idle.append(process)

    def _new_process(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, context, _exit_when_closed, (self._listening,))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._lifeline.close()
        self._threads.shutdown()
        for process in self._idle:
            process.shutdown()


def _exit_when_closed(lifeline: Connection) -> None:
    """Have this process exit when the other end of a pipe is closed, as by its owner's death."""

    def watch() -> None:
        lifeline.poll(None)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Processes started meanwhile never see Ctrl-C, not even while they are starting."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
