import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.cli.hints import with_hint
from ppcn.errors import FileKind, UserError
from ppcn.files.artifacts import create_hdf5, open_hdf5, read_json, replacing, write_csv, write_json


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_hdf5_file_never_appears(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), create_hdf5(tmp_path / "a.h5", {}) as file:
        file["x"] = np.arange(3)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_complete_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(UserError, match="unfinished"):
        open_hdf5(tmp_path / "a.h5", FileKind.PATCH_SET).__enter__()


@pytest.mark.parametrize("content", [None, b"no hdf5"])
def test_a_missing_or_foreign_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content:
        (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.h5: (no such file|not a readable HDF5 file)"):
        open_hdf5(tmp_path / "a.h5", FileKind.PATCH_SET).__enter__()


def test_a_file_that_another_process_writes_is_not_to_be_remade(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with create_hdf5(path, {}):
        pass
    program = "import h5py, sys; f = h5py.File(sys.argv[1], 'a'); print(flush=True); input()"
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout and writer.stdout.readline()
        with pytest.raises(UserError) as error:
            open_hdf5(path, FileKind.PATCH_SET).__enter__()
        writer.communicate(b"\n")
    assert str(error.value).startswith(f"{path}: in use by another process")
    assert "remake" not in with_hint(error.value)


def test_the_same_contents_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        with create_hdf5(tmp_path / name, {"params": {"x": 1.5}, "phone": "p"}) as file:
            group = file.create_group("g")
            group["x"] = np.arange(5)
            group.attrs["status"] = "ok"
            file.create_dataset("rows", (0, 2), float, maxshape=(None, 2)).resize(3, axis=0)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_metrics_are_rounded_and_infinity_becomes_null(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    write_json(path, {"a": {"psnr": np.float64(1 / 3)}, "b": float("inf"), "n": np.int64(3)})
    assert read_json(path) == {"a": {"psnr": 0.333333}, "b": None, "n": 3}


def test_a_table_holds_the_union_of_columns(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25, "kd": 3.0}])
    assert (tmp_path / "t.csv").read_text() == "step,loss,kd\n1,0.5,\n2,0.25,3\n"


def test_an_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"m\.json: could not be written"):
        write_json(tmp_path / "file" / "m.json", {})
