from pathlib import Path

import pytest

from ppcn.errors import UserError
from ppcn.files.artifacts import create_hdf5
from ppcn.jobs.cache import get_or_compute, scratch_for

PHOTO = "1234abcd"


def _write(path: Path) -> None:
    with create_hdf5(path, {}) as file:
        file["x"] = [1, 2, 3]


def test_a_shard_is_made_once_until_something_changes(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    first = get_or_compute(scratch, [PHOTO], {"a": 1}, _write)
    assert first[1] is False
    assert get_or_compute(scratch, [PHOTO], {"a": 1}, pytest.fail) == (first[0], True)
    assert get_or_compute(scratch, [PHOTO], {"a": 2}, _write)[1] is False
    assert get_or_compute(scratch, [PHOTO, PHOTO], {"a": 1}, _write)[1] is False
    assert get_or_compute(scratch, ["other"], {"a": 1}, _write)[1] is False
    assert len(list(scratch.iterdir())) == 4


def test_changed_code_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = get_or_compute(tmp_path / "scratch", [PHOTO], 1, _write)
    monkeypatch.setattr("ppcn.jobs.cache.code_digest", lambda: "other code")
    other, was_cached = get_or_compute(tmp_path / "scratch", [PHOTO], 1, _write)
    assert other != path
    assert not was_cached


@pytest.mark.parametrize("damage", ["empty", "cut", "unmarked"])
def test_a_half_written_shard_is_made_again(tmp_path: Path, damage: str) -> None:
    import h5py

    path, _ = get_or_compute(tmp_path / "scratch", [PHOTO], 1, _write)
    if damage == "unmarked":
        with h5py.File(path, "r+") as file:
            del file.attrs["complete"]
    else:
        path.write_bytes(b"" if damage == "empty" else path.read_bytes()[:700])
    assert get_or_compute(tmp_path / "scratch", [PHOTO], 1, _write) == (path, False)
    assert get_or_compute(tmp_path / "scratch", [PHOTO], 1, pytest.fail)[1]


def test_scratch_goes_when_the_artifact_is_whole_and_stays_when_it_is_not(tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    with pytest.raises(UserError), scratch_for(out) as scratch:
        get_or_compute(scratch, [PHOTO], 1, _write)
        raise UserError("interrupted")
    assert scratch.is_dir()
    with scratch_for(out) as again:
        assert get_or_compute(again, [PHOTO], 1, pytest.fail)[1]
    assert not scratch.exists()
