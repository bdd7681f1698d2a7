"""Speed and memory of training, and whether killed runs end as they should.

Usage:
    python benchmarks/training.py speed [--batch 50]
    python benchmarks/training.py profile STAGE [--batch 50] [--count-operators [--as-on-gpu]]
    python benchmarks/training.py memory [--steps 10000]
    python benchmarks/training.py resume [--kills 20]

They run on what `dvc repro` has made in this checkout: data/patches, data/features, data/sr.
`speed` puts the engine beside the same steps written down literally, in turns within one run.
"""

import contextlib
import copy
import csv
import filecmp
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import psutil
import torch
import typer
from literal_formulas import LiteralEnhancer, LiteralSR
from ruamel.yaml import YAML
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.__main__ import ALLOCATOR
from ppcn import machine
from ppcn.dataset.patch_set import open_patches
from ppcn.dataset.sr_set import open_crops
from ppcn.networks.devices import compile_in_place, has_tf32, place
from ppcn.networks.ppcn import Student, Teacher
from ppcn.networks.ppcn_sr import PPCNSR
from ppcn.networks.vgg import load_vgg
from ppcn.params import Engine, Params
from ppcn.training.batches import Batch, Batches, CropSource, PatchSource, Source
from ppcn.training.objective import EnhancementObjective, Objective
from ppcn.training.sr_objective import SRObjective
from ppcn.training.train_state import TrainState
from ppcn.training.trainer import TrainConfig, train_step

PATCHES, FEATURES = Path("data/patches/iphone.h5"), Path("data/features/vgg19.safetensors")
CROPS, PHOTOS = Path("data/sr/train.h5"), Path("data/sr/valid.h5")
STAGES = ("teacher", "student", "sr")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Job:
    """One stage, ready to take steps on given batches."""

    network: nn.Module
    objective: Objective
    batches: Batches


def start() -> None:
    """Start again with the allocator settings of the program itself."""
    if not ALLOCATOR.keys() & os.environ.keys():
        os.environ |= ALLOCATOR
        os.execv(sys.executable, [sys.executable, *sys.argv])


def prepare(stage: str, batch: int, files: ExitStack) -> tuple[Job, Any]:
    """A stage as the engine runs it, and as it is written down literally."""
    params = Params.load(Path("params.yaml"))
    torch.manual_seed(0)
    if stage == "sr":
        training = params.sr.model_copy(update={"batch": batch})
        source: Source = CropSource(files.enter_context(open_crops(CROPS)), training, True)
        objective: Objective = SRObjective(params.sr, params.sr.steps)
        network: nn.Module = PPCNSR()
        literal: Any = LiteralSR(twin(network), objective.weights)
        return Job(network, objective, Batches(source, 0)), literal
    cut = files.enter_context(open_patches(PATCHES))
    source = PatchSource([cut], batch)
    teacher = place(Teacher(0.1)) if stage == "student" else None
    network = Student(0.1) if teacher else Teacher(0.1)
    vgg = load_vgg(FEATURES)[0]
    objective = EnhancementObjective(
        params.recipe(), params.loss, vgg, teacher, cut.size, 0, source.targets
    )
    assert objective.discriminator
    literal = LiteralEnhancer(
        twin(network), twin(objective.discriminator), place(vgg), teacher, objective.weights
    )
    return Job(network, objective, Batches(source, 0)), literal


def twin(network: nn.Module) -> Any:
    """A copy with the same weights, where networks run."""
    return place(copy.deepcopy(network))


def engine(job: Job, precision: str, batch: int, compile: str = "none") -> Callable[[Batch], float]:
    """The step of the engine; it returns the loss."""
    settings = Params.load(Path("params.yaml")).teacher
    training = settings.model_copy(update={"batch": batch, "learning_rate": 5e-4})
    config = TrainConfig(training, Engine(precision=precision, compile=compile), 0)
    objective = copy.deepcopy(job.objective)
    objective.prepare(config.engine)
    network = twin(job.network)
    if compile != "none":
        compile_in_place(network, graphs=True)
    state = TrainState(network, objective.discriminator, training)

    def step(batch: Batch) -> float:
        state.meter.clear()
        train_step(state, objective, batch, config)
        state.step += 1
        return state.meter.means()["loss"]

    return step


