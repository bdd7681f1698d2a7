"""Exports are whole or marked as unfinished, and touch no file of another's."""

import json
from pathlib import Path

import pytest

from ppcn.errors import UserError
from ppcn.files.export_folder import MARKER, UNFINISHED, ExportFolder, check_finished


def export(folder: Path, names: list[str]) -> None:
    """One export of a few files."""
    marked = ExportFolder(folder)
    marked.begin(names)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    marked.finish({"phone": "p"}, {name: "digest" for name in names})


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_next_export_replaces_its_own_files_and_no_others(tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(out, ["a/1", "a/2", "b/3"])
    (out / "a/mine").write_text("mine")
    (out / "a/.ppcn-left").write_text("half")
    export(out, ["a/1", "c/4"])
    assert files(out) == {"a/1", "a/mine", "c/4", MARKER}
    assert not (out / "b").exists()
    assert json.loads((out / MARKER).read_text()) == {
        "phone": "p",
        "files": {"a/1": "digest", "c/4": "digest"},
    }


def test_files_of_no_export_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_text("mine")
    with pytest.raises(UserError, match="holds files of no export"):
        ExportFolder(tmp_path)
    with pytest.raises(UserError, match="is a file"):
        ExportFolder(tmp_path / "photo.jpg")
    out = tmp_path / "out"
    export(out, ["a"])
    (out / "b").write_text("mine")
    with pytest.raises(UserError, match="out/b: is of no export"):
        ExportFolder(out).begin(["a", "b"])
    assert (out / MARKER).exists() and (out / "b").read_text() == "mine"


def test_an_interrupted_export_is_not_whole_and_may_be_repeated(tmp_path: Path) -> None:
    export(tmp_path / "out", ["a", "p/b"])
    ExportFolder(tmp_path / "out").begin(["c"])
    assert files(tmp_path / "out") == {"a", "p/b", UNFINISHED}
    for place in ("out", "out/p"):
        with pytest.raises(UserError, match="was interrupted; repeat it"):
            check_finished(tmp_path / place)
    export(tmp_path / "out", ["c"])
    assert files(tmp_path / "out") == {"c", MARKER}
    check_finished(tmp_path / "out")


@pytest.mark.parametrize("listed", [["../mine"], ["/etc/mine"], "a", None])
def test_a_marker_that_lists_files_elsewhere_is_refused(tmp_path: Path, listed: object) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARKER).write_text(json.dumps({"files": listed}))
    with pytest.raises(UserError, match="lists no files of an export"):
        ExportFolder(tmp_path / "out")
