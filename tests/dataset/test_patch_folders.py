"""Patch sets as folders in BasicSR's layout, and back."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import PARAMS, refusal, run

from ppcn.dataset.extract import correlation
from ppcn.dataset.patch_set import Patch, PatchWriter, open_patches
from ppcn.dataset.splits import TEST, TRAIN, VALIDATION
from ppcn.files.artifacts import create_hdf5
from ppcn.photos.decode import read_photo, write_photo

SIZE = 24
# Photos of one name, of nearly one name, of names that end early in lists, and one without patches.
STEMS = ["a b", "a b", "A B", "x.y", "none", ".é/1"]
SPLITS = [TRAIN, TEST, VALIDATION, TRAIN, TRAIN, TEST]


def pixels(side: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def patch(scale: int, seed: int, xy: tuple[int, int]) -> Patch:
    shift = (float(np.float32(0.1 * seed)), -1 / 3)
    return Patch(pixels(SIZE, seed), pixels(scale * SIZE, seed + 99), xy, shift, 0.5, 0.9 + 1e-7)


@pytest.fixture(params=[1, 3])
def patch_set(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A set whose photos are of one name, whose corners are alike, and some of them unknown."""
    path = tmp_path / "phone.h5"
    attributes = {
        "phone": "p",
        "reference": "c",
        "cameras": {"phone": ["A 1"], "dslr": []},
        "params": {"size": SIZE, "min_ncc": 1e-8},
        "refused": {},
    }
    scale = request.param
    with create_hdf5(path, attributes) as file:
        writer = PatchWriter(file, STEMS, SIZE, scale)
        for photo in (3, 0, 1, 2, 5):
            corners = [(8, 16), (8, 16), (-1, -1), (-1, -1), (0, 200)]
            some = [patch(scale, 10 * photo + n, xy) for n, xy in enumerate(corners)]
            writer.add(photo, SPLITS[photo], some)
    return path