def timed(step: Callable[[Batch], Any], batch: Batch) -> tuple[float, float]:
    """Milliseconds that a step takes, and its loss."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    before = time.perf_counter()
    loss = float(step(batch))
    return 1000 * (time.perf_counter() - before), loss


@app.command()
def speed(
    batch: int = 50,
    sr_batch: int = 16,
    rounds: int = 5,
    stage: Annotated[list[str] | None, typer.Option(help="All by default.")] = None,
    compiled: Annotated[
        bool, typer.Option(help="With engine.compile: step as well, and tf32 where a GPU has it.")
    ] = False,
) -> None:
    """Milliseconds per step of each stage, in turns, after every target has been seen once."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    print(f"{device}, {torch.get_num_threads()} threads; median of {rounds}")
    for name in stage or STAGES:
        with ExitStack() as files:
            size = sr_batch if name == "sr" else batch
            job, literal = prepare(name, size, files)
            ways: dict[str, Callable[[Batch], Any]] = {
                "literal": lambda b, step=literal.step: step(b.x, b.y),
                "float32": engine(job, "float32", size),
                "bfloat16": engine(job, "bfloat16", size),
            }
            if compiled:
                ways["compiled"] = engine(job, "bfloat16", size, "step")
            if compiled and has_tf32():
                ways["tf32"] = engine(job, "tf32", size)
            batches = [job.batches.at(step) for step in range(2)]
            first = {way: timed(step, batches[0])[1] for way, step in ways.items()}
            for way in ways.values():
                way(batches[1])
            times: dict[str, list[float]] = {way: [] for way in ways}
            for turn in range(rounds):
                for way, step in ways.items():
                    times[way].append(timed(step, batches[turn % 2])[0])
        for way, taken in times.items():
            median = statistics.median(taken)
            against = statistics.median(times["literal"]) / median
            error = abs(first[way] / first["literal"] - 1)
            print(
                f"{name:8} batch {size}  {way:9} {median:8.1f} ms  {against:.2f}x as fast  "
                f"first loss differs by {error:.1e}"
            )


