"""Published weights, as TensorFlow wrote them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT

from ppcn.errors import UserError
from ppcn.networks import NETWORKS
from ppcn.networks.ppcn import Student
from ppcn.weights.checkpoint_files import checkpoint_files
from ppcn.weights.saved_slices import SavedSlices
from ppcn.weights.tensor_bundle import Bundle
from ppcn.weights.tensorflow import SCOPES, import_checkpoint, published_names

WRITTEN_BY_TENSORFLOW = ROOT / "tests/data/student"
FIRST_FORMAT = ROOT / "tests/data/student-v1"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Prefix of a copy that a test may damage."""
    for path in checkpoint_files(WRITTEN_BY_TENSORFLOW):
        shutil.copy(path, tmp_path)
    return tmp_path / "student"


def _variables(name: str) -> dict[str, np.ndarray]:
    """A network's variables under the authors' names, filled with its own fresh weights."""
    state = NETWORKS[name].make().state_dict()
    arrays = {}
    for key, relative in published_names(name).items():
        value = state[key]
        kernel = value.permute(2, 3, 1, 0) if value.ndim == 4 else value
        arrays[f"{SCOPES[name]}/{relative}"] = kernel.numpy()
    return arrays


def test_a_checkpoint_of_tensorflow_is_read_to_the_bit() -> None:
    bundle = Bundle(WRITTEN_BY_TENSORFLOW)
    random = np.random.default_rng(0)
    names = sorted(name for name in bundle if name.startswith("generator_little"))
    assert len(names) == 14
    for name in names:
        expected = random.standard_normal(bundle[name].shape).astype(np.float32)
        np.testing.assert_array_equal(bundle[name], expected)
    assert bundle["discriminator/half"].tolist() == [1, 2]
    assert "global_step" not in bundle
    assert len(bundle) == 15


def test_a_checkpoint_of_the_first_format_is_read_to_the_bit(tmp_path: Path) -> None:
    old, new = SavedSlices(FIRST_FORMAT), Bundle(WRITTEN_BY_TENSORFLOW)
    for name in new.keys() - {"discriminator/half"}:
        np.testing.assert_array_equal(old[name], new[name])
    assert old["double"].tolist() == [[1.5, 2.25]]
    assert len(old) == 15
    shutil.copy(FIRST_FORMAT, tmp_path / "model.ckpt-7")
    (tmp_path / "model.ckpt-7.meta").write_bytes(b"\n\3abc")
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/model.ckpt-7"')
    for source in ("model.ckpt-7", "model.ckpt-7.meta", "checkpoint", "."):
        assert checkpoint_files(tmp_path / source) == [tmp_path / "model.ckpt-7"]
        network = import_checkpoint(tmp_path / source, "ppcn_student")
        expected = import_checkpoint(WRITTEN_BY_TENSORFLOW, "ppcn_student").state_dict()
        for key, value in network.state_dict().items():
            assert torch.equal(value, expected[key])
    whole = FIRST_FORMAT.read_bytes()
    (tmp_path / "model.ckpt-7").write_bytes(whole[:6000] + b"\xff" * 40 + whole[6040:])
    with pytest.raises(UserError, match=r"model\.ckpt-7: (damaged checkpoint|no such checkpoint)"):
        import_checkpoint(tmp_path / "model.ckpt-7", "ppcn_student")


def test_the_folder_of_a_saved_model_holds_its_checkpoint(checkpoint: Path) -> None:
    model = checkpoint.parent / "model"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"\x08\1")
    for path in checkpoint_files(checkpoint):
        shutil.copy(path, model / "variables" / path.name.replace("student", "variables"))
    for source in (model, model / "saved_model.pb", model / "variables"):
        assert import_checkpoint(source, "ppcn_student")


@pytest.mark.parametrize("source", ["student", "student.index", "student.data-00000-of-00001", "."])
def test_a_checkpoint_may_be_named_by_prefix_file_or_folder(checkpoint: Path, source: str) -> None:
    network = import_checkpoint(checkpoint.parent / source, "ppcn_student")
    assert isinstance(network, Student)
    stored = Bundle(checkpoint)["generator_little/W2"]
    np.testing.assert_array_equal(network.conv2.weight.detach().permute(2, 3, 1, 0).numpy(), stored)


