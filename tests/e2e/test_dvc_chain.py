"""The chain that dvc.yaml describes, run by DVC on a small copy of the project."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PARAMS, ROOT, TINY, edit_yaml
from ruamel.yaml import YAML

from ppcn.weights import load_weights

# One worker runs them all, in the one folder.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("project")]

STAGES = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
MODELS = "data/models/baseline/iphone"


class Project:
    """A copy of this project in a folder of its own, under git and DVC, with small parameters."""

    def __init__(self, folder: Path, vgg_file: Path) -> None:
        self.folder = folder
        binaries = Path(sys.executable).parent
        self.environment = {
            **os.environ,
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder),
            "COLUMNS": "300",
        }
        tracked = ["dvc.yaml", ".dvc/config", ".dvc/.gitignore", ".dvcignore"]
        tracked += [".gitignore", "data/decisions", "pipeline", "ppcn", "tables/dvc.yaml"]
        for name in tracked:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / name, folder / name)
        (folder / "data/sample").mkdir(parents=True, exist_ok=True)
        for scene in ("canyon-wren", "casa-mila", "lake-sherburne", "perched-osprey"):
            shutil.copy(ROOT / f"data/sample/{scene}.jpg", folder / "data/sample")
        digest = hashlib.sha256(vgg_file.read_bytes()).hexdigest()
        own = {"features.source": "file", "features.path": str(vgg_file), "features.sha256": digest}
        shutil.copy(PARAMS, folder)
        edit_yaml(folder / "params.yaml", {**TINY, **own})
        self.do("git", "init", "-q")
        self.do("git", "config", "user.email", "someone@example.org")
        self.do("git", "config", "user.name", "Someone")
        self.do("git", "add", "-A")
        self.do("git", "commit", "-qm", "start")

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )

    def do(self, *command: str) -> str:
        """Run a command that must succeed; returns what it printed."""
        done = self.call(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def stages_run(self, output: str) -> set[str]:
        lines = [line for line in output.splitlines() if line.startswith("Running stage")]
        return {line.split("'")[1] for line in lines}

    def metrics(self, name: str) -> dict:
        return json.loads((self.folder / "metrics" / name).read_text())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, vgg_file: Path) -> Project:
    """The chain after its first `dvc repro`, committed."""
    made = Project(tmp_path_factory.mktemp("project"), vgg_file)
    output = made.do("dvc", "repro")
    phone = {"align", "patches", "accuracy", "teacher", "student", "evaluate"}
    assert made.stages_run(output) == {s + "@iphone" if s in phone else s for s in STAGES}
    made.do("git", "add", "-A")
    made.do("git", "commit", "-qm", "first run")
    return made


def test_the_chain_writes_tables_that_name_their_protocol(project: Project) -> None:
    scores = project.metrics("evaluate/iphone.json")
    assert scores["protocol"] == "pirm2018"
    assert scores["test_photos"] == 1
    assert scores["features"]["source"] == "file"
    assert set(scores["do_nothing"]) == {"psnr", "ssim", "ms_ssim"}
    assert set(scores["sha256"]) == {"patches", "teacher", "student", "aligned"}
    assert scores["photo"]["images"] == scores["images"]
    assert project.metrics("accuracy/iphone.json")["crop_error_px"]["median"] < 1
    page = (project.folder / "report/index.html").read_text()
    for text in ("pirm2018", "sr_y_shave4", "do nothing", "loss.kd_weight", "data-values="):
        assert text in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert not project.do("git", "status", "--porcelain").strip()


def test_nothing_runs_twice(project: Project) -> None:
    assert "up to date" in project.do("dvc", "repro")
    output = project.do("dvc", "exp", "run", "-S", "loss.kd_weight=75")
    assert not project.stages_run(output)


def test_experiments_run_what_changed_and_are_compared(project: Project) -> None:
    try:
        output = project.do("dvc", "exp", "run", "-n", "without-kd", "-S", "loss.kd_weight=0")
        assert project.stages_run(output) == {"student@iphone", "evaluate@iphone", "report"}
        table = project.do("dvc", "exp", "show", "--csv")
        assert "without-kd" in table
        assert "loss.kd_weight" in table
        assert "teacher_gain_db" in table
    finally:
        project.do("git", "checkout", "-q", ".")
        project.do("dvc", "checkout", "--allow-missing")


def test_a_mistyped_parameter_is_refused(project: Project) -> None:
    done = project.call("dvc", "exp", "run", "-S", "loss.kd_wieght=1")
    assert done.returncode != 0
    assert "kd_wieght" in done.stderr
    try:
        done = project.call("dvc", "exp", "run", "-S", "+loss.kd_wieght=1")
        assert done.returncode != 0
        assert "the nearest known one is 'loss.kd_weight'" in done.stdout + done.stderr
    finally:
        project.do("git", "checkout", "-q", ".")
        project.do("dvc", "checkout", "--allow-missing")


ROWS = {
    "enhancement": ("ppcn_teacher", "mux_normal", "mux_normal_without_noise"),
    "distilled": ("ppcn_student", "student_without_tv"),
    "sr": ("fsrcnn",),
}


def test_the_tables_are_made_on_demand(project: Project) -> None:
    yaml, path = YAML(), project.folder / "params.yaml"
    values = yaml.load(path.read_text())
    for group, kept in ROWS.items():
        for row in set(values["tables"][group]) - set(kept):
            del values["tables"][group][row]
    values["tables"]["repeat"] = {"rows": ["ppcn_student"], "seeds": [15]}
    try:
        with path.open("w") as file:
            yaml.dump(values, file)
        output = project.do("dvc", "repro", "-R", "tables")
        rows = {stage.split("@")[1] for stage in project.stages_run(output) if "@" in stage}
        expected = {row for rows in ROWS.values() for row in rows} | {"enhancement", "sr"}
        assert rows == expected | {"ppcn_student-15"}
        table = project.metrics("tables/enhancement.json")
        assert table["protocol"] == "pirm2018"
        assert list(table["rows"]) == ["do_nothing", *ROWS["enhancement"], *ROWS["distilled"]]
        assert table["ablation"] == {
            "mux_normal": ["mux_normal_without_noise"],
            "ppcn_student": ["student_without_tv"],
        }
        figures = {"psnr", "ms_ssim", "niqe", "parameters", "mac_per_pixel", "cpu_ms", "score_a"}
        assert all(figures <= set(table["rows"][row]) for row in ROWS["enhancement"])
        page = (project.folder / "metrics/tables/enhancement.md").read_text()
        assert "| 22.98 | 0.9235 | 6.00 | 1148 |" in page
        assert "Ablation of the boe loss" in page
        assert "28.42/0.8104" in (project.folder / "metrics/tables/sr.md").read_text()
        repeated = table["rows"]["ppcn_student"]
        assert repeated["seeds"] == [14, 15]
        assert repeated["spread"]["psnr"] > 0
        assert "rank" in repeated
        _, facts = load_weights(project.folder / f"{MODELS}/ppcn_student/15.safetensors")
        assert facts["seed"] == 15
        silent = load_weights(project.folder / f"{MODELS}/mux_normal_without_noise.safetensors")
        assert float(silent[0].noise_deviation) == 0
        assert "up to date" in project.do("dvc", "repro", "-R", "tables")
    finally:
        project.do("git", "checkout", "-q", ".")
        project.do("git", "clean", "-qfd")
        project.do("dvc", "checkout", "--allow-missing")


def _contents(folder: Path) -> dict[Path, tuple[bytes, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_nothing_of_the_users_is_changed_or_deleted(project: Project) -> None:
    """Own photos, own HR photos and imported patches are read, never written."""
    mine, sharp, dped = (project.folder / name for name in ("my/photos", "my/hr", "data/dped"))
    for camera in ("iphone", "canon"):
        shutil.copytree(project.folder / "data/rig" / camera, mine / camera)
    shutil.copytree(project.folder / "data/sample", sharp)
    dped.mkdir()
    shutil.copy(project.folder / "data/patches/iphone.h5", dped)
    before = {folder: _contents(folder) for folder in (mine, sharp, dped)}
    changes = ["data.root=my/photos", "data.patches=data/dped"]
    changes += ["sr.hr_train=my/hr", "sr.hr_valid=my/hr"]
    settings = [word for change in changes for word in ("-S", change)]
    try:
        output = project.do("dvc", "exp", "run", *settings)
        assert {"align@iphone", "patches@iphone", "teacher@iphone", "lr"} <= project.stages_run(
            output
        )
        assert "is unknown" in output
        assert project.metrics("accuracy/iphone.json") == {"truth": "unknown", "pairs": 0}
        project.do("git", "checkout", "-q", ".")
        project.do("dvc", "checkout", "--allow-missing")
        assert {folder: _contents(folder) for folder in before} == before
    finally:
        project.do("git", "checkout", "-q", ".")
        shutil.rmtree(project.folder / "my")
        shutil.rmtree(dped)


def test_photos_put_into_the_rigs_folder_are_not_deleted(project: Project) -> None:
    precious = project.folder / "data/rig/pixel/holiday.jpg"
    precious.parent.mkdir()
    precious.write_bytes(b"the only copy")
    try:
        edit_yaml(project.folder / "params.yaml", {"seed": 2})
        done = project.call("dvc", "repro")
        assert done.returncode != 0
        assert "holiday.jpg: was not made by the rig" in done.stdout + done.stderr
        assert precious.read_bytes() == b"the only copy"
    finally:
        shutil.rmtree(precious.parent, ignore_errors=True)
        project.do("git", "checkout", "-q", ".")
        project.do("dvc", "checkout", "--allow-missing")


def test_curves_can_be_drawn(project: Project) -> None:
    output = project.do("dvc", "plots", "show", "--json")
    assert "failed to load" not in output
    assert "Validation PSNR" in output
    assert "metrics/student/iphone.csv" in output
