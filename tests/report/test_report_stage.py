"""The report of a small run; rendering, aligning and scoring that once takes most of the time."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import edit_yaml, refusal, run
from small_run import NASTY, make_run

from ppcn.dataset.patch_set import open_patches
from ppcn.report.held_out_pictures import patch_gallery

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make_run(folder)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy that a test may damage."""
    shutil.copytree(made, tmp_path / "run")
    yield tmp_path / "run"


def test_the_page_shows_the_run_and_is_the_same_for_the_same_inputs(folder: Path) -> None:
    done = run(folder, "report")
    assert done.returncode == 0, done.stderr
    first = (folder / "report/index.html").read_bytes()
    page = first.decode()
    scores = json.loads((folder / "metrics/evaluate/iphone.json").read_text())
    for method in ("teacher", "student"):
        assert f"{scores[method]['psnr']:.2f} dB" in page
    assert f"{scores['student_gain_db']:+.2f} dB" in page
    for text in ("pirm2018", "protocol photo", "sr_y_shave4", "loss.kd_weight", "canon, aligned"):
        assert text in page, text
    assert NASTY not in page
    assert page.count('class="slider"') == 1 + scores["test_photos"] + 2
    done = run(folder, "report", "--out", "again.html")
    assert (folder / "again.html").read_bytes() == first


def test_weights_that_were_not_scored_are_refused(folder: Path) -> None:
    path = folder / "metrics/evaluate/iphone.json"
    scores = json.loads(path.read_text())
    scores["sha256"]["student"] = "0" * 64
    path.write_text(json.dumps(scores))
    sentence = refusal(folder, "report")
    assert "metrics/evaluate/iphone.json: has the scores of other weights than" in sentence
    assert "remake it with 'ppcn-pipeline evaluate --phone iphone'" in sentence
    assert not (folder / "report").exists()


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("metrics/evaluate/iphone.json", "evaluate --phone iphone"),
        ("metrics/evaluate/sr.json", "evaluate-sr"),
        ("data/models/student/iphone.safetensors", "student --phone iphone"),
        ("data/models/sr/ppcn_sr.safetensors", "sr"),
        ("data/patches/iphone.h5", "patches --phone iphone"),
        ("data/aligned/iphone.h5", "align --phone iphone"),
        ("data/sr/valid.h5", "lr"),
        ("metrics/teacher/iphone.csv", "teacher --phone iphone"),
    ],
)
def test_what_a_page_lacks_is_named_with_its_command(
    folder: Path, missing: str, command: str
) -> None:
    (folder / missing).unlink()
    sentence = refusal(folder, "report")
    assert missing in sentence
    assert f"make it with 'ppcn-pipeline {command}'" in sentence
    assert not (folder / "report").exists()


def test_a_changed_photo_is_refused_by_name(folder: Path) -> None:
    for photo in (folder / "data/rig/canon").glob("*.jpg"):
        photo.write_bytes(photo.read_bytes() + b"\0")
    assert re.search(r"canon/\S+\.jpg: changed since it was aligned", refusal(folder, "report"))


def test_a_mistyped_parameter_is_refused(folder: Path) -> None:
    edit_yaml(folder / "params.yaml", {"loss.kd_wieght": 1})
    assert "the nearest known one is 'loss.kd_weight'" in refusal(folder, "report")


def test_the_gallery_spans_all_correlations(made: Path) -> None:
    with open_patches(made / "data/patches/iphone.h5") as cut:
        gallery = patch_gallery(cut, {"same": lambda photo: photo / 255}, "canon")
        test = np.sort(cut.ncc[cut.split == 2])
    shown = [float(re.search(r"correlation (\d\.\d+)", caption)[1]) for caption, _ in gallery.rows]
    assert shown == sorted(shown)
    assert [shown[0], shown[-1]] == [round(float(test[0]), 3), round(float(test[-1]), 3)]
    assert gallery.columns == ["phone", "same", "canon"]
    # Without loss, so that a method that changes nothing shows the phone's own pixels.
    assert all(pictures[0].uri == pictures[1].uri for _, pictures in gallery.rows)
