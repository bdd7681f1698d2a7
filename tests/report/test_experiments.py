"""Experiments side by side, saved by DVC itself, whose every command takes seconds."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, edit_yaml, refusal, run
from small_run import make_run, write_log

from ppcn.files.artifacts import read_json, write_json
from ppcn.report.experiments import open_experiments, parameter_table
from ppcn.weights import load_weights, save_weights

pytestmark = pytest.mark.slow
WEIGHTS = "data/models/student/iphone.safetensors"
PIPELINE = f"""
stages:
  student:
    cmd: python -c pass
    params: [loss]
    outs:
      - {WEIGHTS}
    metrics:
      - metrics/evaluate/iphone.json: {{cache: false}}
      - metrics/evaluate/sr.json: {{cache: false}}
      - metrics/student/iphone.csv: {{cache: false}}
"""


def _do(folder: Path, *command: str) -> None:
    program = [sys.executable, "-m", "dvc"] if command[0] == "dvc" else ["git"]
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"] if command[0] == "git" else []
    full = [*program, *who, *command[1:]]
    done = subprocess.run(full, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _save(folder: Path, name: str, kd_weight: float, psnr: float) -> None:
    """Another experiment: a parameter, weights and scores."""
    edit_yaml(folder / "params.yaml", {"loss.kd_weight": kd_weight})
    network, _ = load_weights(folder / WEIGHTS)
    next(network.parameters()).data += kd_weight / 1000
    (folder / WEIGHTS).unlink()
    save_weights(folder / WEIGHTS, "ppcn_student", network, {})
    scores = read_json(folder / "metrics/evaluate/iphone.json")
    scores["student"]["psnr"] = psnr
    write_json(folder / "metrics/evaluate/iphone.json", scores)
    write_log(folder / "metrics/student/iphone.csv", psnr)
    _do(folder, "dvc", "exp", "save", "-f", "-n", name)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of DVC with the experiments `less` and `more`."""
    folder = tmp_path_factory.mktemp("project")
    make_run(folder)
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / ".gitignore").write_text("/data\n/report\n")
    _do(folder, "git", "init", "-q")
    # What git is told for one command only DVC would not hear.
    with (folder / ".git/config").open("a") as file:
        file.write("[user]\n\tname = a\n\temail = a@b.c\n")
    _do(folder, "dvc", "init", "-q")
    _do(folder, "dvc", "commit", "-f", "-q")
    _do(folder, "git", "add", "-A")
    _do(folder, "git", "commit", "-qm", "first")
    _save(folder, "less", 10, 21.25)
    _save(folder, "more", 300, 23.75)
    return folder


def test_experiments_are_shown_beside_what_they_began_from(project: Path) -> None:
    done = run(project, "report", "--experiments", "less", "more")
    assert done.returncode == 0, done.stderr
    page = (project / "report/experiments.html").read_text()
    for text in ("loss.kd_weight", "21.25", "23.75", "student of less", "student of more"):
        assert text in page, text
    # The phone, three students, the better camera, of every photo a picture each.
    layers = re.findall(r'<figure class="slider".*?</figure>', page, re.DOTALL)
    assert layers
    for slider in layers:
        uris = re.findall(r'<img src="([^"]+)"', slider)
        assert len(uris) == len(set(uris)) == 5
    # The baseline's curve, and one of each experiment.
    chart = re.search(r'<figure class="chart">.*?PSNR.*?</figure>', page, re.DOTALL)
    assert chart and chart[0].count("<polyline") == 3
    assert not (project / "report/index.html").exists()


def test_only_what_differs_is_listed(project: Path) -> None:
    experiments = open_experiments(["more", "less"], project)
    assert [each.name for each in experiments][1:] == ["more", "less"]
    assert re.fullmatch(r"baseline [0-9a-f]{7}", experiments[0].name)
    table = parameter_table(experiments)
    assert [row[0] for row in table.rows] == ["loss.kd_weight"]
    assert table.rows[0][2:] == ["300", "10"]


def test_a_name_that_is_no_experiment_is_refused_with_the_nearest(project: Path) -> None:
    sentence = refusal(project, "report", "--experiments", "less", "mroe")
    assert sentence.endswith("'mroe' is no experiment; the nearest is 'more'")


def test_without_dvc_there_are_no_experiments(tmp_path: Path, project: Path) -> None:
    shutil.copy(project / "params.yaml", tmp_path)
    assert "no repository of DVC" in refusal(tmp_path, "report", "--experiments", "less")


def test_weights_that_the_cache_has_not_are_said_to_be_missing(
    project: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(project, folder, symlinks=True)
    (lost,) = open_experiments(["less"], folder)[1:]
    place = lost.cached(WEIGHTS)
    assert place
    place.chmod(0o644)
    place.unlink()
    assert run(folder, "report", "--experiments", "less").returncode == 0
    page = (folder / "report/experiments.html").read_text()
    assert "The cache does not have the weights of less." in page
    assert "student of less" not in page
