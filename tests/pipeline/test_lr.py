"""LR as cameras record it, and photos that training must not contain."""

import io
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import PARAMS, edit_yaml, refusal, run
from PIL import Image

from ppcn.dataset.lr_maker import LRMaker
from ppcn.params import Params
from ppcn.photos.resize import shrink
from ppcn.rig.camera import light_of


@pytest.fixture
def photos(tmp_path: Path, scene: np.ndarray) -> Path:
    """Two scenes to train on, one to hold out, and parameters."""
    for name, part in {
        "train/a": scene[:400, :600],
        "train/b": scene[400:, :600],
        "valid/c": scene[:400, 600:],
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(part).save(tmp_path / f"{name}.png")
    changes = {"sr.reduce": 1, "sr.hr_train": "train", "sr.hr_valid": "valid", "sr.lr": "camera"}
    (tmp_path / "params.yaml").write_text(PARAMS.read_text())
    edit_yaml(tmp_path / "params.yaml", changes)
    return tmp_path


def read(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HR and LR crops, and the held-out LR photo."""
    with h5py.File(folder / "train.h5") as train, h5py.File(folder / "valid.h5") as valid:
        assert train.attrs["lr"] == valid.attrs["lr"] == "camera"
        return train["hr"][()], train["lr"][()], valid["c"]["lr"][()]


def test_cameras_blur_and_compress_and_keep_colours(photos: Path) -> None:
    done = run(photos, "lr", "--out", "one")
    assert done.returncode == 0, done.stderr
    assert json.loads((photos / "metrics/lr/photos.json").read_text())["lr"] == "camera"
    hr, lr, held_out = read(photos / "one")
    bicubic = np.stack([shrink(crop) for crop in hr])
    same = (lr == bicubic).all(axis=(1, 2, 3))
    assert 0 < same.sum() < len(lr) / 2
    changed = np.abs(lr[~same].astype(int) - bicubic[~same]).mean(axis=(1, 2, 3))
    assert changed.min() > 0.3
    # Lenses blur light, whose mean stays; that of the values of files rises a little.
    light, before = (light_of(images).mean(axis=(1, 2)) for images in (lr, bicubic))
    assert np.abs(light - before).max() < 0.01
    edit_yaml(photos / "params.yaml", {"seed": 99})
    assert run(photos, "lr", "--out", "two").returncode == 0
    _, other, again = read(photos / "two")
    assert np.array_equal(held_out, again)
    assert not np.array_equal(lr, other)


def test_every_crop_has_a_camera_of_its_own(params: Params, scene: np.ndarray) -> None:
    sr = params.sr.model_copy(update={"lr": "camera"})
    maker, hr = LRMaker(sr, 3), scene[:192, :192]
    made = {maker.train(hr, "a", str(number)).tobytes() for number in range(12)}
    assert 8 < len(made) <= 12
    assert maker.train(hr, "a", "5").tobytes() == maker.train(hr, "a", "5").tobytes()
    assert np.array_equal(LRMaker(params.sr, 3).train(hr, "a"), shrink(hr))


def test_photos_of_excluded_folders_are_found_as_crops_and_copies(
    photos: Path, scene: np.ndarray
) -> None:
    """A crop and a small, poor copy of one photo of the test set lie among those to train on."""
    (photos / "Set5").mkdir()
    face = scene[420:780, 650:1150]
    Image.fromarray(face).save(photos / "Set5/face.png")
    Image.fromarray(face[40:320, 60:420]).save(photos / "train/crop.png")
    file = io.BytesIO()
    Image.fromarray(face).resize((350, 252)).save(file, "JPEG", quality=40)
    (photos / "train/copy.jpg").write_bytes(file.getvalue())
    edit_yaml(photos / "params.yaml", {"sr.exclude": ["Set5"], "sr.lr": "bicubic"})
    done = run(photos, "lr")
    assert done.returncode == 0, done.stderr
    reason = "shows the same as Set5/face.png, which sr.exclude keeps out of training"
    for name in ("crop.png", "copy.jpg"):
        assert f"left out train/{name}: {reason}" in done.stdout
    facts = json.loads((photos / "metrics/lr/photos.json").read_text())
    assert list(facts["crops_by_photo"]) == ["a", "b"]
    assert "lr" not in facts
    # Where photos are split by sr.test, too.
    edit_yaml(photos / "params.yaml", {"sr.hr_valid": "train", "sr.test": ["a"]})
    done = run(photos, "lr")
    assert f"left out train/crop.png: {reason}" in done.stdout, done.stderr
    edit_yaml(photos / "params.yaml", {"sr.exclude": ["Set4"]})
    before = (photos / "data/sr/train.h5").read_bytes()
    assert "sr.exclude: Set4: no such folder" in refusal(photos, "lr")
    assert (photos / "data/sr/train.h5").read_bytes() == before


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("blur", [1, 0], "sr.camera.blur: the lower bound 1.0 exceeds the upper 0.0"),
        ("jpeg_quality", [0, 90], "jpeg_quality"),
        ("cast", 0.1, "unknown parameter 'sr.camera.cast'"),
    ],
)
def test_bounds_that_no_camera_has_are_refused(
    photos: Path, key: str, value: object, sentence: str
) -> None:
    edit_yaml(photos / "params.yaml", {f"sr.camera.{key}": value})
    assert sentence in refusal(photos, "lr")
