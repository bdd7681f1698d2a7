from pathlib import Path

import numpy as np
import pytest
from conftest import PARAMS
from typer.testing import CliRunner

from pipeline.app import app
from ppcn.dataset.patch_set import open_patches
from ppcn.dataset.splits import TEST, TRAIN, VALIDATION
from ppcn.errors import UserError
from ppcn.photos.decode import write_photo


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A folder laid out as DPED's release."""
    random = np.random.default_rng(0)
    for folder, count in (("training_data", 60), ("test_data/patches", 5)):
        for index in range(count):
            phone = random.integers(0, 200, (100, 100, 3), np.uint8)
            for camera, image in (("iphone", phone), ("canon", phone + 20)):
                write_photo(tmp_path / "dped/iphone" / folder / camera / f"{index}.png", image)
    return tmp_path / "dped"


def _import(folder: Path, out: Path) -> str:
    arguments = ["import-dped", str(folder), "--phone", "iphone", "--out", str(out)]
    arguments += ["--params", str(PARAMS)]
    result = CliRunner().invoke(app, arguments)
    if result.exception:
        raise result.exception
    return result.output.splitlines()[-1]


def test_the_release_becomes_a_patch_set(release: Path, tmp_path: Path) -> None:
    for folder in (release, release / "iphone"):
        _import(folder, tmp_path / "iphone.h5")
        with open_patches(tmp_path / "iphone.h5") as patches:
            counts = [int((patches.split == kind).sum()) for kind in (TRAIN, VALIDATION, TEST)]
            assert counts == [59, 1, 5]
            phone, camera = patches.read(patches.of_split(TRAIN, "training"))
            assert (camera == phone + 20).all()
            assert patches.ncc.min() > 0.99


def test_what_trains_on_the_result_is_said_as_it_is_where_one_is(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC looks for PHONE.h5 in a folder; any other file is named to the stage."""
    monkeypatch.chdir(tmp_path)
    by_hand = "train on them with 'ppcn-pipeline teacher --phone iphone --patches {}'"
    assert _import(release, Path("d/iphone.h5")).endswith(by_hand.format("d/iphone.h5"))
    (tmp_path / "dvc.yaml").write_text("")
    assert _import(release, Path("d/iphone.h5")).endswith("'dvc exp run -S data.patches=d'")
    assert _import(release, Path("d/my set.h5")).endswith(by_hand.format("'d/my set.h5'"))


def test_a_missing_partner_is_rejected_and_nothing_written(release: Path, tmp_path: Path) -> None:
    (release / "iphone/training_data/canon/7.png").unlink()
    with pytest.raises(UserError, match="patch 7 is in only one of iphone/ and canon/"):
        _import(release, tmp_path / "out" / "iphone.h5")
    assert not (tmp_path / "out").exists()


def test_a_wrong_size_is_rejected_by_name(release: Path, tmp_path: Path) -> None:
    small = np.zeros((50, 100, 3), np.uint8)
    write_photo(release / "iphone/test_data/patches/iphone/3.png", small)
    with pytest.raises(UserError, match=r"3\.png: is 100x50 px, not the 100 of patches\.size"):
        _import(release, tmp_path / "iphone.h5")
    assert not (tmp_path / "iphone.h5").exists()


def test_a_folder_that_is_no_release_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="training_data"):
        _import(tmp_path, tmp_path / "iphone.h5")
