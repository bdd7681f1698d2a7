"""A super-resolution training that learns from a teacher, from files to files."""

from pathlib import Path

import numpy as np
import pytest
from conftest import PARAMS, edit_yaml, fresh, refusal, run, textured

from ppcn.dataset.sr_set import write_crops, write_photos
from ppcn.files.artifacts import create_two_hdf5, sha256
from ppcn.photos.resize import shrink
from ppcn.weights import load_weights, save_weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two crops, one photo to validate on, a teacher, and a training of two steps."""
    photo = textured(256, 256)
    crops = [(0, hr, shrink(hr)) for hr in (photo[:64, :64], photo[64:128, :64])]
    (tmp_path / "data/sr").mkdir(parents=True)
    files = (tmp_path / f"data/sr/{name}.h5" for name in ("train", "valid"))
    with create_two_hdf5(*files) as (train, valid):
        write_crops(train, crops, ["a"], 64)
        write_photos(valid, [("b", photo, shrink(photo))])
    save_weights(tmp_path / "teacher.safetensors", "plain_sr", fresh("plain_sr"), {})
    (tmp_path / "params.yaml").write_text(PARAMS.read_text())
    training = {"steps": 2, "batch": 2, "log_every": 1, "train_crop": 32, "crop": 64}
    ours = {"teacher": "teacher.safetensors", "teacher_weight": 0.5, "mse_from": 0.5, "detail": 0.5}
    values = {**training, **ours, "network": "plain_sr"}
    edit_yaml(tmp_path / "params.yaml", {f"sr.{key}": value for key, value in values.items()})
    return tmp_path


def test_the_weights_name_their_teacher_and_the_log_its_share(folder: Path) -> None:
    done = run(folder, "sr")
    assert done.returncode == 0, done.stderr
    _, facts = load_weights(folder / "data/models/sr/plain_sr.safetensors")
    assert facts["sha256"]["teacher"] == sha256(folder / "teacher.safetensors")
    assert facts["training"]["teacher"] == "teacher.safetensors"
    assert facts["loss"]["teacher"] == 0.5
    log = (folder / "metrics/sr/plain_sr.csv").read_text().splitlines()
    assert {"mae", "teacher", "squares", "teacher_squares"} <= {*log[0].split(",")}
    rows = [dict(zip(log[0].split(","), row.split(","), strict=True)) for row in log[1:]]
    assert rows[0]["squares"] == "" and rows[1]["mae"] == ""
    assert all(np.isfinite(float(row["psnr"])) for row in rows)


def test_a_teacher_of_another_scale_is_refused(folder: Path) -> None:
    save_weights(folder / "teacher.safetensors", "ppcn_sr", fresh("ppcn_sr"), {"scale": 2})
    last = refusal(folder, "sr")
    assert "teacher.safetensors: enlarges x2, and data/sr/train.h5 is of scale 4" in last
    edit_yaml(folder / "params.yaml", {"sr.teacher": "teacher.safetensor"})
    assert "teacher.safetensor: no such file" in refusal(folder, "sr")
    assert not (folder / "data/models").exists() or not any((folder / "data/models/sr").iterdir())