def test_the_scope_that_fits_is_chosen_among_several(tmp_path: Path) -> None:
    arrays = _variables("ppcn_student") | _variables("ppcn_teacher")
    np.savez(tmp_path / "both.npz", **arrays)
    for name in ("ppcn_student", "ppcn_teacher"):
        assert import_checkpoint(tmp_path / "both.npz", name)
    student = {k.partition("/")[2]: v for k, v in _variables("ppcn_student").items()}
    scopes = {"generator_s": student, "generator_t": {}, "copy": student}
    np.savez(tmp_path / "one.npz", **{f"generator_s/{k}:0": v for k, v in student.items()})
    assert import_checkpoint(tmp_path / "one.npz", "ppcn_student")
    twice = {f"{scope}/{k}": v for scope, part in scopes.items() for k, v in part.items()}
    np.savez(tmp_path / "twice.npz", **twice)
    with pytest.raises(UserError, match="several scopes fit: copy/, generator_s/"):
        import_checkpoint(tmp_path / "twice.npz", "ppcn_student")


@pytest.mark.parametrize("name", SCOPES)
@pytest.mark.parametrize("scope", [None, "another/scope/", ""])
def test_variables_of_every_published_network_fit(
    tmp_path: Path, name: str, scope: str | None
) -> None:
    torch.manual_seed(0)
    expected = NETWORKS[name].make().eval()
    torch.manual_seed(0)
    arrays = _variables(name)
    assert sum(a.size for a in arrays.values()) == sum(p.numel() for p in expected.parameters())
    if scope is not None:
        arrays = {scope + key.partition("/")[2]: value for key, value in arrays.items()}
    np.savez(tmp_path / "v.npz", **arrays, beta1_power=np.float32(0.9), phone="iphone")
    network = import_checkpoint(tmp_path / "v.npz", name)
    x = torch.rand(1, 3, 20, 24)
    assert torch.equal(network(x), expected(x))


def test_names_are_the_published_ones() -> None:
    assert published_names("vdsr")["convs.18.weight"] == "conv_18_w"
    assert published_names("vdsr")["convs.19.bias"] == "conv_20_b"
    assert published_names("dped_resnet_12_64")["blocks.3.norm2.weight"] == "Variable_15"
    assert published_names("dped_resnet_12_64")["last.weight"] == "W12"
    assert published_names("ppcn_teacher")["norm5.weight"] == "Variable_7"


@pytest.mark.parametrize("asked", [name for name in SCOPES if name != "ppcn_student"])
def test_another_network_is_refused_and_the_right_one_named(asked: str) -> None:
    with pytest.raises(UserError, match=rf"not {asked} \(.*it holds ppcn_student"):
        import_checkpoint(WRITTEN_BY_TENSORFLOW, asked)


def test_networks_of_one_scope_are_told_apart_by_shape(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", **_variables("dped_resnet_12_64"))
    with pytest.raises(UserError, match=r"W1 is 9x9x3x64\); it holds dped_resnet_12_64"):
        import_checkpoint(tmp_path / "v.npz", "resnet_8_32")
    with pytest.raises(UserError, match="no weights of 'fsrcnn' were published"):
        import_checkpoint(tmp_path / "v.npz", "fsrcnn")


def test_damaged_checkpoints_are_refused_by_name(checkpoint: Path) -> None:
    data = checkpoint.with_name("student.data-00000-of-00001")
    complete = data.read_bytes()
    data.write_bytes(complete[:-100])
    with pytest.raises(UserError, match=r"student\.data-00000-of-00001: shorter than its index"):
        import_checkpoint(checkpoint, "ppcn_student")
    data.unlink()
    with pytest.raises(UserError, match=r"student\.data-00000-of-00001: no such file"):
        import_checkpoint(checkpoint, "ppcn_student")
    data.write_bytes(complete[:500] + bytes([complete[500] ^ 1]) + complete[501:])
    with pytest.raises(UserError, match=r"damaged at generator_little/\w+; copy"):
        import_checkpoint(checkpoint, "ppcn_student")
    data.write_bytes(complete)
    index = checkpoint.with_name("student.index")
    whole = index.read_bytes()
    for damaged in (b"", whole[:-1], whole[:200] + b"\xff" * 40 + whole[240:]):
        index.write_bytes(damaged)
        with pytest.raises(UserError, match=r"student\.index: not a checkpoint"):
            import_checkpoint(checkpoint, "ppcn_student")


def test_missing_odd_and_non_finite_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing: no such checkpoint"):
        import_checkpoint(tmp_path / "nothing", "srcnn")
    with pytest.raises(UserError, match="holds 0 checkpoints"):
        import_checkpoint(tmp_path, "srcnn")
    (tmp_path / "v.npz").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"v\.npz: not an \.npz of arrays"):
        import_checkpoint(tmp_path / "v.npz", "srcnn")
    arrays = _variables("srcnn")
    arrays["generator/w2"] = np.full_like(arrays["generator/w2"], np.nan)
    np.savez(tmp_path / "v.npz", **arrays)
    with pytest.raises(UserError, match="not finite"):
        import_checkpoint(tmp_path / "v.npz", "srcnn")
