import json
import shutil
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from conftest import TINY, edit_yaml, refusal, run, sample_params

from ppcn.dataset.patch_set import Patch, PatchWriter
from ppcn.dataset.splits import TEST, TRAIN, VALIDATION
from ppcn.files.artifacts import create_hdf5
from ppcn.photos.decode import read_photo, write_photo

SIDE = 48


def _write_pairs(path: Path, scene: np.ndarray, scale: int) -> None:
    """A patch set of six patches of each split."""
    large = scale * SIDE
    path.parent.mkdir(parents=True, exist_ok=True)
    with create_hdf5(path, {"phone": "near"}) as file:
        writer = PatchWriter(file, ["a", "b", "c"], SIDE, scale)
        for split in (TRAIN, VALIDATION, TEST):
            patches = []
            for number in range(6):
                x = number * large
                reference = scene[split * large : (split + 1) * large, x : x + large]
                phone = cv2.resize(reference, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
                patches.append(Patch(phone, reference, (number * SIDE, 0), (0.0, 0.0), 0.0, 1.0))
            writer.add(split, split, patches)


@pytest.fixture
def folder(tmp_path: Path, scene: np.ndarray) -> Path:
    _write_pairs(tmp_path / "pairs.h5", scene, 3)
    edit_yaml(sample_params(tmp_path), {**TINY, "sr.train_crop": 96})
    return tmp_path


def test_real_pairs_are_trained_on_and_scored(folder: Path) -> None:
    assert run(folder, "lr", "--pairs", "pairs.h5").returncode == 0
    facts = json.loads((folder / "metrics/lr/photos.json").read_text())
    assert (facts["scale"], facts["crops"], facts["lr"]) == (3, 6, "phone")
    assert facts["held_out_patches"] == {"validation": 6, "test": 6}
    with h5py.File(folder / "data/sr/train.h5") as train, h5py.File(folder / "pairs.h5") as pairs:
        assert np.array_equal(train["lr"], pairs["phone"][:6])
        assert np.array_equal(train["hr"], pairs["dslr"][:6])
    assert run(folder, "sr").returncode == 0
    edit_yaml(folder / "params.yaml", {"sr.lr": "bicubic"})
    assert run(folder, "lr", "--pairs", "pairs.h5", "--out", "bicubic").returncode == 0
    with h5py.File(folder / "bicubic/train.h5") as train, h5py.File(folder / "pairs.h5") as pairs:
        assert not np.array_equal(train["lr"], pairs["phone"][:6])
    with h5py.File(folder / "bicubic/valid.h5") as valid, h5py.File(folder / "pairs.h5") as pairs:
        # What is scored is what the phone recorded, whatever was trained on.
        assert np.array_equal(sorted(valid.items())[-1][1]["lr"], pairs["phone"][17])
    sets = ("--train", "bicubic/train.h5", "--valid", "bicubic/valid.h5")
    assert run(folder, "sr", *sets, "--out", "on-bicubic.safetensors").returncode == 0
    done = run(folder, "evaluate-sr", "--also", "on-bicubic.safetensors")
    assert done.returncode == 0, done.stderr
    scores = json.loads((folder / "metrics/evaluate/sr.json").read_text())
    assert scores["protocol"] == "sr_y_shave3"
    assert scores["images"] == 6
    assert {"bicubic", "ppcn_sr", "on-bicubic"} <= scores.keys()
    shutil.copy(folder / "on-bicubic.safetensors", folder / "bicubic.safetensors")
    clash = refusal(folder, "evaluate-sr", "--also", "bicubic.safetensors")
    assert "another row is called bicubic" in clash
    assert len(list((folder / "data/pictures/sr").iterdir())) == 6


def test_another_network_is_a_parameter(folder: Path, scene: np.ndarray) -> None:
    _write_pairs(folder / "pairs.h5", scene, 4)
    edit_yaml(folder / "params.yaml", {"sr.network": "plain_sr"})
    for command in (("lr", "--pairs", "pairs.h5"), ("sr",), ("evaluate-sr",)):
        done = run(folder, *command)
        assert done.returncode == 0, done.stderr
    assert (folder / "data/models/sr/plain_sr.safetensors").is_file()
    assert "plain_sr" in json.loads((folder / "metrics/evaluate/sr.json").read_text())


def test_weights_enlarge_by_the_scale_they_were_trained_for(
    folder: Path, scene: np.ndarray
) -> None:
    assert run(folder, "lr", "--pairs", "pairs.h5").returncode == 0
    assert run(folder, "sr").returncode == 0
    weights = "data/models/sr/ppcn_sr.safetensors"
    write_photo(folder / "photo.png", scene[:90, :121])
    done = run(folder, "upscale", "photo.png", "--weights", weights, "--out", "large")
    assert done.returncode == 0, done.stderr
    large = read_photo(folder / "large/photo.png")
    assert large.shape == (270, 363, 3)
    (folder / "set").mkdir()
    write_photo(folder / "set/photo.png", scene[:90, :121])
    scoring = ("score-sr", "--weights", weights, "--hr-dir", "set", "--json", "scores.json")
    assert run(folder, *scoring).returncode == 0
    assert json.loads((folder / "scores.json").read_text())["protocol"] == "sr_y_shave3"


def test_sets_that_do_not_fit_are_refused(folder: Path, scene: np.ndarray) -> None:
    _write_pairs(folder / "equal.h5", scene, 1)
    _write_pairs(folder / "data/patches/near.h5", scene, 3)
    _write_pairs(folder / "twice.h5", scene, 2)
    assert "equal.h5: its patches are of one size" in refusal(folder, "lr", "--pairs", "equal.h5")
    both = refusal(folder, "lr", "--hr-train", "pairs.h5")
    assert "name patch sets for both or folders for both" in both
    mixed = refusal(folder, "lr", "--hr-train", "pairs.h5", "--hr-valid", "twice.h5")
    assert "twice.h5: is of scale 2, pairs.h5 of 3" in mixed
    missing = refusal(folder, "lr", "--pairs", "data/patches/iphone.h5")
    assert missing.endswith("no such file; make it with 'ppcn-pipeline patches --phone iphone'")
    assert "--pairs data: is a folder" in refusal(folder, "lr", "--pairs", "data")
    assert not (folder / "data/sr").exists() or not list((folder / "data/sr").iterdir())
    assert run(folder, "lr", "--pairs", "pairs.h5").returncode == 0
    edit_yaml(folder / "params.yaml", {"sr.train_crop": 64})
    assert "train_crop (64) is no multiple of the scale" in refusal(folder, "sr")
    other = refusal(folder, "evaluate-sr", "--weights", "ppcn_sr")
    assert "enlarges x4, the photos of data/sr/valid.h5 are of scale 3" in other
    wrong = refusal(folder, "evaluate-sr", "--weights", "any-student")
    assert "holds ppcn_student, which does not enlarge photos" in wrong


def test_enhancement_refuses_larger_patches(
    folder: Path, scene: np.ndarray, vgg_file: Path
) -> None:
    message = refusal(
        folder, "teacher", "--phone", "iphone", "--patches", "pairs.h5", "--features", str(vgg_file)
    )
    assert "pairs.h5: holds pairs for super-resolution, cut at patches.scale 3" in message
