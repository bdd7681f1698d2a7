"""Tasks on the workers of a Dask scheduler that is already running."""

import asyncio
import json
import pickle
import platform
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import cv2
import numpy as np

from ppcn.errors import UserError
from ppcn.jobs.cache import code_digest
from ppcn.machine import run_on_one_thread

Task = TypeVar("Task")
Result = TypeVar("Result")

SECONDS_TO_CONNECT = 10


class Cluster:
    """The workers of a Dask scheduler, as many as there are at the time."""

    retries = 0  # The scheduler has made several.
    advice = "give each worker more of it"

    def __init__(self, cluster: str) -> None:
        try:
            from distributed import Client, KilledWorker
            from distributed.versions import VersionMismatchWarning
        except ImportError:
            raise UserError("the cluster needs Dask: pip install 'ppcn[cluster]'") from None
        self.death: type[Exception] = KilledWorker
        self._address = _scheduler_address(cluster)
        with warnings.catch_warnings():
            # Every task compares the versions that can change a result.
            warnings.simplefilter("ignore", VersionMismatchWarning)
            self._client: Any = Client(
                self._address, timeout=SECONDS_TO_CONNECT, set_as_default=False
            )
        try:
            self._client.wait_for_workers(1, SECONDS_TO_CONNECT)
        except TimeoutError:
            self.close()
            raise UserError(
                f"{self._address}: the scheduler has no workers; "
                f"start some with: dask worker {self._address} --nthreads 1"
            ) from None

    def threads(self) -> int:
        """Tasks that can run at the same time, now."""
        info = self._client.scheduler_info(n_workers=0)
        if "total_threads" not in info:
            raise self._gone()
        return info["total_threads"]

    def submit(self, function: Callable[[Task], Result], task: Task) -> Future[Result]:
        """Start one task."""
        call = pickle.dumps(_Call(_versions(), function, task))
        remote = self._client.submit(pickle.loads, call, key=f"{function.__name__}-{uuid4()}")
        future: Future[Result] = Future()
        self._client.loop.add_callback(self._hand_over, remote, future)
        return future

    async def _hand_over(self, remote: Any, future: Future[Result]) -> None:
        """Fetch a result and have the cluster forget it, lest a later death run it again."""
        try:
            future.set_result(await remote.result())
        except ModuleNotFoundError as error:
            message = f"{self._address}: {error} on a worker; install the same ppcn everywhere"
            future.set_exception(UserError(message))
        except BaseException as error:
            future.set_exception(self._gone() if remote.cancelled() else error)
        remote.release()

    def _gone(self) -> UserError:
        return UserError(f"{self._address}: the scheduler is gone; start one and run again")

    def close(self) -> None:
        """Give up what is under way."""
        self._client.close()


def _scheduler_address(cluster: str) -> str:
    """The address itself, or the one in a scheduler file.

    Raises:
        UserError: no scheduler answers there.
    """
    address = cluster
    if cluster.endswith(".json"):
        try:
            address = json.loads(Path(cluster).read_text())["address"]
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"{cluster}: is not the file of a running scheduler; "
                f"start one with: dask scheduler --scheduler-file {cluster}"
            ) from error
    try:
        asyncio.run(asyncio.wait_for(_greet(address), SECONDS_TO_CONNECT))
    except Exception as error:
        reason = str(error) or f"nothing in {SECONDS_TO_CONNECT} s"
        raise UserError(
            f"{address}: no Dask scheduler answers there ({reason}); "
            "start one with 'dask scheduler' and name its address, as tcp://host:8786"
        ) from error
    return address


async def _greet(address: str) -> None:
    """Ask what only a scheduler can answer; Dask's client would wait for ever for a mute host."""
    from distributed import Security
    from distributed.comm.core import connect

    comm = await connect(address, **Security().get_connection_args("client"))
    await comm.write({"op": "identity", "reply": True, "n_workers": 0})
    answer = await comm.read()
    comm.abort()
    if "total_threads" not in answer:
        raise ValueError("something else does")


class _Call:
    """A call that is made where its pickle is loaded.

    So the scheduler need not have this project, and a worker without it says so instead of dying.
    """

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return _run_remotely, self.arguments


@cache
def _versions() -> dict[str, str]:
    """Versions that can change a result."""
    return {"ppcn": code_digest()[:12], "OpenCV": cv2.__version__, "NumPy": np.__version__}


def _run_remotely(wanted: dict[str, str], function: Callable[[Task], Result], task: Task) -> Result:
    """Run a task on a machine of the cluster.

    Raises:
        UserError: results could differ, for this machine has another version of something.
    """
    for name, installed in _versions().items():
        if installed != wanted[name]:
            raise UserError(
                f"{platform.node()}: has {name} {installed}, and {wanted[name]} is in use where "
                "the run was started; install the same on every machine"
            )
    return run_on_one_thread(function, task)
