import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import cv2
import psutil
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from ppcn import machine as computer
from ppcn.errors import UserError
from ppcn.jobs import dask
from ppcn.jobs.pool import TASKS_PER_THREAD, run_in_order
from ppcn.machine import worker_count

pytestmark = pytest.mark.xdist_group("cluster")

PATIENCE = 60


@dataclass(frozen=True)
class Job:
    """A task that leaves a file in `folder` for whatever should be known about it."""

    number: int
    folder: Path

    @property
    def name(self) -> str:
        return f"scene-{self.number}"

    def note(self, event: str) -> None:
        (self.folder / f"{event}-{self.number}-{uuid4().hex}").touch()


def jobs(count: int, folder: Path) -> list[Job]:
    return [Job(number, folder) for number in range(count)]


def noted(folder: Path, event: str) -> Counter[int]:
    return Counter(int(path.name.split("-")[1]) for path in folder.glob(f"{event}-*"))


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.01)


def record(job: Job) -> int:
    job.note("done")
    return job.number


def record_the_first_late(job: Job) -> int:
    if job.number == 0:
        wait_until(lambda: noted(job.folder, "done")[3])
    return record(job)


def count_threads(job: Job) -> int:
    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return max(cv2.getNumThreads(), *pools)


def reject_the_third(job: Job) -> int:
    if job.number == 2:
        raise UserError("scene-2: is damaged")
    return record(job)


def die_once_at_the_sixth(job: Job) -> int:
    if job.number == 5 and not noted(job.folder, "death"):
        wait_until((job.folder / "go").exists)
        job.note("death")
        os.kill(os.getpid(), signal.SIGKILL)
    return record(job)


def die_at_the_fourth(job: Job) -> int:
    if job.number == 3:
        job.note("death")
        os.kill(os.getpid(), signal.SIGKILL)
    return record(job)


def interrupt_itself(job: Job) -> int:
    os.kill(os.getpid(), signal.SIGINT)
    return job.number


def stay(job: Job) -> int:
    if job.number > 0:
        (job.folder / f"pid-{os.getpid()}").touch()
        time.sleep(PATIENCE)
    return job.number


def pids(folder: Path) -> list[int]:
    return [int(path.name.split("-")[1]) for path in folder.glob("pid-*")]


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def dask_cluster() -> Iterator[Any]:
    """Three worker processes; a task is given up when a second worker dies of it."""
    dask = pytest.importorskip("dask")
    from distributed import LocalCluster

    settings = {
        "distributed.scheduler.allowed-failures": 1,
        "distributed.comm.timeouts.connect": "5s",
        "distributed.deploy.lost-worker-timeout": "1 hour",  # Else it may close a restarted one.
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=3, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0"
        ) as cluster,
    ):
        yield cluster


