"""Names that people take for one."""

from pathlib import Path

import pytest

from ppcn.dataset.splits import TEST, TRAIN, VALIDATION, assign_splits
from ppcn.errors import UserError
from ppcn.evaluation.photo_folders import find_pairs, find_sr_pairs
from ppcn.files.names import StoredFiles, composed, matching_name, same_name_key
from ppcn.params import Split

COMPOSED, DECOMPOSED = "Caf\u00e9", "Cafe\u0301"


def fill(folder: Path, *names: str) -> None:
    folder.mkdir()
    for name in names:
        (folder / name).touch()


def test_keys() -> None:
    assert same_name_key(COMPOSED) == same_name_key(DECOMPOSED.upper())
    assert same_name_key("cafe") != same_name_key(COMPOSED)
    # Two marks on one letter come in either order.
    assert same_name_key("a\u0323\u0301") == same_name_key("A\u0301\u0323")
    assert composed(DECOMPOSED) == COMPOSED
    assert composed("IMG_1") == "IMG_1"


def test_the_same_name_goes_before_one_that_is_alike() -> None:
    assert matching_name("a", ["A", "a"]) == "a"
    assert matching_name("b", ["A", "B"]) == "B"
    assert matching_name("\u00e9", ["\u00c9", "e\u0301"]) is None
    assert matching_name("c", ["A", "B"]) is None


def test_files_are_found_in_folders_that_are_spelt_otherwise(tmp_path: Path) -> None:
    fill(tmp_path / "Trip")
    fill(tmp_path / "Trip" / DECOMPOSED, "A.JPG")
    files = StoredFiles(tmp_path)
    assert files.find(f"trip/{COMPOSED}/a.jpg") == tmp_path / "Trip" / DECOMPOSED / "A.JPG"
    assert files.find(str(tmp_path / "Trip")) == tmp_path / "Trip"
    for name in ("trip/none/a.jpg", "none.jpg", "Trip/\0.jpg", "../none/none.jpg"):
        assert not files.find(name).exists()


def test_lists_of_splits_take_names_that_are_alike() -> None:
    split = Split(validation=["img_1"], test=[DECOMPOSED.lower()])
    kinds = assign_splits([COMPOSED, "IMG_1", "x"], split, 0)
    assert kinds == {COMPOSED: TEST, "IMG_1": VALIDATION, "x": TRAIN}
    with pytest.raises(UserError, match="names 'X' twice"):
        assign_splits(["x", "y", "z"], Split(validation=["X"], test=["x"]), 0)
    with pytest.raises(UserError, match=r"names '1', which is .*; if '0001' is meant, .*in quotes"):
        assign_splits(["0001", "x", "y"], Split(validation=0, test=[1]), 0)


def test_folders_to_score_pair_alike(tmp_path: Path) -> None:
    fill(tmp_path / "p", f"{COMPOSED}.jpg", "IMG_1.JPG")
    fill(tmp_path / "c", f"{DECOMPOSED}.png", "img_1.png")
    pairs = find_pairs(tmp_path / "p", tmp_path / "c")
    assert [(p.name, c.name) for p, c in pairs] == [
        (f"{COMPOSED}.jpg", f"{DECOMPOSED}.png"),
        ("IMG_1.JPG", "img_1.png"),
    ]
    fill(tmp_path / "hr", "IMG_1_HR.png", f"{COMPOSED}_HR.png")
    fill(tmp_path / "lr", "img_1x4.png", f"{DECOMPOSED}_LR.png")
    pairs = find_sr_pairs(tmp_path / "hr", tmp_path / "lr")
    assert {(hr.name, lr and lr.name) for hr, lr in pairs} == {
        ("IMG_1_HR.png", "img_1x4.png"),
        (f"{COMPOSED}_HR.png", f"{DECOMPOSED}_LR.png"),
    }
    (tmp_path / "p" / "img_1.png").touch()
    if len([*(tmp_path / "p").iterdir()]) == 3:
        with pytest.raises(UserError, match="the same name but for"):
            find_pairs(tmp_path / "p", tmp_path / "c")
