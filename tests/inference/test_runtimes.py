"""Photos with every runtime and precision against the network in float64."""

import builtins
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from conftest import ROOT, make_network, mostly_slow, refusal, run, textured

from ppcn.dataset.patch_set import Patch, PatchWriter
from ppcn.dataset.splits import TRAIN, VALIDATION
from ppcn.errors import UserError
from ppcn.evaluation.timing import Subject
from ppcn.files.artifacts import create_hdf5
from ppcn.inference.calibration import PATCHES, read_calibration
from ppcn.inference.photo_rows import ArrayRows
from ppcn.inference.runtimes import RUNTIMES, Precision, RuntimeName, make_runtime
from ppcn.inference.tiled import Tiled, run_tiled

NAMES = ["ppcn_student", "ppcn_sr", "mux_normal", "fsrcnn"]
OTHERS: list[RuntimeName] = ["openvino", "onnx"]


def expected(name: str, pixels: np.ndarray) -> np.ndarray:
    x = torch.tensor(pixels).permute(2, 0, 1)[None].double() / 255
    with torch.no_grad():
        return make_network(name).double()(x)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("runtime", OTHERS)
@pytest.mark.parametrize("name", mostly_slow(NAMES, ["ppcn_student"]))
def test_whole_photos(name: str, runtime: RuntimeName) -> None:
    compute = run_tiled(Tiled(make_network(name), 2**40, make_runtime(runtime)))
    for size in ((48, 64), (51, 66)):
        pixels = textured(*size)
        assert np.abs(compute(pixels) - expected(name, pixels)).max() <= 1e-5


@pytest.mark.parametrize(
    ("name", "runtime"),
    [
        ("ppcn_student", "openvino"),
        # Mux networks take too long to become ONNX.
        pytest.param("ppcn_student", "onnx", marks=pytest.mark.slow),
        pytest.param("mux_high_performance", "openvino", marks=pytest.mark.slow),
    ],
)
def test_tiles(name: str, runtime: RuntimeName) -> None:
    tiled = Tiled(make_network(name), 1, make_runtime(runtime))
    pixels = textured(51, 150)
    assert len(list(tiled.tiles(ArrayRows(pixels)))) > 1
    assert np.abs(run_tiled(tiled)(pixels) - expected(name, pixels)).max() <= 1e-5


def has_bfloat16(runtime: RuntimeName) -> bool:
    return make_runtime(runtime).has_bfloat16


@pytest.mark.slow
@pytest.mark.parametrize("runtime", OTHERS)
def test_exact_is_exact(runtime: RuntimeName) -> None:
    pixels = textured(300, 400)
    compute = run_tiled(Tiled(make_network("ppcn_student"), 2**40, make_runtime(runtime, "exact")))
    assert np.abs(compute(pixels) - expected("ppcn_student", pixels)).max() <= 2e-6


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_openvino_reads_every_depth(kind: type) -> None:
    pixels = textured(48, 64)
    deep = pixels if kind is np.uint8 else (pixels / 255 * (65535 if kind is np.uint16 else 1))
    compute = run_tiled(Tiled(make_network("ppcn_student"), 2**40, make_runtime("openvino")))
    apart = np.abs(compute(deep.astype(kind)) - expected("ppcn_student", pixels))
    assert apart.max() <= 1e-5


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_bfloat16_stays_near(runtime: RuntimeName) -> None:
    if not has_bfloat16(runtime):
        pytest.skip("this processor does not compute in bfloat16")
    pixels = textured(64, 64)
    compute = run_tiled(
        Tiled(make_network("ppcn_student"), 2**40, make_runtime(runtime, "bfloat16"))
    )
    apart = np.abs(compute(pixels) - expected("ppcn_student", pixels))
    assert 1e-5 < apart.max() < 0.1
    assert apart.mean() < 0.01


@pytest.mark.slow
def test_int8_loses_little_where_it_was_calibrated(caplog: pytest.LogCaptureFixture) -> None:
    patches = np.stack([textured(64, 64, seed) for seed in range(8)])
    runtime = make_runtime("openvino", "int8")
    compute = run_tiled(Tiled(make_network("srcnn"), 2**40, runtime, patches))
    pixels = textured(64, 64, seed=9)
    error = np.square(compute(pixels) - expected("srcnn", pixels)).mean()
    assert 1e-9 < error < 1e-3
    assert not caplog.records