@pytest.fixture(params=["local", pytest.param("cluster", marks=pytest.mark.slow)])
def parallel(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Arguments of run_in_order for more than one process."""
    if request.param == "local":
        return {"workers": 2}
    return {"cluster": request.getfixturevalue("dask_cluster").scheduler_address}


def test_one_worker_runs_in_this_process(tmp_path: Path) -> None:
    assert set(run_in_order(os_pid, jobs(3, tmp_path))) == {os.getpid()}


def os_pid(job: Job) -> int:
    return os.getpid()


def test_results_come_in_the_order_of_tasks(parallel: dict[str, Any], tmp_path: Path) -> None:
    tasks = jobs(20, tmp_path)
    assert list(run_in_order(record_the_first_late, tasks, **parallel)) == list(range(20))
    assert noted(tmp_path, "done") == dict.fromkeys(range(20), 1)


def test_a_worker_uses_one_thread(parallel: dict[str, Any], tmp_path: Path) -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        with threadpool_limits(2, "blas"):
            assert list(run_in_order(count_threads, jobs(1, tmp_path))) == [1]
    finally:
        cv2.setNumThreads(before)
    assert set(run_in_order(count_threads, jobs(8, tmp_path), **parallel)) == {1}


def test_tasks_are_read_only_a_few_ahead(parallel: dict[str, Any], tmp_path: Path) -> None:
    read = 0

    def endless() -> Iterator[Job]:
        nonlocal read
        while True:
            read += 1
            yield Job(read, tmp_path)

    with closing(run_in_order(record, endless(), **parallel)) as results:
        for number in range(1, 51):
            assert next(results) == number
            assert read < number + 3 * TASKS_PER_THREAD


def test_a_killed_worker_costs_no_result(parallel: dict[str, Any], tmp_path: Path) -> None:
    results = run_in_order(die_once_at_the_sixth, jobs(20, tmp_path), **parallel)
    first = [next(results) for _ in range(5)]
    (tmp_path / "go").touch()
    assert first + list(results) == list(range(20))
    assert noted(tmp_path, "death") == {5: 1}
    done = noted(tmp_path, "done")
    assert [done[number] for number in range(5)] == [1] * 5, "what was finished ran again"


def test_a_task_that_kills_its_workers_is_named(parallel: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^scene-3: its worker died.*memory"):
        list(run_in_order(die_at_the_fourth, jobs(100, tmp_path), **parallel))
    assert noted(tmp_path, "death")[3] in (3, 4)
    assert noted(tmp_path, "done").keys() >= {0, 1, 2}


def test_a_rejection_arrives_in_order(parallel: dict[str, Any], tmp_path: Path) -> None:
    results = run_in_order(reject_the_third, jobs(1000, tmp_path), **parallel)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(UserError, match=r"^scene-2: is damaged$"):
        next(results)
    assert sum(noted(tmp_path, "done").values()) < 100, "the rest was not cancelled"


def test_closing_early_ends_the_workers_at_once(tmp_path: Path) -> None:
    with closing(run_in_order(stay, jobs(20, tmp_path), workers=2)) as results:
        assert next(results) == 0
        wait_until(lambda: len(pids(tmp_path)) == 2)
        assert all(map(alive, pids(tmp_path)))
        started = time.monotonic()
    assert time.monotonic() - started < PATIENCE / 2
    assert not any(map(psutil.pid_exists, pids(tmp_path))), "a worker is left, perhaps as a zombie"


SCRIPT = """
import signal
import sys
from pathlib import Path
from ppcn.jobs.pool import run_in_order
from test_pool import interrupt_itself, jobs, stay
# What starts the tests may have had SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
tasks = jobs(5, Path(sys.argv[1]))
assert list(run_in_order(interrupt_itself, tasks, workers=2)) == [0, 1, 2, 3, 4]
try:
    list(run_in_order(stay, tasks, workers=2))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_no_worker_outlives_the_command(number: int, status: int, tmp_path: Path) -> None:
    command = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    wait_until(lambda: len(pids(tmp_path)) == 2 or command.poll() is not None)
    if number == signal.SIGINT:  # Ctrl-C reaches every process of the terminal.
        os.killpg(command.pid, number)
    else:
        os.kill(command.pid, number)
    _, messages = command.communicate(timeout=PATIENCE / 2)
    assert command.returncode == status
    assert number == signal.SIGKILL or not messages
    wait_until(lambda: not any(map(alive, pids(tmp_path))))


@pytest.mark.slow
def test_the_scheduler_forgets_what_was_yielded(dask_cluster: Any, tmp_path: Path) -> None:
    known = dask_cluster.scheduler.tasks
    most = 0
    for _ in run_in_order(record, jobs(100, tmp_path), cluster=dask_cluster.scheduler_address):
        most = max(most, len(known))
    assert 0 < most <= 3 * TASKS_PER_THREAD
    wait_until(lambda: not known)


@pytest.mark.slow
def test_a_scheduler_file_is_an_address(dask_cluster: Any, tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    file.write_text(f'{{"address": "{dask_cluster.scheduler_address}"}}')
    assert list(run_in_order(record, jobs(3, tmp_path), cluster=str(file))) == [0, 1, 2]


@pytest.mark.slow
def test_a_cluster_without_workers_is_rejected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dask, "SECONDS_TO_CONNECT", 2)
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=":0") as cluster:
        address = cluster.scheduler_address
        with pytest.raises(UserError, match=f"^{address}: the scheduler has no workers"):
            list(run_in_order(record, jobs(1, tmp_path), cluster=address))


