"""`align` and `patches` do what a person decided about pairs."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import edit_yaml, refusal, render_rig, run

from ppcn.dataset.alignment_set import open_alignments
from ppcn.dataset.patch_set import open_patches
from ppcn.registration.pair_gates import RejectionReason

SCENES = ("canyon-wren", "casa-mila", "lake-sherburne", "perched-osprey")
HEADER = "stem,verdict,points\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered photos of four scenes and their alignments; tests only read them."""
    folder = tmp_path_factory.mktemp("rig")
    render_rig(folder, SCENES)
    assert run(folder, "align", "--phone=iphone", "--workers=1").returncode == 0
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A folder to run in, with parameters of its own."""
    shutil.copy(made / "params.yaml", tmp_path)
    return tmp_path


def decide(folder: Path, text: str) -> None:
    path = folder / "data/decisions/iphone.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + text)


def align(folder: Path, made: Path) -> tuple[str, dict]:
    done = run(folder, "align", "--phone=iphone", "--workers=1", f"--root={made}/data/rig")
    assert done.returncode == 0, done
    return done.stdout, json.loads((folder / "metrics/align/iphone.json").read_text())


def true_points(made: Path, stem: str) -> str:
    """Four points of a pair and where they truly lie on the reference photo, a px off."""
    with h5py.File(made / "data/rig/truth.h5") as truth:
        at, to = (truth[f"iphone/{stem}/{name}"][()] for name in ("phone_xy", "reference_xy"))
    rows, columns = np.array([4, 4, -5, -5]), np.array([5, -6, -6, 5])
    points = np.concatenate((at[rows, columns], to[rows, columns] + 1), axis=1)
    return "; ".join(" ".join(f"{value:.2f}" for value in point) for point in points)


def test_align_accepts_rejects_and_names_what_it_does_not_know(made: Path, folder: Path) -> None:
    edit_yaml(folder / "params.yaml", {"align.min_overlap": 0.99})
    decide(
        folder, "casa-mila,accept,\nCanyon-Wren,accept,\nlake-sherburne,reject,\nghost,reject,\n"
    )
    printed, metrics = align(folder, made)
    assert "1 stems of no pair: ghost" in printed
    assert (
        "1 pairs rejected by hand, 2 accepted that would have been rejected, 0 aligned" in printed
    )
    assert "rejected lake-sherburne: rejected by hand" in printed
    assert metrics["decisions"] == {
        "rejected": 1,
        "accepted": 2,
        "from_points": 0,
        "without_effect": 0,
    }
    with open_alignments(folder / "data/aligned/iphone.h5") as alignments:
        assert alignments.aligned == ["canyon-wren", "casa-mila"]
        rejections = alignments.rejections
        by_hand = rejections["lake-sherburne"]
        assert by_hand and by_hand.reason is RejectionReason.BY_HAND
        assert alignments["lake-sherburne"].inliers > 0
        by_gate = rejections["perched-osprey"]
        assert by_gate and by_gate.reason is RejectionReason.SMALL_OVERLAP


def test_align_takes_points_and_accepting_helps_no_unfinished_pair(
    made: Path, folder: Path
) -> None:
    edit_yaml(folder / "params.yaml", {"align.min_coverage": 0.999})
    decide(folder, f"casa-mila,accept,\ncanyon-wren,points,{true_points(made, 'canyon-wren')}\n")
    printed, metrics = align(folder, made)
    assert "1 aligned from points; 1 decisions changed nothing" in printed
    assert metrics["aligned"] == 1
    with open_alignments(folder / "data/aligned/iphone.h5") as alignments:
        assert alignments.aligned == ["canyon-wren"]


def test_points_of_no_use_reject_their_pair_alone(made: Path, folder: Path) -> None:
    decide(folder, "casa-mila,points,1 1 1 1; 2 2 2 2; 300 300 300 300; 400 1 400 1\n")
    printed, metrics = align(folder, made)
    assert "rejected casa-mila: points 1 and 2 are one place of the phone's photo" in printed
    assert metrics["aligned"] == 3


def test_without_decisions_metrics_say_nothing_of_them(made: Path) -> None:
    assert "decisions" not in json.loads((made / "metrics/align/iphone.json").read_text())


def test_patches_leave_out_what_was_rejected_without_aligning_again(
    made: Path, folder: Path
) -> None:
    decide(folder, "perched-osprey,reject,\nghost,reject,\n")
    aligned = made / "data/aligned/iphone.h5"
    common = ("patches", "--phone=iphone", "--workers=1", f"--root={made}/data/rig")
    done = run(folder, *common, f"--aligned={aligned}")
    assert done.returncode == 0, done
    assert "left out perched-osprey: rejected by hand" in done.stdout
    assert "1 stems of no pair: ghost" in done.stdout
    with open_patches(folder / "data/patches/iphone.h5") as patches:
        assert sorted(patches.stems) == ["canyon-wren", "casa-mila", "lake-sherburne"]
    decide(folder, "".join(f"{scene},reject,\n" for scene in SCENES))
    assert "rejects every aligned pair" in refusal(folder, *common, f"--aligned={aligned}")


def test_a_damaged_file_stops_both_before_the_work(made: Path, folder: Path) -> None:
    decide(folder, "casa-mila,perhaps,\n")
    for stage in ("align", "patches"):
        sentence = refusal(folder, stage, "--phone=iphone", f"--root={made}/data/rig")
        assert "data/decisions/iphone.csv, line 2: the verdict 'perhaps'" in sentence


def test_a_pair_is_explained_as_was_decided(made: Path, folder: Path) -> None:
    asked = ("align", "--phone=iphone", f"--root={made}/data/rig", "--explain=casa-mila")
    decide(folder, "casa-mila,reject,\n")
    assert "casa-mila: rejected by hand" in run(folder, *asked).stdout
    decide(folder, f"casa-mila,points,{true_points(made, 'casa-mila')}\n")
    assert "casa-mila: ok" in run(folder, *asked).stdout
