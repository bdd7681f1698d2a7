from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ppcn.dataset.extract import correlation, cut_patches, warp_to_phone
from ppcn.dataset.patch_set import PatchWriter, open_patches
from ppcn.dataset.splits import TEST, TRAIN, VALIDATION, assign_splits
from ppcn.dataset.window_gates import MEANING, Outcome
from ppcn.errors import UserError
from ppcn.files.artifacts import create_hdf5
from ppcn.params import Params, Patches, Split
from ppcn.registration.alignment import Alignment


def _aligned(phone: np.ndarray, reference: np.ndarray, homography: np.ndarray) -> Alignment:
    sizes = [(photo.shape[1], photo.shape[0]) for photo in (phone, reference)]
    crop = (0, 0, *sizes[0])
    return Alignment(sizes[0], sizes[1], homography=homography, crop=crop)


def _fixed(params: Params, **changes: object) -> Patches:
    return params.patches.model_copy(update={"grid": "dped", **changes})


def _darker(scene: np.ndarray) -> np.ndarray:
    return np.clip(scene * 0.7 + 10, 0, 255).astype(np.uint8)


def test_a_known_shift_and_rotation_are_recovered(scene: np.ndarray, params: Params) -> None:
    """The alignment is off by (2.5, -1.5) px and half a degree; the search must see it."""
    turn = cv2.getRotationMatrix2D((449.5, 349.5), -0.5, 1)
    true = np.vstack((turn, [0, 0, 1])) + np.array([[0, 0, 102.5], [0, 0, 48.5], [0, 0, 0]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    phone = cv2.warpPerspective(scene, true, (900, 700), flags=flags)
    assumed = np.array([[1.0, 0, 100], [0, 1, 50], [0, 0, 1]])
    kept, _ = cut_patches(phone, scene, _aligned(phone, scene, assumed), _fixed(params))
    near = [p for p in kept if np.hypot(p.xy[0] - 400, p.xy[1] - 300) < 120]
    assert len(near) >= 3
    for patch in near:
        assert patch.rotation == 0.5
        centre = np.array([*(np.array(patch.xy) + 49.5), 1.0])
        expected = (true @ centre)[:2] - centre[:2] - [100, 50]
        assert patch.shift == pytest.approx(expected, abs=0.35)
        assert patch.ncc > 0.98


def test_a_window_that_needs_no_turning_is_not_turned(scene: np.ndarray, params: Params) -> None:
    noise = np.random.default_rng(0).normal(0, 6, scene.shape)
    phone = np.clip(_darker(scene) + noise, 0, 255).astype(np.uint8)
    kept, _ = cut_patches(phone, scene, _aligned(phone, scene, np.eye(3)), params.patches)
    assert len(kept) > 40
    assert np.mean([patch.rotation == 0 for patch in kept]) > 0.9


@pytest.mark.parametrize("grid", ["packed", "offset", "dped"])
def test_phone_pixels_are_untouched_and_scores_are_as_stored(
    scene: np.ndarray, params: Params, grid: str
) -> None:
    phone = _darker(scene)
    alignment = _aligned(phone, scene, np.eye(3))
    kept, windows = cut_patches(phone, scene, alignment, _fixed(params, grid=grid))
    assert len(kept) > 40
    assert [w.xy for w in windows if w.outcome is Outcome.KEPT] == [p.xy for p in kept]
    taken = np.zeros(phone.shape[:2], int)
    for window in windows:
        x, y = window.xy
        taken[y : y + 100, x : x + 100] += 1
    assert taken.max() == 1
    for patch in kept:
        x, y = patch.xy
        assert np.array_equal(patch.phone, phone[y : y + 100, x : x + 100])
        weights = [0.299, 0.587, 0.114]
        grey = [(image @ weights).ravel() for image in (patch.phone, patch.reference)]
        assert patch.ncc == pytest.approx(np.corrcoef(*grey)[0, 1], abs=1e-5)
        assert patch.ncc > 0.9


def _outcomes(
    phone: np.ndarray, reference: np.ndarray, params: Params, **changes: object
) -> Counter[str]:
    alignment = _aligned(phone, reference, np.eye(3))
    return Counter(
        w.outcome for w in cut_patches(phone, reference, alignment, _fixed(params, **changes))[1]
    )


def test_every_outcome_has_a_meaning() -> None:
    assert list(MEANING) == list(Outcome)


def test_identical_photos_give_no_patches(scene: np.ndarray, params: Params) -> None:
    outcomes = _outcomes(scene, scene, params)
    assert not outcomes[Outcome.KEPT]
    assert outcomes["identical"] > 40


def test_flat_and_unrelated_windows_are_rejected(scene: np.ndarray, params: Params) -> None:
    phone, other = scene.copy(), scene.copy()
    phone[:400] = 90
    other[400:] = np.random.default_rng(0).integers(0, 255, other[400:].shape, np.uint8)
    outcomes = _outcomes(phone, other, params)
    assert not outcomes[Outcome.KEPT]
    assert outcomes["flat"] >= 30
    assert outcomes["low_correlation"] >= 30


def test_blown_highlights_are_rejected(scene: np.ndarray, params: Params) -> None:
    blown = _darker(scene)
    blown[:, 600:] = np.where(np.arange(600)[:, None] % 100 < 70, 255, blown[:, 600:])
    reference = scene.copy()
    reference[:, 600:] = np.where(np.arange(600)[:, None] % 100 < 70, 255, reference[:, 600:])
    outcomes = _outcomes(blown, reference, params)
    assert outcomes["blown_highlights"] > 20
    assert outcomes[Outcome.KEPT] > 10
    assert not _outcomes(blown, reference, params, max_blown=1.0)["blown_highlights"]


def test_a_clear_sky_is_rejected(params: Params) -> None:
    """It correlates wherever it is put, so that nothing says whether it lies right."""
    rows = np.linspace(120, 200, 600)[:, None, None]
    random = np.random.default_rng(0)
    skies = [rows + random.normal(0, 1, (600, 600, 3)) for _ in range(2)]
    phone, reference = (np.clip(sky, 0, 255).astype(np.uint8) for sky in skies)
    outcomes = _outcomes(phone, reference, params)
    assert outcomes["flat"] == outcomes.total() > 20


def test_repeated_texture_is_rejected(params: Params) -> None:
    """Bars 5 px apart: shifted by one bar they match as well as in their place."""
    random = np.random.default_rng(0)
    bars = 128 + 60 * np.sign(np.sin(np.arange(600) * 2 * np.pi / 5 + 0.3))
    photos = [bars[None, :, None] + random.normal(0, 12, (400, 600, 3)) for _ in range(2)]
    phone, reference = (np.clip(photo, 0, 255).astype(np.uint8) for photo in photos)
    outcomes = _outcomes(phone, reference, params)
    assert outcomes["repeated_texture"] > 10
    assert outcomes["repeated_texture"] + outcomes["shift_at_limit"] == outcomes.total()


def test_a_shift_beyond_the_search_is_rejected(scene: np.ndarray, params: Params) -> None:
    phone = scene[:, 8:].copy()
    alignment = _aligned(phone, scene, np.eye(3))
    kept, windows = cut_patches(phone, scene, alignment, _fixed(params))
    assert all(np.abs(patch.shift).max() <= params.patches.max_shift for patch in kept)
    rejected = Counter(w.outcome for w in windows)
    assert rejected["shift_at_limit"] + rejected["low_correlation"] > 0.9 * (
        len(windows) - rejected["flat"] - rejected["outside_overlap"]
    )


def test_no_kept_window_is_shifted_by_more_than_the_limit(
    scene: np.ndarray, params: Params
) -> None:
    """Neither the unturned place nor the turned one."""
    turn = cv2.getRotationMatrix2D((449.5, 349.5), -0.25, 1)
    true = np.vstack((turn, [0, 0, 1])) + np.array([[0, 0, 100.9], [0, 0, 50.8], [0, 0, 0]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    phone = cv2.warpPerspective(scene, true, (900, 700), flags=flags)
    assumed = np.array([[1.0, 0, 100], [0, 1, 50], [0, 0, 1]])
    settings = _fixed(params, size=48, max_shift=1, rotations=[-0.5, -0.25, 0, 0.25, 0.5])
    kept, _ = cut_patches(phone, scene, _aligned(phone, scene, assumed), settings)
    assert len(kept) > 20
    assert max(np.abs(patch.shift).max() for patch in kept) <= 1


def test_no_window_extends_beyond_the_reference_photo(scene: np.ndarray, params: Params) -> None:
    left = np.array([[1.0, 0, -500], [0, 1, 0], [0, 0, 1]])
    narrow = replace(_aligned(scene, scene, left), crop=(504, 0, 1200, 800))
    for grid in ("packed", "offset", "dped"):
        kept, windows = cut_patches(scene, scene, narrow, _fixed(params, grid=grid))
        assert windows
        assert all(window.xy[0] >= 500 for window in windows)
        assert all(patch.xy[0] + patch.shift[0] >= 501 for patch in kept)
    # A crop that claims too much is found out.
    wide = replace(narrow, crop=(0, 0, 1200, 800))
    outcomes = Counter(w.outcome for w in cut_patches(scene, scene, wide, _fixed(params))[1])
    assert (
        outcomes["outside_overlap"] + outcomes["low_correlation"] + outcomes["shift_at_limit"] >= 30
    )


def test_a_photo_without_room_for_a_window_gives_none(scene: np.ndarray, params: Params) -> None:
    small = scene[:90, :300].copy()
    for grid in ("packed", "offset", "dped"):
        kept, windows = cut_patches(
            small, scene, _aligned(small, scene, np.eye(3)), _fixed(params, grid=grid)
        )
        assert (kept, windows) == ([], [])


def test_laying_over_shows_what_the_phone_sees(scene: np.ndarray) -> None:
    shifted = np.array([[1.0, 0, 20], [0, 1, -30], [0, 0, 1]])
    phone = np.zeros((300, 400, 3), np.uint8)
    warped, valid_mask = warp_to_phone(scene, _aligned(phone, scene, shifted), margin=4)
    assert warped.shape == (308, 408, 3)
    assert np.array_equal(warped[40:, 4:-4], scene[6:274, 20:420])
    assert not valid_mask[:31].any()
    assert valid_mask[31:].all()


def test_correlation_of_a_flat_patch_is_zero() -> None:
    flat = np.full((100, 100, 3), 9, np.uint8)
    assert correlation(flat, flat) == 0


def test_a_patch_set_survives_writing_and_merging(
    tmp_path: Path, scene: np.ndarray, params: Params
) -> None:
    phone = _darker(scene)
    kept, _ = cut_patches(phone, scene, _aligned(phone, scene, np.eye(3)), params.patches)
    with create_hdf5(tmp_path / "p.h5", {}) as file:
        writer = PatchWriter(file, ["a", "b"], 100)
        writer.add(0, TRAIN, kept[:3])
        writer.add(1, TEST, kept[3:5])
    with open_patches(tmp_path / "p.h5") as patches:
        assert patches.stems == ["a", "b"]
        assert list(patches.of_split(TEST, "test")) == [3, 4]
        stored_phone, stored_reference = patches.read([4, 0])
        assert np.array_equal(stored_phone[0], kept[4].phone)
        assert np.array_equal(stored_reference[1], kept[0].reference)
        with pytest.raises(UserError, match="no validation patches"):
            patches.of_split(VALIDATION, "validation")
    shards = []
    for name, part in (("a", kept[:3]), ("b", [kept[1], *kept[3:5]]), ("c", [])):
        shards.append(tmp_path / f"{name}.h5")
        with create_hdf5(shards[-1], {}) as file:
            PatchWriter(file, [name], 100).add(0, TRAIN, part)
    digests: set[bytes] = set()
    with create_hdf5(tmp_path / "merged.h5", {}) as file:
        writer = PatchWriter(file, ["a", "b", "c"], 100)
        for photo, shard in enumerate(shards):
            with open_patches(shard) as part_set:
                left_out = writer.copy(photo, photo % 2 * TEST, part_set, digests)
            assert left_out == (photo == 1)
    with open_patches(tmp_path / "merged.h5") as merged, open_patches(tmp_path / "p.h5") as whole:
        rows = range(5)
        assert np.array_equal(merged.read(rows), whole.read(rows))
        for name in ("photo", "xy", "shift", "rotation", "ncc", "split"):
            assert np.array_equal(merged.field(name), whole.field(name))


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
    splits = assign_splits(STEMS, split, seed=1)
    assert {stem for stem, kind in splits.items() if kind == TEST} == {"photo1", "photo2"}
    assert splits["photo3"] == VALIDATION


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Split(validation=0.1, test=["nobody"]), "'nobody'"),
        (Split(validation=["photo1"], test=["photo1"]), "'photo1' twice"),
        (Split(validation=0, test=STEMS), "none to train"),
    ],
)
def test_impossible_splits_are_rejected(split: Split, message: str) -> None:
    with pytest.raises(UserError, match=message):
        assign_splits(STEMS, split, seed=1)
