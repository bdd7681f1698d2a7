from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from ppcn.errors import FileError, UserError
from ppcn.files.safetensors import save_tensors
from ppcn.networks.layers import Padding
from ppcn.networks.ppcn import Student
from ppcn.networks.ppcn_sr import PPCNSR
from ppcn.weights import load_network, load_weights, save_weights


@pytest.mark.parametrize("padding", ["zero", "mirror"])
def test_padding_is_part_of_the_weights(tmp_path: Path, padding: Padding) -> None:
    network = Student()
    network.padding = padding
    save_weights(tmp_path / "w.safetensors", "ppcn_student", network, {})
    assert load_network(tmp_path / "w.safetensors", Student)[0].padding == padding


def test_an_unknown_padding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    network = Student()
    network.padding = "wrapped"  # type: ignore[assignment]
    save_weights(path, "ppcn_student", network, {})
    with pytest.raises(FileError, match="unknown padding, 'wrapped'"):
        load_weights(path)


def test_weights_say_what_they_are(tmp_path: Path) -> None:
    network = PPCNSR()
    save_weights(tmp_path / "w.safetensors", "ppcn_sr", network, {"phone": "iphone", "seed": 1})
    loaded, facts = load_weights(tmp_path / "w.safetensors")
    assert facts == {"network": "ppcn_sr", "phone": "iphone", "seed": 1}
    x = torch.rand(1, 3, 16, 16)
    assert torch.equal(loaded(x), network(x))
    with pytest.raises(UserError, match="holds ppcn_sr, not ppcn_student"):
        load_network(tmp_path / "w.safetensors", Student)


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    state = {"w": torch.arange(6.0).view(2, 3), "b": torch.ones(2)}
    metadata = {name: f'{name} "quoted" µ' for name in "network phone facts seed".split()}
    files = [tmp_path / f"{i}.safetensors" for i in range(12)]
    for file in files:
        save_tensors(file, state, metadata)
    assert len({file.read_bytes() for file in files}) == 1
    with safe_open(files[0], "pt") as opened:
        assert opened.metadata() == metadata
        assert torch.equal(opened.get_tensor("w"), state["w"])


def test_damaged_and_missing_weights_are_named(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"damaged")
    for name in ("w.safetensors", "none.safetensors"):
        with pytest.raises(UserError, match=f"{name}: (damaged weights file|no such file)"):
            load_weights(tmp_path / name)