def export(folder: Path, patch_set: Path, out: Path) -> str:
    options = ("--no-photos", "--patches", "--patch-set", patch_set, "--workers", 1)
    done = run(folder, "export-pairs", "--phone", "p", "--out", out, *options, "--params", PARAMS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def import_arguments(folder: Path, out: Path) -> tuple[object, ...]:
    return ("import-patches", folder, "--phone", "p", "--out", out, "--params", PARAMS)


def test_a_patch_set_comes_back_as_it_was(tmp_path: Path, patch_set: Path) -> None:
    assert "wrote 10 train, 5 validation, 10 test patches" in export(tmp_path, patch_set, "out")
    for folder in ("out", "out/patches"):
        done = run(tmp_path, *import_arguments(tmp_path / folder, "again.h5"))
        assert done.returncode == 0, done.stderr
        with h5py.File(patch_set) as before, h5py.File(tmp_path / "again.h5") as after:
            assert set(before) == set(after)
            for name in before:
                assert before[name].dtype == after[name].dtype, name
                assert np.array_equal(before[name][()], after[name][()]), name
            assert dict(before.attrs) == dict(after.attrs)


def test_lists_and_names_are_such_as_basicsr_reads(tmp_path: Path, patch_set: Path) -> None:
    """Its reader ends a name at a space, that of LMDB at a dot; lq and gt have equal names."""
    export(tmp_path, patch_set, "out")
    names: list[str] = []
    for split in ("train", "validation", "test"):
        folder = tmp_path / "out/patches" / split
        lines = (folder / "meta_info.txt").read_text().splitlines()
        listed = [line.split(" ")[0] for line in lines]
        assert listed == sorted(path.name for path in (folder / "gt").iterdir())
        assert listed == sorted(path.name for path in (folder / "lq").iterdir())
        for line in lines:
            height, width, _ = read_photo(folder / "gt" / line.split(" ")[0]).shape
            assert line.split(" ")[1] == f"({height},{width},3)"
            assert line.count(".") == 1
        names += listed
    assert len({name.casefold() for name in names}) == 25
    assert {"x_y_0_200.png", "a_b_8_16.png", "a_b_8_16_2.png"} <= set(names)
    marker = json.loads((tmp_path / "out/export.json").read_text())
    assert len(marker["files"]) == 2 * 25 + 2 * 3 + 1
    assert marker["patches"]["counts"] == {"train": 10, "validation": 5, "test": 10}


@pytest.mark.parametrize("patch_set", [3], indirect=True)
def test_the_same_files_whoever_writes_them(tmp_path: Path, patch_set: Path) -> None:
    """Takes seconds, for processes have to start."""
    export(tmp_path, patch_set, "one")
    options = ("--no-photos", "--patches", "--patch-set", patch_set, "--workers", 2)
    assert run(tmp_path, "export-pairs", "--phone=p", "--out=two", *options).returncode == 0
    markers = [json.loads((tmp_path / out / "export.json").read_text()) for out in ("one", "two")]
    assert markers[0]["files"] == markers[1]["files"]


def test_one_split_and_fewer_patches(tmp_path: Path, patch_set: Path) -> None:
    export(tmp_path, patch_set, "out")
    split = tmp_path / "out/patches/test"
    for side in ("lq", "gt"):
        next(iter(sorted((split / side).iterdir()))).unlink()
    done = run(tmp_path, *import_arguments(split, "again.h5"))
    assert "1 listed patches are no longer there" in done.stdout
    with open_patches(patch_set) as before, open_patches(tmp_path / "again.h5") as after:
        assert after.stems == before.stems
        assert after.split.tolist() == [TEST] * 9
        assert set(after.photo) == {1, 5}


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Folders of another program, of two file formats, twice as large on one side."""
    for split, count in (("train", 60), ("test", 3)):
        for n in range(count):
            image = pixels(SIZE, n)
            write_photo(tmp_path / f"foreign/{split}/lq/{n}.png", image)
            double = image.repeat(2, axis=0).repeat(2, axis=1)
            write_photo(tmp_path / f"foreign/{split}/gt/{n}.bmp", double)
    return tmp_path / "foreign"


def test_folders_of_other_programs(tmp_path: Path, foreign: Path) -> None:
    done = run(tmp_path, *import_arguments(foreign, "f.h5"))
    assert done.returncode == 0, done.stderr
    with open_patches(tmp_path / "f.h5") as patches:
        assert patches.stems == ["train", "validation", "test"]
        assert [(patches.split == s).sum() for s in (TRAIN, VALIDATION, TEST)] == [59, 1, 3]
        assert (patches.field("xy") == -1).all()
        assert patches.scale == 2 and patches.ncc.min() > 0.999
        phone, reference = patches.read(range(63))
        assert np.array_equal(phone, reference[:, ::2, ::2])
        assert np.array_equal(phone[59], pixels(SIZE, 59))


def test_one_folder_with_both_sides(tmp_path: Path, foreign: Path) -> None:
    assert run(tmp_path, *import_arguments(foreign / "test", "f.h5")).returncode == 0
    with open_patches(tmp_path / "f.h5") as patches:
        assert patches.split.tolist() == [TRAIN, TRAIN, VALIDATION]
    (foreign / "test").rename(foreign / "val")
    assert run(tmp_path, *import_arguments(foreign, "f.h5")).returncode == 0
    with open_patches(tmp_path / "f.h5") as patches:
        assert patches.stems == ["train", "validation"]
        assert [(patches.split == s).sum() for s in (TRAIN, VALIDATION)] == [60, 3]


def test_what_is_no_pair_or_no_square_is_refused(tmp_path: Path, foreign: Path) -> None:
    command = import_arguments(foreign, "f.h5")
    write_photo(foreign / "train/lq/7.png", pixels(SIZE - 4, 1))
    assert "7.png: is 20x20 px, not the 24 of the others" in refusal(tmp_path, *command)
    (foreign / "train/lq/7.png").unlink()
    assert "patch 7 is in only one of lq/ and gt/" in refusal(tmp_path, *command)
    write_photo(foreign / "test/lq/0.png", pixels(SIZE, 1)[:20])
    only = import_arguments(foreign / "test", "f.h5")
    assert "0.bmp: has 48x48 px for 24x20 in lq; patches must be squares" in refusal(
        tmp_path, *only
    )
    assert "holds no folders lq and gt" in refusal(tmp_path, *import_arguments(tmp_path, "f.h5"))
    assert not (tmp_path / "f.h5").exists()


def test_a_damaged_table_is_named_by_its_line(tmp_path: Path, patch_set: Path) -> None:
    export(tmp_path, patch_set, "out")
    table = tmp_path / "out/patches/train/patches.csv"
    table.write_text(table.read_text().replace(",8,16,", ",eight,16,", 1))
    message = refusal(tmp_path, *import_arguments(tmp_path / "out", "f.h5"))
    assert "patches.csv, line 2: no row of a table of patches" in message
    table.unlink()
    assert run(tmp_path, *import_arguments(tmp_path / "out", "f.h5")).returncode == 0
    with open_patches(tmp_path / "f.h5") as patches:
        rows = np.flatnonzero(patches.photo == patches.stems.index("train"))
        assert len(rows) == 10
        (phone,), (reference,) = patches.read(rows[:1])
        if phone.shape == reference.shape:
            assert patches.ncc[rows[0]] == pytest.approx(correlation(phone, reference))


def test_an_unfinished_export_is_not_imported(tmp_path: Path, patch_set: Path) -> None:
    export(tmp_path, patch_set, "out")
    (tmp_path / "out/export.json").rename(tmp_path / "out/export-unfinished.json")
    for folder in ("out", "out/patches", "out/patches/test"):
        message = refusal(tmp_path, *import_arguments(tmp_path / folder, "f.h5"))
        assert "its export was interrupted; repeat it first" in message