def test_calibration_patches_are_the_phones_and_spread_over_training(tmp_path: Path) -> None:
    with create_hdf5(tmp_path / "p.h5", {}) as file:
        writer = PatchWriter(file, ["a"], 4)
        for number in range(150):
            phone = np.full((4, 4, 3), number, np.uint8)
            split = TRAIN if number % 3 else VALIDATION
            writer.add(0, split, [Patch(phone, phone + 100, (0, 0), (0, 0), 0, 1)])
    patches = read_calibration(tmp_path / "p.h5")
    assert patches.shape == (PATCHES, 4, 4, 3)
    numbers = patches[:, 0, 0, 0].tolist()
    assert numbers == sorted(set(numbers))
    assert all(number % 3 for number in numbers)


@pytest.mark.parametrize(
    ("runtime", "precision", "said"),
    [
        ("torch", "int8", "choose runtime openvino, or precision float32 or exact or bfloat16"),
        ("onnx", "bfloat16", "choose runtime torch or openvino, or precision float32 or exact"),
    ],
)
def test_what_a_runtime_does_not_know(
    runtime: RuntimeName, precision: Precision, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        make_runtime(runtime, precision)


def test_int8_names_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(UserError, match=r"lacks nncf; install it with: pip install 'ppcn\[int8\]'"):
        make_runtime("openvino", "int8")


@pytest.mark.parametrize(("runtime", "module"), [("openvino", "openvino"), ("onnx", "onnxruntime")])
def test_a_runtime_that_is_not_installed_is_named(
    runtime: RuntimeName, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] == module:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    for loaded in [name for name in sys.modules if "runtimes.with_" in name]:
        monkeypatch.delitem(sys.modules, loaded)
    with pytest.raises(UserError, match=rf"pip install 'ppcn\[{runtime}\]'"):
        make_runtime(runtime)


def test_times_are_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = torch.device("meta")
    monkeypatch.setattr("ppcn.inference.runtimes.with_torch.choose_device", lambda: nowhere)
    assert make_runtime("torch").device == nowhere
    subject = Subject("ppcn_student", None, "torch", "float32")
    pixels = textured(24, 32)
    assert np.isfinite(run_tiled(subject.load())(pixels)).all()


def test_bfloat16_is_refused_where_the_processor_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO would compute in float32 and not say so."""
    monkeypatch.setattr("openvino.Core.get_property", lambda *_: ["FP32", "INT8"])
    with pytest.raises(UserError, match="this processor does not compute in bfloat16"):
        make_runtime("openvino", "bfloat16")
    make_runtime("openvino", "float32")


def test_every_runtime_is_a_row_and_knows_float32() -> None:
    assert set(RUNTIMES) == set(get_args(RuntimeName))
    assert all("float32" in row.precisions for row in RUNTIMES.values())


def test_torch_is_the_only_runtime_that_is_loaded_unasked() -> None:
    program = (
        "import sys, numpy, ppcn; ppcn.enhance(numpy.zeros((8, 8, 3), 'uint8')); "
        "print([m for m in ('openvino', 'onnxruntime', 'nncf', 'onnx') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


def test_commands_take_runtimes(tmp_path: Path, weights: Path) -> None:
    from PIL import Image

    Image.fromarray(textured(40, 50)).save(tmp_path / "a.png")
    command = ("enhance", tmp_path / "a.png", "--weights", weights)
    results = []
    for runtime in ("torch", *OTHERS):
        out = tmp_path / runtime
        done = run(tmp_path, *command, "--out", out, "--runtime", runtime)
        assert done.returncode == 0, done.stderr
        results.append(np.asarray(Image.open(out / "a.png")).astype(int))
    assert all(np.abs(result - results[0]).max() <= 1 for result in results)
    for more, said in (
        (["--precision", "int8", "--runtime", "openvino"], "give --calibrate a patch set"),
        (["--precision", "int8"], "runtime torch does not compute in int8"),
        (["--calibrate", "p.h5"], "serves --precision int8 alone"),
    ):
        assert said in refusal(tmp_path, *command, *more)
