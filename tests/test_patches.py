from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ppcn.artifacts import create_hdf5
from ppcn.datasets import PatchWriter, open_patches
from ppcn.errors import UserError
from ppcn.geometry import OK, Alignment
from ppcn.params import Params, Split
from ppcn.patches import correlation, cut_patches, drop_duplicates
from ppcn.splits import TEST, TRAIN, VALIDATION, assign_splits


def _aligned(phone: np.ndarray, dslr: np.ndarray, homography: np.ndarray) -> Alignment:
    sizes = [(photo.shape[1], photo.shape[0]) for photo in (phone, dslr)]
    crop = (0, 0, *sizes[0])
    return Alignment(OK, sizes[0], sizes[1], homography=homography, crop=crop)


def test_a_known_shift_and_rotation_are_found(scene: np.ndarray, params: Params) -> None:
    """The alignment is off by (2.5, -1.5) px and half a degree; the search must see it."""
    turn = cv2.getRotationMatrix2D((449.5, 349.5), -0.5, 1)
    true = np.vstack((turn, [0, 0, 1])) + np.array([[0, 0, 102.5], [0, 0, 48.5], [0, 0, 0]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    phone = cv2.warpPerspective(scene, true, (900, 700), flags=flags)
    assumed = np.array([[1.0, 0, 100], [0, 1, 50], [0, 0, 1]])
    kept, _ = cut_patches(phone, scene, _aligned(phone, scene, assumed), params.patches)
    near = [p for p in kept if np.hypot(p.xy[0] - 400, p.xy[1] - 300) < 120]
    assert len(near) >= 3
    for patch in near:
        assert patch.rotation == 0.5
        centre = np.array([*(np.array(patch.xy) + 49.5), 1.0])
        expected = (true @ centre)[:2] - centre[:2] - [100, 50]
        assert patch.shift == pytest.approx(expected, abs=0.35)
        assert patch.ncc > 0.98


def test_phone_pixels_are_untouched_and_scores_are_as_stored(
    scene: np.ndarray, params: Params
) -> None:
    phone = np.clip(scene * 0.7 + 10, 0, 255).astype(np.uint8)
    kept, refused = cut_patches(phone, scene, _aligned(phone, scene, np.eye(3)), params.patches)
    assert len(kept) > 40
    windows = (scene.shape[0] - 6) // 100 * ((scene.shape[1] - 6) // 100)
    assert len(kept) + sum(refused.values()) >= windows
    for patch in kept:
        x, y = patch.xy
        assert np.array_equal(patch.phone, phone[y : y + 100, x : x + 100])
        weights = [0.299, 0.587, 0.114]
        grey = [(image @ weights).ravel() for image in (patch.phone, patch.dslr)]
        assert patch.ncc == pytest.approx(np.corrcoef(*grey)[0, 1], abs=1e-5)
        assert patch.ncc > 0.9


def test_identical_photos_give_no_patches(scene: np.ndarray, params: Params) -> None:
    still = params.patches.model_copy(update={"rotations": [0.0]})
    kept, refused = cut_patches(scene, scene, _aligned(scene, scene, np.eye(3)), still)
    assert not kept
    assert refused["identical"] > 40


def test_flat_and_unrelated_windows_are_refused(scene: np.ndarray, params: Params) -> None:
    phone = scene.copy()
    phone[:400] = 90
    other = scene.copy()
    other[400:] = np.random.default_rng(0).integers(0, 255, other[400:].shape, np.uint8)
    kept, refused = cut_patches(phone, other, _aligned(phone, other, np.eye(3)), params.patches)
    assert not kept
    assert refused["flat"] >= 30
    assert refused["low_correlation"] >= 30


def test_a_shift_beyond_the_search_is_refused(scene: np.ndarray, params: Params) -> None:
    phone = scene[:, 8:].copy()
    kept, refused = cut_patches(phone, scene, _aligned(phone, scene, np.eye(3)), params.patches)
    assert all(np.abs(patch.shift).max() <= params.patches.max_shift for patch in kept)
    assert refused["shift_at_limit"] + refused["low_correlation"] > 0.9 * (
        len(kept) + sum(refused.values()) - refused["flat"] - refused["outside_overlap"]
    )


def test_windows_outside_the_overlap_are_counted(scene: np.ndarray, params: Params) -> None:
    left = np.array([[1.0, 0, -500], [0, 1, 0], [0, 0, 1]])
    alignment = _aligned(scene, scene, left)
    narrow = replace(alignment, crop=(504, 0, 1200, 800))
    _, refused = cut_patches(scene, scene, narrow, params.patches)
    assert refused["outside_overlap"] >= 30


def test_duplicates_are_dropped(scene: np.ndarray, params: Params) -> None:
    phone = (scene * 0.9).astype(np.uint8)
    kept, _ = cut_patches(phone, scene, _aligned(phone, scene, np.eye(3)), params.patches)
    seen: set[bytes] = set()
    assert len(drop_duplicates(kept, seen)) == len(kept)
    assert drop_duplicates(kept, seen) == []


def test_correlation_of_a_flat_patch_is_zero() -> None:
    flat = np.full((100, 100, 3), 9, np.uint8)
    assert correlation(flat, flat) == 0


def test_a_patch_set_survives_writing(tmp_path: Path, scene: np.ndarray, params: Params) -> None:
    phone = (scene * 0.9).astype(np.uint8)
    kept, _ = cut_patches(phone, scene, _aligned(phone, scene, np.eye(3)), params.patches)
    with create_hdf5(tmp_path / "p.h5", {}) as file:
        writer = PatchWriter(file, ["a", "b"], 100)
        writer.add(0, TRAIN, kept[:3])
        writer.add(1, TEST, kept[3:5])
    with open_patches(tmp_path / "p.h5") as patches:
        assert patches.stems == ["a", "b"]
        assert list(patches.of_split(TEST, "test")) == [3, 4]
        stored_phone, stored_dslr = patches.read([4, 0])
        assert np.array_equal(stored_phone[0], kept[4].phone)
        assert np.array_equal(stored_dslr[1], kept[0].dslr)
        with pytest.raises(UserError, match="no validation patches"):
            patches.of_split(VALIDATION, "validation")


STEMS = [f"photo{i}" for i in range(12)]


def test_splits_are_by_photo_seeded_and_disjoint() -> None:
    split = Split(validation=0.1, test=0.25)
    first = assign_splits(STEMS, split, seed=1)
    assert first == assign_splits(list(reversed(STEMS)), split, seed=1)
    assert first != assign_splits(STEMS, split, seed=2)
    assert sorted(first.values()).count(TEST) == 3
    assert sorted(first.values()).count(VALIDATION) == 1


def test_listed_photos_are_set_aside() -> None:
    split = Split(validation=["photo3"], test=["photo1", "photo2"])
    found = assign_splits(STEMS, split, seed=1)
    assert {stem for stem, kind in found.items() if kind == TEST} == {"photo1", "photo2"}
    assert found["photo3"] == VALIDATION


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Split(validation=0.1, test=["nobody"]), "'nobody'"),
        (Split(validation=["photo1"], test=["photo1"]), "'photo1' twice"),
        (Split(validation=0, test=STEMS), "none to train"),
    ],
)
def test_impossible_splits_are_refused(split: Split, message: str) -> None:
    with pytest.raises(UserError, match=message):
        assign_splits(STEMS, split, seed=1)
