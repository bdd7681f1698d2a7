import io
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from ruamel.yaml import YAML
from torch import nn

import pipeline.__main__
from ppcn.networks import NETWORKS
from ppcn.networks.layers import InstanceNorm
from ppcn.params import Params
from ppcn.photos.decode import read_photo
from ppcn.weights import save_weights

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT.parent / "shared" / "reference"

# Tests that run beside each other share the processors out, as do the processes that they start.
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
torch.set_num_threads(max(1, torch.get_num_threads() // WORKERS))
os.environ["OMP_NUM_THREADS"] = str(torch.get_num_threads())
# As the program has it, for processes that are started: pytest's workers, trainings.
os.environ.update(pipeline.__main__.ALLOCATOR)
# Of the program in whatever folder.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
# Marks of tests that drive a real browser.
IN_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("chromium") and shutil.which("chromedriver")),
        reason="no chromium and chromium-driver here",
    ),
]


def sample_params(folder: Path) -> Path:
    """A params.yaml with the sample's values, whatever an experiment has left in the project's."""
    yaml = YAML()
    values = yaml.load((ROOT / "params.yaml").read_text())
    for group, sample in YAML(typ="safe").load((ROOT / "tests/sample.yaml").read_text()).items():
        if isinstance(sample, dict):
            set_values(values[group], sample)
        else:
            values[group] = sample
        if group == "phones":
            drop_others(values[group], sample)
    path = folder / "params.yaml"
    with path.open("w") as file:
        yaml.dump(values, file)
    return path


def set_values(values: dict[str, Any], others: dict[str, Any]) -> None:
    """Set keys of a dictionary; what is equal keeps its place and its comment in a file."""
    for key, other in others.items():
        if isinstance(other, dict) and isinstance(values.get(key), dict):
            drop_others(values[key], other)
            set_values(values[key], other)
        elif key not in values or values[key] != other:
            values[key] = other


def drop_others(values: dict[str, Any], known: Collection[str]) -> None:
    for key in values.keys() - known:
        del values[key]


PARAMS = sample_params(Path(mkdtemp(prefix="ppcn-tests-")))


def pytest_sessionfinish() -> None:
    shutil.rmtree(PARAMS.parent, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("reference") and not REFERENCE.is_dir():
            item.add_marker(pytest.mark.skip(reason="no ../shared/reference here"))
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no GPU here"))


@pytest.fixture(scope="session")
def reference() -> Path:
    return REFERENCE


def mostly_slow(names: Iterable[str], quick: Collection[str]) -> list[Any]:
    """Values of a parameter, of which a few stand for the others in the quick tests."""
    return [n if n in quick else pytest.param(n, marks=pytest.mark.slow) for n in names]


def make_network(name: str) -> nn.Module:
    """A network whose weights leave no part without effect."""
    torch.manual_seed(0)
    enhances = NETWORKS[name].input == "image"
    network = NETWORKS[name].make(**({"initial_deviation": None} if enhances else {}))
    for module in network.modules():
        if isinstance(module, InstanceNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return network.eval()


def textured(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Blocks of many colours and fine noise, darker to the right."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 200, (height // 16 + 1, width // 16 + 1, 3))
    blocks = blocks.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
    noise = random.integers(0, 56, blocks.shape)
    return ((blocks + noise) * np.linspace(1, 0.3, width)[:, None]).astype(np.uint8)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student, hardly trained, that knows one camera."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "student.safetensors"
    network = NETWORKS["ppcn_student"].make(initial_deviation=None)
    save_weights(path, "ppcn_student", network, {"cameras": ["Apple iPhone 3GS"]})
    return path


@pytest.fixture(scope="session")
def params() -> Params:
    return Params.load(PARAMS)


@pytest.fixture
def scene() -> NDArray[np.uint8]:
    """A detailed 1200x800 part of a sample photo."""
    return read_photo(ROOT / "data/sample/roman-colosseum.jpg")[300:1100, 600:1800]


@pytest.fixture(scope="session")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random VGG-19 weights as the features stage would write them."""
    from safetensors.torch import save_file

    from ppcn.networks.vgg import VGG19

    torch.manual_seed(0)
    network = VGG19()
    for parameter in network.parameters():
        if parameter.ndim == 4:
            torch.nn.init.kaiming_normal_(parameter)
    path = tmp_path_factory.mktemp("vgg") / "vgg19.safetensors"
    save_file(network.state_dict(), path, {"source": "file", "sha256": "random"})
    return path


def fresh(name: str) -> nn.Module:
    """A network by name, with reproducible first weights, in evaluation mode."""
    torch.manual_seed(0)
    return NETWORKS[name].make().eval()


def edit_yaml(path: Path, changes: dict[str, object]) -> None:
    """Set dotted keys of a YAML file."""
    yaml = YAML()
    values = yaml.load(path.read_text())
    for dotted, value in changes.items():
        *groups, key = dotted.split(".")
        group = values
        for name in groups:
            group = group[name]
        group[key] = value
    with path.open("w") as file:
        yaml.dump(values, file)


def render_rig(folder: Path, scenes: Iterable[str]) -> None:
    """Small parameters, some sample photos and what the rig's cameras record of them."""
    shutil.copy(PARAMS, folder)
    edit_yaml(folder / "params.yaml", TINY)
    (folder / "data/sample").mkdir(parents=True)
    for scene in scenes:
        shutil.copy(ROOT / f"data/sample/{scene}.jpg", folder / "data/sample")
    assert run(folder, "rig").returncode == 0


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, *arguments: object) -> Done:
    """Run a command in a folder by this process, which has imported everything long ago."""
    output, errors = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(output),
        redirect_stderr(errors),
    ):
        patch.chdir(folder)
        patch.setenv("COLUMNS", "200")
        patch.setattr(sys, "argv", ["ppcn-pipeline", *map(str, arguments)])
        # pytest's own, beside which warnings would not reach the terminal.
        patch.setattr(logging.root, "handlers", [])
        # Both are for processes of their own.
        patch.setattr("pipeline.__main__._keep_freed_memory", lambda: None)
        patch.setattr("signal.signal", lambda *_: None)
        try:
            pipeline.__main__.main()
        except SystemExit as stopped:
            code = stopped.code or 0
    if isinstance(code, str):
        print(code, file=errors)
        code = 1
    assert isinstance(code, int)
    return Done(code, output.getvalue(), errors.getvalue())


def run_apart(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder as a user would, by a process of its own."""
    command = [sys.executable, "-m", "pipeline", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)


def refusal(folder: Path, *arguments: object) -> str:
    """The one sentence with which a command refuses."""
    done = run(folder, *arguments)
    assert done.returncode == 1, done
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    return last


TINY = {
    "rig.reference.width": 600,
    "rig.reference.height": 400,
    "phones.iphone.width": 500,
    "phones.iphone.height": 375,
    "align.detect_size": 600,
    "teacher.steps": 3,
    "teacher.warmup_steps": 1,
    "teacher.batch": 2,
    "teacher.log_every": 2,
    "student.steps": 3,
    "student.warmup_steps": 1,
    "student.batch": 2,
    "student.log_every": 2,
    "sr.steps": 3,
    "sr.batch": 2,
    "sr.log_every": 2,
    "baseline.steps": 3,
    "baseline.warmup_steps": 1,
    "baseline.batch": 2,
    "baseline.log_every": 2,
    "baseline_sr.steps": 2,
    "baseline_sr.batch": 2,
    "baseline_sr.log_every": 2,
    "benchmark.width": 64,
    "benchmark.height": 48,
    "benchmark.runs": 1,
}
