"""Training stages as a user starts, interrupts and multiplies them."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import PARAMS, ROOT, edit_yaml

from ppcn.dataset.patch_set import Patch, PatchWriter
from ppcn.files.artifacts import create_hdf5
from ppcn.photos.decode import read_photo
from ppcn.photos.resize import tile

SIDE = 36
# Checkpoints after every step, so that few steps show what many would.
EAGER = (
    "import ppcn.training.trainer; ppcn.training.trainer.SECONDS_BETWEEN_CHECKPOINTS = 0; "
    "from pipeline.app import app; app()"
)
SETTINGS = {
    "teacher.steps": 20,
    "teacher.warmup_steps": 10,
    "teacher.batch": 4,
    "teacher.log_every": 1,
    "teacher.learning_rate": 5e-4,
    "teacher.average": 0.9,
}
# Of each formula of the adversarial term.
STEPS = {"paper": 50, "code": 15}
TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")

# One worker runs them all, in the one folder.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("trainer")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, vgg_file: Path) -> Path:
    """Parameters, patches and features for small training runs, of which one is done."""
    made = tmp_path_factory.mktemp("trainer")
    shutil.copy(PARAMS, made)
    edit_yaml(made / "params.yaml", SETTINGS)
    photo = read_photo(ROOT / "data/sample/roman-colosseum.jpg")[300:1100, 600:1800]
    tiles = np.stack(list(tile(photo, SIDE)))[::50]
    (made / "data/patches").mkdir(parents=True)
    with create_hdf5(made / "data/patches/iphone.h5", {}) as file:
        writer = PatchWriter(file, ["a", "b"], SIDE)
        for number, split in ((0, 0), (1, 1)):
            patches = [Patch(s // 2, s, (0, 0), (0, 0), 0, 1) for s in tiles[number::2]]
            writer.add(number, split, patches)
    (made / "data/features").mkdir()
    shutil.copy(vgg_file, made / "data/features")
    train(made, "alone")
    return made


def command(name: str, *before: str) -> list[str]:
    outputs = [f"--out=out/{name}.safetensors", f"--metrics=out/{name}.json"]
    return [sys.executable, *before, "teacher", "--phone=iphone", *outputs]


def environment(threads: int) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)}


def train(folder: Path, name: str, *before: str) -> str:
    """Train to the end; what was printed."""
    done = subprocess.run(
        command(name, *before or ("-m", "pipeline")),
        cwd=folder,
        env=environment(1),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"out/{name}.csv").open() as file:
        return list(csv.DictReader(file))


def weights(folder: Path, name: str) -> bytes:
    return (folder / f"out/{name}.safetensors").read_bytes()


def test_a_run_that_is_killed_again_and_again_ends_the_same(folder: Path) -> None:
    chance = random.Random(0)
    checkpoint = folder / "out/killed.training/checkpoint.safetensors"
    kills = 0
    for _ in range(3):
        with subprocess.Popen(
            command("killed", "-c", EAGER), cwd=folder, env=environment(1), stdout=subprocess.PIPE
        ) as attempt:
            before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
            while attempt.poll() is None:
                if checkpoint.exists() and checkpoint.stat().st_mtime_ns != before:
                    time.sleep(chance.uniform(0, 0.5))
                    attempt.send_signal(signal.SIGKILL)
                    kills += attempt.wait() == -signal.SIGKILL
                time.sleep(0.01)
    assert kills
    shown = train(folder, "killed", "-c", EAGER)
    assert "goes on after step" in shown
    assert weights(folder, "killed") == weights(folder, "alone")
    assert rows(folder, "killed") == rows(folder, "alone")
    assert not checkpoint.exists()


def test_two_processes_follow_the_curves_of_one(folder: Path) -> None:
    for adversarial, steps in STEPS.items():
        shutil.copy(folder / "params.yaml", folder / f"{adversarial}.yaml")
        changes = {"loss.adversarial": adversarial, "teacher.steps": steps}
        edit_yaml(folder / f"{adversarial}.yaml", changes)
    for one, two, steps in zip(curves(folder), curves(folder, *TWO), STEPS.values(), strict=True):
        assert len(one) == len(two) == steps
        assert {"contextual", "texture", "discriminator", "ssim", "color", "tv"} < one[-1].keys()
        for step, (expected, found) in enumerate(zip(one, two, strict=True)):
            assert found == pytest.approx(expected, rel=1e-5), step


def curves(folder: Path, *launcher: str) -> list[list[dict[str, float]]]:
    """The rows of a run of `in_float64.py`, for each formula of the adversarial term."""
    files = [f"{adversarial}.yaml" for adversarial in STEPS]
    done = subprocess.run(
        [sys.executable, *launcher, str(ROOT / "tests/e2e/in_float64.py"), *files],
        cwd=folder,
        env=environment(1),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_command_trains_with_two_processes(folder: Path) -> None:
    shown = train(folder, "together", *TWO, "-m", "pipeline")
    assert "4 a step among 2 processes" in shown
    one, two = rows(folder, "alone"), rows(folder, "together")
    assert len(one) == len(two) == SETTINGS["teacher.steps"]
    for expected, found in zip(one[:11], two[:11], strict=True):
        figures = [{k: float(v) for k, v in row.items() if v} for row in (found, expected)]
        assert figures[0] == pytest.approx(figures[1], rel=1e-5)


def test_a_batch_must_be_shared_evenly(folder: Path) -> None:
    shutil.copy(folder / "params.yaml", folder / "uneven.yaml")
    edit_yaml(folder / "uneven.yaml", {"teacher.batch": 3})
    done = subprocess.run(
        [*command("uneven", *TWO, "-m", "pipeline"), "--params=uneven.yaml"],
        cwd=folder,
        env=environment(1),
        capture_output=True,
        text=True,
    )
    assert done.returncode
    assert "a batch of 3 cannot be shared out evenly among 2 processes" in done.stderr
