import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, edit_yaml

from ppcn.errors import FileError
from ppcn.params import Params
from ppcn.report.blocks import Facts, Table
from ppcn.report.provenance import changed_table, default_values, lock_table, merged, revision


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with code and the project's parameters, committed."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "ppcn").mkdir()
    (tmp_path / "ppcn/code.py").write_text("")
    _git(tmp_path, "init", "-q")
    _commit(tmp_path)
    return tmp_path


def _git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True)


def _commit(folder: Path) -> None:
    _git(folder, "add", "-A")
    _git(folder, "commit", "-qm", "x")


def test_only_code_and_parameters_change_the_revision(repository: Path) -> None:
    first = revision(repository)
    (repository / "dvc.lock").write_text("a lock")
    assert revision(repository) == first
    _commit(repository)
    assert revision(repository) == first
    (repository / "ppcn/code.py").write_text("1")
    assert revision(repository) == f"{first}, with changes"
    _commit(repository)
    assert revision(repository) != first
    assert "changes" not in revision(repository)


def test_without_git_the_revision_is_unknown(tmp_path: Path) -> None:
    assert revision(tmp_path) == "unknown: no git repository here"
    assert default_values(tmp_path) == {}
    table = changed_table({"seed": 1}, {})
    assert isinstance(table, Facts)
    assert table.items[0][0] == "unknown"


def test_changed_parameters_are_listed_beside_the_default(repository: Path) -> None:
    path = repository / "params.yaml"
    committed = Params.load(path).model_dump(mode="json")
    unchanged = changed_table(committed, default_values(repository))
    assert isinstance(unchanged, Facts)
    assert unchanged.items[0][0] == "none"
    edit_yaml(path, {"loss.kd_weight": 0, "phones.pixel": None, "teacher.learning_rate": 2e-3})
    usual = default_values(repository)
    table = changed_table(Params.load(path).model_dump(mode="json"), usual)
    assert isinstance(table, Table)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["teacher.learning_rate"] == ["0.002", "0.01"]
    assert rows["loss.kd_weight"][0] == "0"
    assert set(rows) == {"teacher.learning_rate", "loss.kd_weight", "phones.pixel"}


def test_another_scale_differs_though_it_was_committed(repository: Path) -> None:
    (repository / "scales").mkdir()
    (repository / "scales/sample.yaml").write_text("teacher:\n  steps: 900\n")
    edit_yaml(repository / "params.yaml", {"teacher.steps": 20_000})
    _commit(repository)
    values = Params.load(repository / "params.yaml").model_dump(mode="json")
    table = changed_table(values, default_values(repository))
    assert isinstance(table, Table)
    assert table.rows == [["teacher.steps", "20000", "900"]]


def test_merging_changes_only_what_is_named() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 4}, "d": {"e": 5}}) == {
        "a": {"b": 4, "c": 2},
        "d": {"e": 5},
    }


def test_the_lock_s_digests_are_those_of_the_page_s_inputs(tmp_path: Path) -> None:
    table = lock_table(ROOT / "dvc.lock", [Path("data/aligned"), Path("metrics")])
    assert table
    paths = [row[0] for row in table.rows]
    assert "data/aligned/iphone.h5" in paths
    assert "metrics/evaluate/sr.json" in paths
    assert not [path for path in paths if path.startswith(("report", "data/models"))]
    assert all(len(row[2].removesuffix(".dir")) == 32 for row in table.rows)
    assert lock_table(tmp_path / "dvc.lock", []) is None
    (tmp_path / "dvc.lock").write_text("stages: [1]\n")
    with pytest.raises(FileError, match=r"dvc\.lock: not a lock file"):
        lock_table(tmp_path / "dvc.lock", [])
