"""Model files of other runtimes, run and compared with torch."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from conftest import make_network, mostly_slow, refusal, run_apart, textured

from ppcn.errors import UserError
from ppcn.export import FORMATS, FormatName, export
from ppcn.export.plain_operators import with_plain_norms
from ppcn.networks import NETWORKS

FACTS = {"network": "ppcn_student", "cameras": ["Apple iPhone 3GS"]}
SIZE = (32, 48)
HEAVY: dict[FormatName, str] = {
    "litert": "litert_torch",
    "coreml": "coremltools",
    "executorch": "executorch",
}


@pytest.mark.parametrize("name", mostly_slow(NETWORKS, ["ppcn_student"]))
def test_onnx_of_every_network(name: str, tmp_path: Path) -> None:
    out = tmp_path / "m.onnx"
    checked = export(make_network(name), {"network": name}, "onnx", out, SIZE)
    assert checked.difference is not None and checked.difference < 1e-5


@pytest.mark.parametrize(
    "name", mostly_slow([n for n in NETWORKS if not n.startswith("mux")], ["ppcn_student"])
)
def test_openvino_of_every_network(name: str, tmp_path: Path) -> None:
    out = tmp_path / "m.xml"
    checked = export(make_network(name), {"network": name}, "openvino", out, SIZE)
    assert checked.difference is not None and checked.difference < 5e-5
    assert out.with_suffix(".bin").is_file()


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_a_mirrored_margin_is_exported(name: FormatName, tmp_path: Path) -> None:
    network = make_network("ppcn_student")
    network.padding = "mirror"
    checked = export(network, FACTS, name, tmp_path / f"m{FORMATS[name].suffix}", SIZE)
    assert checked.difference is not None and checked.difference < 5e-5


def test_a_model_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    """OpenVINO computes integers in 32 bits, too few for position noise."""
    network = make_network("mux_normal")
    with pytest.raises(UserError, match="openvino computes mux_normal differently, by up to 0"):
        export(network, {"network": "mux_normal"}, "openvino", tmp_path / "m.xml", SIZE)


def test_every_format_is_a_row_and_a_module() -> None:
    assert set(FORMATS) == set(get_args(FormatName))
    assert all(importlib.util.find_spec(f"ppcn.export.to_{name}") for name in FORMATS)


@pytest.mark.slow
@pytest.mark.parametrize("name", HEAVY)
def test_heavy_converters(name: FormatName, tmp_path: Path) -> None:
    if importlib.util.find_spec(HEAVY[name]) is None:
        pytest.skip(f"{HEAVY[name]} is not installed")
    out = tmp_path / f"m{FORMATS[name].suffix}"
    checked = export(make_network("ppcn_student"), FACTS, name, out, SIZE)
    assert out.exists()
    assert (checked.difference is None) == (name == "coreml")


def test_a_converter_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    monkeypatch.delitem(sys.modules, "ppcn.export.to_coreml", raising=False)
    with pytest.raises(UserError, match=r"pip install 'ppcn\[coreml\]'"):
        export(make_network("ppcn_student"), FACTS, "coreml", tmp_path / "m.mlpackage", SIZE)


def test_facts_are_carried(tmp_path: Path) -> None:
    import onnx
    import openvino

    network = make_network("ppcn_student")
    export(network, FACTS, "onnx", tmp_path / "m.onnx", SIZE)
    properties = {p.key: p.value for p in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert json.loads(properties["cameras"]) == FACTS["cameras"]
    export(network, FACTS, "openvino", tmp_path / "m.xml", SIZE)
    stored = openvino.Core().read_model(tmp_path / "m.xml").get_rt_info(["ppcn", "network"])
    assert json.loads(stored.astype(str)) == "ppcn_student"


def test_int8_is_smaller_and_near(tmp_path: Path) -> None:
    patches = np.stack([textured(64, 64, seed) for seed in range(6)])
    network = make_network("srcnn")
    checked = export(network, {"network": "srcnn"}, "openvino", tmp_path / "q.xml", SIZE, patches)
    export(network, {"network": "srcnn"}, "openvino", tmp_path / "f.xml", SIZE)
    small, large = ((tmp_path / name).stat().st_size for name in ("q.bin", "f.bin"))
    assert small < 0.6 * large
    assert checked.mean is not None and 1e-6 < checked.mean < 0.1


@torch.no_grad()
def test_plain_norms_compute_the_same() -> None:
    network = make_network("ppcn_teacher")
    x = torch.rand(1, 3, 40, 50)
    assert torch.allclose(with_plain_norms(network)(x), network(x), atol=1e-5)


@pytest.mark.slow
def test_the_command(tmp_path: Path, weights: Path) -> None:
    command = ("export", "--weights", weights, "--format")
    done = run_apart(tmp_path, *command, "onnx", "--out", "new/m.onnx")
    assert done.returncode == 0, done.stderr
    assert "differs from torch by" in done.stdout
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["m.onnx"]
    for options, said in (
        (("onnx", "--out", "m.xml"), "m.xml: a file of onnx must end in .onnx"),
        (("onnx", "--out", "m.onnx", "--precision", "int8"), "is for --format openvino"),
        (("litert", "--out", "m.tflite", "--size", "9"), "give WIDTHxHEIGHT in px"),
        (("onnx", "--out", "m.onnx", "--weights", "none"), "unknown weights 'none'"),
    ):
        assert said in refusal(tmp_path, *command, *options)
        assert not list(tmp_path.glob("m.*"))