class OperatorCounter(TorchDispatchMode):
    """Counts the operators that compute something, each of which launches a kernel on a GPU.

    Views and allocations launch none. The numbers follow from the code alone, on any machine;
    some operators launch several kernels.
    """

    ALLOCATIONS = ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided")

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Compute, and count."""
        name = func.overloadpacket.__name__
        if not (func.is_view or name in self.ALLOCATIONS or name.startswith("_record_function")):
            self.counts[name] += 1
        return func(*args, **(kwargs or {}))


def count_operators(step: Callable[[Batch], Any], batch: Batch) -> Counter[str]:
    """Operators of one step, forward, back and update, by name."""
    with OperatorCounter() as counter:
        step(batch)
    return counter.counts


@app.command(name="profile")
def show_profile(
    stage: str,
    batch: int = 50,
    precision: str = "float32",
    rows: int = 15,
    count: Annotated[
        bool, typer.Option("--count-operators", help="Count the operators of a step, not time.")
    ] = False,
    as_on_gpu: Annotated[
        bool, typer.Option(help="Count what is computed in fewer operators on a GPU, too.")
    ] = False,
) -> None:
    """Where the time of a step goes, by operator."""
    with ExitStack() as files:
        job, _ = prepare(stage, batch, files)
        step = engine(job, precision, batch)
        batches = [job.batches.at(number) for number in range(3)]
        if as_on_gpu:
            files.enter_context(patch.object(machine, "prefers_few_operators", lambda x: True))
        for one in batches:
            step(one)
        if count:
            counts = count_operators(step, batches[0])
            print(f"{stage}, batch {batch}, {precision}: {counts.total()} operators in a step")
            for name, number in counts.most_common(rows):
                print(f"{number:6} {name}")
            return
        with profile(activities=list(ProfilerActivity.__members__.values())[:2]) as found:
            for one in batches:
                step(one)
    key = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
    print(found.key_averages().table(sort_by=key, row_limit=rows, max_name_column_width=50))


@app.command()
def memory(steps: int = 10000, batch: int = 8, sr_batch: int = 4) -> None:
    """Memory of each stage, as a process of its own, over many steps of the sample's sizes."""
    print("stage     MB at 10 %, 50 %, 100 % of the steps     peak MB")
    for stage in STAGES:
        changes = {"steps": steps, "log_every": max(1, steps // 10), "batch": batch}
        if stage == "sr":
            changes["batch"] = sr_batch
        else:
            changes["warmup_steps"] = 0
        with tempfile.TemporaryDirectory() as folder, Training(stage, changes, folder) as training:
            peak = 0.0
            while training.process.poll() is None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    peak = max(peak, psutil.Process(training.process.pid).memory_info().rss / 2**20)
                time.sleep(0.2)
            with (training.folder / f"{stage}.training/log.csv").open() as log:
                used = [float(row["memory_mb"]) for row in csv.DictReader(log)]
        figures = "  ".join(f"{used[place]:6.0f}" for place in (0, len(used) // 2, -1))
        print(f"{stage:8}  {figures}     {peak:6.0f}", flush=True)


@app.command()
def resume(kills: int = 20, stage: str = "teacher", steps: int = 150, seed: int = 0) -> None:
    """Kill a stage at random moments, start it again each time, and compare with one whole run."""
    changes = {"steps": steps, "log_every": 10, "average": 0.99}
    if stage != "sr":
        changes |= {"warmup_steps": steps // 3, "batch": 2}
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Path(folder) / "whole", Path(folder) / "broken"
        before = time.monotonic()
        with Training(stage, changes, str(whole)) as training:
            training.process.wait()
        took = time.monotonic() - before
        done = 0
        while done < kills:
            with Training(stage, changes, str(broken)) as training:
                time.sleep(chance.uniform(0.2, 1.8) * took / kills + STARTING)
                if training.process.poll() is not None:
                    break
                training.process.kill()
                done += 1
        with Training(stage, changes, str(broken)) as training:
            training.process.wait()
        name = f"{stage}.safetensors"
        same = filecmp.cmp(whole / name, broken / name, shallow=False)
    print(f"{stage}: killed {done} times in {steps} steps; weights the same: {same}")


# Seconds until a stage takes its first step.
STARTING = 4


class Training:
    """A stage as a process of its own, with changed parameters and a checkpoint every second."""

    def __init__(self, stage: str, changes: dict[str, Any], folder: str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        yaml = YAML()
        values = yaml.load(Path("params.yaml"))
        values[stage] |= changes
        with (self.folder / "params.yaml").open("w") as file:
            yaml.dump(values, file)
        phone = [] if stage == "sr" else ["--phone=iphone"]
        teacher = ["--teacher=data/models/teacher/iphone.safetensors"] if stage == "student" else []
        program = (
            "import ppcn.training.trainer as loop; loop.SECONDS_BETWEEN_CHECKPOINTS = 1; "
            "from pipeline.app import app; app()"
        )
        self.command = [
            *(sys.executable, "-c", program, stage, *phone, *teacher),
            f"--params={self.folder}/params.yaml",
            f"--out={self.folder}/{stage}.safetensors",
            f"--metrics={self.folder}/{stage}.json",
        ]

    def __enter__(self) -> "Training":
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *details: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


if __name__ == "__main__":
    start()
    app()
