"""What takes seconds and would hold the server up, in a process of its own."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from ppcn.dataset.decisions import Decision
from ppcn.dataset.extract import Window, cut_patches
from ppcn.dataset.pairs import Pair
from ppcn.errors import UserError
from ppcn.jobs.align_pair import UNFORESEEN, examine_as_decided
from ppcn.machine import run_on_one_thread
from ppcn.params import Align, Patches
from ppcn.photos.decode import read_photo
from ppcn.registration.alignment import Alignment

Result = TypeVar("Result")


def find_windows(task: tuple[Pair, Alignment, Patches]) -> list[Window]:
    """What becomes of every window of an aligned pair.

    Raises:
        UserError: a photo cannot be read, or its windows cannot be cut.
    """
    pair, alignment, params = task
    phone, reference = map(read_photo, pair.photos)
    try:
        return cut_patches(phone, reference, alignment, params)[1]
    except UNFORESEEN as error:
        raise UserError(f"windows cannot be cut ({type(error).__name__}: {error})") from None


def align_again(task: tuple[Pair, Decision, Align]) -> Alignment:
    """Align a pair as a person decided.

    Raises:
        UserError: a photo cannot be read, or the pair cannot be aligned.
    """
    pair, decision, params = task
    phone, reference = map(read_photo, pair.photos)
    try:
        return examine_as_decided(phone, reference, params, decision)[0]
    except UNFORESEEN as error:
        raise UserError(f"cannot be aligned ({type(error).__name__}: {error})") from None


class Worker:
    """One process, started when it is first needed, again if it dies, and never left behind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._windows: Future[Any] | None = None

    def find_windows(self, pair: Pair, alignment: Alignment, params: Patches) -> list[Window]:
        """What becomes of every window of an aligned pair.

        Whoever waits for another pair's windows is told that nobody looks at it any more.

        Raises:
            CancelledError: another pair was asked for before this one's turn came.
            UserError: as the function of this name.
        """
        future = self._submit(find_windows, (pair, alignment, params))
        with self._lock:
            if self._windows:
                self._windows.cancel()
            self._windows = future
        return future.result()

    def align_again(self, pair: Pair, decision: Decision, params: Align) -> Alignment:
        """Align a pair as a person decided.

        Raises:
            UserError: as the function of this name.
        """
        return self._submit(align_again, (pair, decision, params)).result()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._pool:
                for process in list((self._pool._processes or {}).values()):
                    process.kill()
                self._pool.shutdown(wait=False, cancel_futures=True)

    def _submit(self, function: Callable[[Any], Result], task: Any) -> Future[Result]:
        with self._lock:
            if self._pool is None:
                self._pool = _new_pool()
            try:
                return self._pool.submit(run_on_one_thread, function, task)
            except BrokenProcessPool:
                self._pool = _new_pool()
                return self._pool.submit(run_on_one_thread, function, task)


def _new_pool() -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    """Have this process end when its parent does, even if that is killed."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
