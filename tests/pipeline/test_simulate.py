"""Pairs for cameras of which there are none."""

from pathlib import Path

import numpy as np
import pytest
from conftest import PARAMS, refusal, run
from PIL import Image
from ruamel.yaml import YAML

from ppcn.dataset.patch_set import open_patches
from ppcn.errors import UserError
from ppcn.params import Params


@pytest.fixture
def simulate_params(tmp_path: Path) -> Path:
    values = YAML(typ="safe").load(PARAMS.read_text())
    values["simulate"] |= {"size": 64, "windows": 20, "untouched": 0.4}
    values["simulate"]["split"] = {"validation": ["b"], "test": 0}
    path = tmp_path / "params.yaml"
    YAML().dump(values, path)
    return path


@pytest.fixture
def photos(tmp_path: Path, scene: np.ndarray) -> Path:
    folder = tmp_path / "good"
    folder.mkdir()
    for name, top in (("a", 0), ("b", 400)):
        Image.fromarray(scene[top : top + 400]).save(folder / f"{name}.png")
    Image.fromarray(scene[:50, :300]).save(folder / "narrow.png")
    return folder


def test_pairs_are_good_windows_and_what_poor_cameras_make_of_them(
    tmp_path: Path, photos: Path, simulate_params: Path
) -> None:
    out = tmp_path / "simulated.h5"
    command = ("simulate", "--photos", photos, "--out", out, "--params", simulate_params)
    done = run(tmp_path, *command)
    assert done.returncode == 0, done.stderr
    assert "1 photos are smaller than a window: narrow" in done.stdout
    assert "40 pairs of 2 photos" in done.stdout
    with open_patches(out) as patches:
        recorded, good = patches.read(range(40))
        assert patches.split.tolist() == [0] * 20 + [1] * 20
        assert patches.cameras == {}
        untouched = (recorded == good).all(axis=(1, 2, 3))
    assert 6 <= untouched.sum() <= 26
    differences = np.abs(recorded[~untouched].astype(int) - good[~untouched]).mean(axis=(1, 2, 3))
    assert differences.min() > 1 and differences.max() < 90
    assert good.std(axis=(1, 2, 3)).min() > 3


def test_windows_that_are_not_reduced_hold_the_photos_own_pixels(
    tmp_path: Path, photos: Path, scene: np.ndarray, simulate_params: Path
) -> None:
    values = YAML(typ="safe").load(simulate_params.read_text())
    values["simulate"]["reduce"] = 1
    YAML().dump(values, simulate_params)
    out = tmp_path / "simulated.h5"
    command = ("simulate", "--photos", photos, "--out", out, "--params", simulate_params)
    assert run(tmp_path, *command).returncode == 0
    with open_patches(out) as patches:
        _, good = patches.read(range(20))
        corners = patches.field("xy")[:20]
    for window, (x, y) in zip(good, corners, strict=True):
        assert np.array_equal(window, scene[:400][y : y + 64, x : x + 64])


def test_the_same_pairs_whoever_makes_them(
    tmp_path: Path, photos: Path, simulate_params: Path
) -> None:
    made = []
    for workers in (1, 2):
        out = tmp_path / f"{workers}.h5"
        command = ("simulate", "--photos", photos, "--out", out, "--params", simulate_params)
        assert run(tmp_path, *command, "--workers", workers).returncode == 0
        made.append(out.read_bytes())
    assert made[0] == made[1]


def test_no_photo_is_large_enough(tmp_path: Path, photos: Path, simulate_params: Path) -> None:
    for name in ("a", "b"):
        (photos / f"{name}.png").unlink()
    out = tmp_path / "simulated.h5"
    command = ("simulate", "--photos", photos, "--out", out, "--params", simulate_params)
    values = YAML(typ="safe").load(simulate_params.read_text())
    values["simulate"]["split"]["validation"] = 0
    YAML().dump(values, simulate_params)
    assert "no photo is as large as simulate.size" in refusal(tmp_path, *command)
    assert not out.exists()


@pytest.mark.parametrize(
    ("key", "bounds"), [("blur", [1.3, 0]), ("jpeg_quality", [0, 90]), ("noise_shot", [-1, 0])]
)
def test_bounds_that_no_camera_has_are_refused(key: str, bounds: list[float]) -> None:
    values = YAML(typ="safe").load(PARAMS.read_text())
    values["simulate"][key] = bounds
    with pytest.raises(UserError, match=key):
        Params.of(values, PARAMS)
