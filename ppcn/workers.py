"""Independent tasks over processes, with results in the order of the tasks."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

from ppcn.errors import UserError

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_in_order(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[Result]:
    """Yield function(task) for every task, in order, whatever the number of workers.

    Args:
        function: a module-level function; it runs with one OpenCV thread.
        tasks: its arguments, picklable.
        workers: processes; 1 runs everything in this process.

    Raises:
        UserError: a worker died, as it does when the machine runs out of memory.
    """
    if workers == 1 or len(tasks) == 1:
        _use_one_thread()
        yield from map(function, tasks)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(tasks)), context, _start_worker)
    try:
        yield from pool.map(function, tasks)
    except BrokenProcessPool:
        raise UserError(
            "a worker process died, perhaps for lack of memory; use fewer --workers"
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _use_one_thread() -> None:
    cv2.setNumThreads(1)


def _start_worker() -> None:
    """One OpenCV thread; Ctrl-C is left to the main process, which cancels what has not begun."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _use_one_thread()
