"""Files of other programs in place of weights get a sentence that says what they are."""

import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import ROOT, fresh, refusal

import ppcn
from ppcn.errors import FileError, UserError
from ppcn.weights import load_weights, read_facts
from ppcn.weights.tensorflow import import_checkpoint

SAMPLE = ROOT / "data/sample"
IMPORT = "convert it with 'ppcn-pipeline import-checkpoint {} --network NETWORK --out"


class Bomb:
    """A pickle that writes a file where it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def write(path: Path) -> None:
    """A file of another program, by its suffix."""
    state = fresh("ppcn_student").state_dict()
    if path.suffix in (".pth", ".ckpt"):
        torch.save({**state, "bomb": Bomb(path.with_name("exploded"))}, path)
    elif path.suffix == ".pt":
        torch.save(state, path, _use_new_zipfile_serialization=False)
    elif path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(Bomb(path.with_name("exploded"))))
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["conv/kernel"] = np.zeros(3)
    elif path.suffix == ".lfs":
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    else:
        path.write_bytes(b"\x0a\x86\x01" * 30)


KINDS = [
    ("w.pth", "pickled by PyTorch, which is not read .* ppcn.weights.save_weights"),
    ("w.pt", "pickled by PyTorch"),
    ("w.ckpt", "pickled by PyTorch"),
    ("w.pkl", "pickled by PyTorch"),
    ("w.h5", r"HDF5, as Keras has weights, .* numpy\.savez"),
    ("frozen.pb", "a graph of TensorFlow, .* import the checkpoint"),
    ("lonely.meta", "a graph of TensorFlow, .* import the checkpoint"),
    ("w.ONNX", r"a model that was exported; name the \.safetensors"),
    ("w.lfs", "a pointer of Git LFS; .* 'git lfs pull'"),
]


@pytest.mark.parametrize(("name", "sentence"), KINDS)
def test_other_programs_files_are_named(tmp_path: Path, name: str, sentence: str) -> None:
    write(tmp_path / name)
    for read in (load_weights, read_facts, lambda path: import_checkpoint(path, "ppcn_student")):
        with pytest.raises(UserError, match=f"{name}: {sentence}"):
            read(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_the_kind_is_told_by_the_content(tmp_path: Path) -> None:
    """Whatever the name says."""
    write(tmp_path / "w.pth")
    (tmp_path / "w.pth").rename(tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=r"w\.safetensors: pickled by PyTorch"):
        ppcn.enhance(np.zeros((8, 8, 3), np.uint8), weights=tmp_path / "w.safetensors")
    shutil.copy(ROOT / "ppcn/weights/any.safetensors", tmp_path / "any.pth")
    assert load_weights(tmp_path / "any.pth")[1]["network"] == "ppcn_teacher"
    (tmp_path / "cut.pth").write_bytes(b"PK\3\4")
    with pytest.raises(FileError, match=r"cut\.pth: damaged weights file"):
        load_weights(tmp_path / "cut.pth")


def test_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="a folder; name a weights file"):
        load_weights(tmp_path)
    for name in ("a", "b"):
        shutil.copy(ROOT / "tests/data/student.index", tmp_path / f"{name}.index")
    with pytest.raises(UserError, match="holds 2 checkpoints; name one of them"):
        load_weights(tmp_path)


@pytest.mark.parametrize(
    "source", ["student", "student.index", "student.data-00000-of-00001", "student-v1"]
)
def test_checkpoints_of_tensorflow_get_the_command(tmp_path: Path, source: str) -> None:
    for path in (ROOT / "tests/data").glob("student*"):
        shutil.copy(path, tmp_path)
    (tmp_path / "student.meta").write_bytes(b"\x0a\x86\x01")
    last = refusal(tmp_path, "export", "--format=onnx", "--out=m.onnx", f"--weights={source}")
    assert f"{source}: a checkpoint of TensorFlow, no weights file yet; " in last
    assert IMPORT.format(source) in last


COMMANDS = [
    ("export", "--format=onnx", "--out=m.onnx"),
    ("benchmark",),
    ("score-enhancement", f"--phone-dir={SAMPLE}", f"--dslr-dir={SAMPLE}", "--json=j"),
    ("score-sr", f"--hr-dir={SAMPLE}", "--json=j"),
    ("evaluate-sr",),
    ("enhance", SAMPLE, "--out=o"),
    ("upscale", SAMPLE, "--out=o"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_says_so(command: tuple[object, ...], tmp_path: Path) -> None:
    write(tmp_path / "w.pth")
    np.savez(tmp_path / "v.npz", w=np.zeros(3))
    # Those that take networks of other programs read tensors, and nothing else, of such a file.
    takes_others = command[0] in ("upscale", "score-sr")
    sentence = "w.pth: holds " if takes_others else "w.pth: pickled by PyTorch"
    assert sentence in refusal(tmp_path, *command, "--weights=w.pth")
    last = refusal(tmp_path, *command, "--weights=v.npz")
    assert f"v.npz: arrays of NumPy, no weights file yet; {IMPORT.format('v.npz')}" in last
    assert {path.name for path in tmp_path.iterdir()} == {"w.pth", "v.npz"}
