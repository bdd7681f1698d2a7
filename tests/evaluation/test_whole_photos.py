"""Test photos are those that the alignment file names, whatever they are called."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import PARAMS, ROOT, TINY, edit_yaml, refusal, run

from ppcn.dataset.patch_set import Patch, PatchWriter, open_patches
from ppcn.dataset.splits import TEST
from ppcn.errors import UserError
from ppcn.evaluation.whole_photos import whole_photos
from ppcn.files.artifacts import create_hdf5
from ppcn.networks import NETWORKS
from ppcn.photos.decode import read_photo, write_photo
from ppcn.weights import save_weights

SCENES = ("canyon-wren", "casa-mila", "roman-colosseum")
# Each stem is the name of another pair's photo.
MANIFEST = """phone,reference,stem
phone/0.png,dslr/a.png,1
phone/1.png,dslr/b.png,2
phone/2.png,dslr/c.png,0
"""
PHOTO_OF = {"1": "0.png", "2": "1.png", "0": "2.png"}
SPLIT = {"validation": ["2"], "test": ["1"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three aligned pairs, their patches, and weights that were hardly trained."""
    made = tmp_path_factory.mktemp("manifest")
    shutil.copy(PARAMS, made)
    own = {"data.root": "my", "data.reference": "dslr", "data.pair_by": "my/pairs.csv"}
    own |= {"phones": {"phone": None}, "tables.phone": "phone", "patches.split": SPLIT}
    edit_yaml(made / "params.yaml", {k: v for k, v in TINY.items() if "phones" not in k} | own)
    for number, scene in enumerate(SCENES):
        photo = read_photo(ROOT / f"data/sample/{scene}.jpg")[200:1000, 200:1400]
        small = cv2.resize(photo, (480, 320), interpolation=cv2.INTER_AREA)
        write_photo(made / f"my/dslr/{'abc'[number]}.png", photo)
        write_photo(made / f"my/phone/{number}.png", (small * 0.8).astype(np.uint8))
    (made / "my/pairs.csv").write_text(MANIFEST)
    for stage in ("align", "patches"):
        done = run(made, stage, "--phone=phone", "--workers=1")
        assert done.returncode == 0, done.stderr
    for stage in ("teacher", "student"):
        network = NETWORKS[f"ppcn_{stage}"].make(initial_deviation=None)
        save_weights(made / f"data/models/{stage}/phone.safetensors", f"ppcn_{stage}", network, {})
    return made


def test_pairs_of_a_manifest_are_drawn_from_the_right_photo(folder: Path) -> None:
    done = run(folder, "evaluate", "--phone=phone")
    assert done.returncode == 0, done.stderr
    scores = json.loads((folder / "metrics/evaluate/phone.json").read_text())
    assert scores["test_photos"] == scores["photo"]["photos"] == 1
    assert scores["photo"]["images"] == scores["images"] > 3
    # Untouched, a window of the photo is the phone's patch.
    assert scores["photo"]["do_nothing"]["psnr"] == scores["do_nothing"]["psnr"]
    assert scores["photo"]["student"]["made_worse"] > 0
    drawn = {path.stem for path in (folder / "data/pictures/phone").glob("*.jpg")}
    assert drawn == {"1"}
    picture = read_photo(folder / "data/pictures/phone/1.jpg").astype(int)
    for stem, name in PHOTO_OF.items():
        photo = read_photo(folder / "my/phone" / name)
        height, width = photo.shape[:2]
        # Below the titles.
        difference = np.abs(picture[-height:, :width] - photo).mean()
        assert (difference < 5) == (stem == "1"), stem


def test_a_missing_test_photo_is_refused_before_anything_is_scored(folder: Path) -> None:
    photo = folder / "my/phone/0.png"
    elsewhere = photo.rename(folder / "0.png")
    try:
        scored = ("evaluate", "--phone=phone", "--metrics=late.json")
        assert "my/phone/0.png: cannot be read" in refusal(folder, *scored)
        assert not (folder / "late.json").exists()
        shutil.copy(folder / "my/phone/1.png", photo)
        assert "my/phone/0.png: changed since it was aligned" in refusal(folder, *scored)
    finally:
        elsewhere.replace(photo)


def test_every_test_photo_of_a_patch_set_is_named(folder: Path) -> None:
    with open_patches(folder / "data/patches/phone.h5") as cut:
        photos = whole_photos(cut, folder / "data/aligned/phone.h5", folder / "my")
        assert photos == {"1": folder / "my/phone/0.png"}
        other = folder / "data/other"
        with pytest.raises(UserError, match=r"other/phone/0\.png: cannot be read"):
            whole_photos(cut, folder / "data/aligned/phone.h5", other)


@pytest.mark.parametrize("corner", [(-1, -1), (0, 0)])
def test_patches_of_other_photos_are_scored_without_pictures(
    folder: Path, tmp_path: Path, corner: tuple[int, int]
) -> None:
    """Released patches, of which nobody knows where they were, and patches of other pairs."""
    pixels = np.random.default_rng(0).integers(0, 255, (2, 40, 40, 3), np.uint8)
    with create_hdf5(tmp_path / "p.h5", {}) as file:
        writer = PatchWriter(file, ["test_data"], 40)
        writer.add(0, TEST, [Patch(pixels[0], pixels[1], corner, (0, 0), 0, 1)])
    # Whoever imports patches need not have aligned anything.
    aligned = ["--aligned=none.h5"] if corner[0] < 0 else []
    outputs = [f"--pictures={tmp_path}/pictures", f"--metrics={tmp_path}/m.json"]
    patches = f"--patches={tmp_path}/p.h5"
    done = run(folder, "evaluate", "--phone=phone", patches, *aligned, *outputs)
    assert done.returncode == 0, done.stderr
    assert "p.h5: not cut from pairs of" in done.stdout
    assert "photo" not in json.loads((tmp_path / "m.json").read_text())
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["patches.png"]
