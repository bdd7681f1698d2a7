"""One worker process, which may crash, hang or fill the memory without ending the run."""

import os
import resource
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

Job = Callable[..., Any]
OWN_FAULT = "FAULT OF THIS BENCHMARK"
Outcome = Literal["done", "HANG", "CRASH", "FAULT OF THIS BENCHMARK"]
# Seconds for a worker to import what it needs.
STARTUP = 120
STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Limits:
    """What a worker may take.

    Attributes:
        seconds: of one job.
        memory: bytes of address space.
        file_size: bytes of one file that it writes.
    """

    seconds: float
    memory: int
    file_size: int


class Worker:
    """A process that does one kind of job, and is started anew where it dies or takes too long.

    Args:
        job: a function of a module, called with what `do` is given; what it returns is pickled.
        limits: of the process.
    """

    def __init__(self, job: Job, limits: Limits) -> None:
        self._job, self._limits = job, limits
        self._start()

    def do(self, *arguments: Any) -> tuple[Outcome, Any]:
        """What the job returned; of a hang the seconds, of a crash the signal's name.

        Of an exception in the job itself it is the traceback.
        """
        if not self._process.is_alive():
            self._start()
        self._pipe.send(arguments)
        try:
            if self._pipe.poll(self._limits.seconds):
                outcome, result = self._pipe.recv()
                return outcome, result
        except (EOFError, ConnectionResetError):
            self._process.join()
            code = self._process.exitcode
            self.close()
            return "CRASH", _exit_name(code)
        self.close()
        return "HANG", self._limits.seconds

    def close(self) -> None:
        """End the process, and those that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid or 0, signal.SIGKILL)
        self._process.join()
        self._pipe.close()

    def _start(self) -> None:
        context = get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, self._job, self._limits))
        self._process.start()
        other.close()
        if not self._pipe.poll(STARTUP):
            raise RuntimeError("the worker does not start")
        self._pipe.recv()


def _serve(pipe: Connection, job: Job, limits: Limits) -> None:
    """Do jobs until the other side is gone, in a group of processes that end together."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_size, limits.file_size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send("ready")
    while True:
        try:
            arguments = pipe.recv()
        except EOFError:
            os.killpg(0, signal.SIGKILL)
        try:
            answer = ("done", job(*arguments))
        except Exception:
            answer = (OWN_FAULT, traceback.format_exc())
        pipe.send(answer)


def _exit_name(code: int | None) -> str:
    return signal.Signals(-code).name if code and code < 0 else f"exit status {code}"


class Meter:
    """Seconds and peak memory of what a `with` block does.

    Attributes:
        seconds: on the clock, or of all processors together where those are less; others may
            have kept the machine busy.
        growth: bytes that the process was at most larger than at the beginning.
    """

    seconds = 0.0
    growth = 0

    def __enter__(self) -> "Meter":
        # Sets the peak that the system counts to what is in use.
        CLEAR_REFS.write_text("5")
        self._memory = _status("VmRSS")
        self._clock, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = min(time.perf_counter() - self._clock, time.process_time() - self._cpu)
        self.growth = _status("VmHWM") - self._memory


def _status(key: str) -> int:
    """A row of the system's table of this process, bytes."""
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))