@pytest.mark.parametrize("listening", [False, True])
def test_an_address_without_a_scheduler_is_rejected_soon(
    listening: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dask, "SECONDS_TO_CONNECT", 0.5)
    pytest.importorskip("distributed")
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        if listening:
            mute.listen()
        address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(UserError, match=f"^{address}: no Dask scheduler answers there"):
            list(run_in_order(record, jobs(1, tmp_path), cluster=address))


@pytest.mark.parametrize("cluster", ["here", "http://127.0.0.1:80", "tcp://127.0.0.1", "no.json"])
def test_what_is_no_address_is_rejected(cluster: str, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(UserError, match=rf"^{cluster}: .*dask scheduler"):
        list(run_in_order(record, jobs(1, tmp_path), cluster=cluster))


def test_a_missing_dask_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"^the cluster needs Dask: pip install 'ppcn\[cluster\]'"):
        list(run_in_order(record, jobs(1, tmp_path), cluster="tcp://127.0.0.1:8786"))


def test_a_machine_with_other_versions_is_rejected(tmp_path: Path) -> None:
    wanted = {**dask._versions(), "OpenCV": "4.12.0"}
    with pytest.raises(UserError, match=r"has OpenCV 5.*4\.12\.0"):
        dask._run_remotely(wanted, record, Job(0, tmp_path))
    assert dask._run_remotely(dask._versions(), record, Job(0, tmp_path)) == 0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Eight cores and 16 GB, with the cgroup files that a test puts into the folder."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    memory = SimpleNamespace(available=16 * 10**9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(computer, "CGROUPS", tmp_path)
    monkeypatch.setattr(computer, "OWN_CGROUPS", tmp_path / "own")
    return tmp_path


def put(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text + "\n")


def test_cores_and_memory_decide_how_many_workers(machine: Path) -> None:
    assert worker_count(None, 10**9) == (8, None)
    assert worker_count(None, 3 * 10**9) == (5, None)
    assert worker_count(12, 10**9) == (12, None)


def test_a_number_that_may_not_fit_is_kept_with_a_warning(machine: Path) -> None:
    number, warning = worker_count(20, 10**9)
    assert number == 20
    assert warning and "20 x 1.0 GB" in warning and "16.0 GB" in warning
    assert warning.endswith("; fewer workers need less")
    number, warning = worker_count(None, 17 * 10**9)
    assert number == 1
    assert warning and "17.0 GB" in warning


V2 = {
    "own": "0::/job/step",
    "job/memory.max": "max",
    "job/step/memory.max": str(6 * 10**9),
    "job/step/memory.current": str(5 * 10**9),
    "job/step/memory.stat": f"anon 7\ninactive_file {2 * 10**9}",
    "cpu.max": "max 100000",
}
V1 = {
    "own": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/x",
    "memory/memory.limit_in_bytes": str(6 * 10**9),
    "memory/memory.usage_in_bytes": str(5 * 10**9),
    "memory/memory.stat": f"inactive_file 3\ntotal_inactive_file {2 * 10**9}",
    "cpu/cpu.cfs_quota_us": "-1",
    "cpu/cpu.cfs_period_us": "100000",
}


@pytest.mark.parametrize("files", [V2, V1])
def test_a_memory_limit_counts_without_file_caches(files: dict[str, str], machine: Path) -> None:
    put(machine, files)
    assert worker_count(None, 10**9) == (3, None)


@pytest.mark.parametrize(
    "files",
    [
        V2 | {"job/cpu.max": "150000 100000"},
        V1
        | {"cpu/docker/abc/cpu.cfs_quota_us": "150000", "cpu/docker/abc/cpu.cfs_period_us": "1"}
        | {"cpu/docker/abc/cpu.cfs_period_us": "100000"},
    ],
)
def test_a_cpu_quota_counts_rounded_up(files: dict[str, str], machine: Path) -> None:
    put(machine, files)
    assert worker_count(None, 10**9) == (2, None)
