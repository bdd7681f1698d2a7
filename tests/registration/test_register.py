from pathlib import Path

import cv2
import numpy as np
import pytest

from ppcn.params import Align, Params
from ppcn.photos.decode import read_photo
from ppcn.registration.geometry import low_pass, transform_points
from ppcn.registration.pair_gates import RejectionReason
from ppcn.registration.register import align_pair, examine_pair

WARP = np.array([[1.21, 0.03, 40.0], [-0.02, 1.19, 25.0], [1e-5, -2e-5, 1.0]])


def phone_of(reference: np.ndarray, warp: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What a phone sees whose pixel p lies at warp(p) on the reference photo."""
    scale = float(np.sqrt(abs(np.linalg.det(warp[:2, :2]))))
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(low_pass(reference, scale), warp, size, flags=flags)


def changed(params: Params, **values: float) -> Align:
    return params.align.model_copy(update=values)


def test_a_known_homography_is_recovered(scene: np.ndarray, params: Params) -> None:
    phone = phone_of(scene, WARP, (880, 600))
    darker = (phone * 0.6 + 20).astype(np.uint8)
    alignment = align_pair(darker, scene, params.align)
    assert alignment.is_accepted
    x0, y0, x1, y1 = alignment.crop
    grid = np.stack(np.meshgrid(np.arange(x0, x1, 20), np.arange(y0, y1, 20)), axis=-1)
    error = np.linalg.norm(alignment.to_reference(grid) - transform_points(WARP, grid), axis=-1)
    assert np.median(error) < 0.1
    assert error.max() < 1.5
    corners = np.array([[x0, y0], [x1 - 1, y1 - 1]], float)
    assert (transform_points(WARP, corners) >= 0).all()
    assert (transform_points(WARP, corners) <= [1199, 799]).all()
    assert alignment.overlap() > 0.9
    assert alignment.agreement > 0.99


@pytest.mark.parametrize("long_side", [300, 640])
def test_points_on_reduced_copies_are_not_biased(
    scene: np.ndarray, params: Params, long_side: int
) -> None:
    """Keypoints and displacement come from shrunk copies; the reference's pixels are finer too."""
    phone = phone_of(scene, np.diag([2.0, 2.0, 1.0]), (600, 400))
    settings = changed(params, detect_size=long_side, refine_size=long_side)
    alignment = align_pair(phone, scene, settings)
    grid = np.stack(np.meshgrid(np.arange(50, 550, 20), np.arange(50, 350, 20)), axis=-1)
    offset = (alignment.to_reference(grid) - 2.0 * grid).reshape(-1, 2)
    # The reference photo's pixel 2 x is where the blur is centred, not 2 x + 0.5.
    assert np.abs(np.median(offset, axis=0)).max() < 0.15


def test_lens_and_parallax_are_recovered_and_smoothness_holds_them_back(
    scene: np.ndarray, params: Params
) -> None:
    grid = np.stack(np.meshgrid(np.arange(1100.0), np.arange(700.0)), axis=-1) + 50
    centred = (grid - [600, 400]) / 650
    barrel = 650 * -0.03 * centred * (centred**2).sum(-1, keepdims=True)
    moved = grid + barrel + 3 * np.sin(grid[..., ::-1] / 90)
    phone = cv2.remap(scene, moved.astype(np.float32), None, cv2.INTER_CUBIC)
    errors = {}
    for smoothness in (params.align.smoothness, 1e6):
        alignment = align_pair(phone, scene, changed(params, smoothness=smoothness))
        x0, y0, x1, y1 = alignment.crop
        inner = np.s_[y0 + 10 : y1 - 10 : 10, x0 + 10 : x1 - 10 : 10]
        error = np.linalg.norm(alignment.to_reference((grid - 50)[inner]) - moved[inner], axis=-1)
        errors[smoothness] = np.percentile(error, [50, 95])
    assert errors[1e6][0] > 1
    assert (errors[params.align.smoothness] < [0.1, 0.5]).all()


def test_noise_and_tone_do_not_look_like_motion(scene: np.ndarray, params: Params) -> None:
    phone = phone_of(scene, WARP, (880, 600)) / 255.0
    noisy = phone**1.6 + np.random.default_rng(0).normal(0, 0.03, phone.shape)
    alignment = align_pair((np.clip(noisy, 0, 1) * 255).astype(np.uint8), scene, params.align)
    grid = np.stack(np.meshgrid(np.arange(60, 820, 20), np.arange(60, 540, 20)), axis=-1)
    error = np.linalg.norm(alignment.to_reference(grid) - transform_points(WARP, grid), axis=-1)
    assert np.median(error) < 0.25
    assert np.percentile(error, 95) < 0.9


def test_a_dark_photo_aligns(scene: np.ndarray, params: Params) -> None:
    """Its contrast is a tenth of the other's."""
    phone = phone_of(scene, WARP, (880, 600)) * 0.1
    phone += np.random.default_rng(0).normal(0, 1.5, phone.shape)
    alignment = align_pair(np.clip(phone, 0, 255).astype(np.uint8), scene, params.align)
    assert alignment.is_accepted
    grid = np.stack(np.meshgrid(np.arange(60, 820, 20), np.arange(60, 540, 20)), axis=-1)
    error = np.linalg.norm(alignment.to_reference(grid) - transform_points(WARP, grid), axis=-1)
    assert np.median(error) < 0.5


def test_pairs_that_do_not_match_are_rejected_with_a_reason(
    scene: np.ndarray, params: Params
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, scene.shape, np.uint8)
    flat = np.full_like(scene, 128)
    for other in (noise, flat, scene[:, ::-1].copy(), scene[::-1].copy(), scene[:5, :5].copy()):
        alignment = align_pair(scene, other, params.align)
        assert alignment.rejection
        assert alignment.crop == (0, 0, 0, 0)
        assert align_pair(other, scene, params.align).rejection


@pytest.mark.parametrize("size", [(6000, 140), (140, 2000), (129, 131)])
def test_odd_shapes_go_through(scene: np.ndarray, params: Params, size: tuple[int, int]) -> None:
    stretched = cv2.resize(scene, size, interpolation=cv2.INTER_AREA)
    points = np.array([[60.0, 70.0], [100.0, 100.0]])
    for refine_size, close in ((8000, 0.3), (1000, 4)):
        alignment = align_pair(stretched, stretched, changed(params, refine_size=refine_size))
        assert alignment.is_accepted
        assert alignment.to_reference(points) == pytest.approx(points, abs=close)


def test_a_place_that_has_changed_is_rejected(scene: np.ndarray, params: Params) -> None:
    """A corner still matches, enough for a homography; the rest has nothing in common with it."""
    other = read_photo(Path("data/sample/tea-gardens.jpg"))[200:1000, 200:1400].copy()
    other[300:700, 400:900] = scene[300:700, 400:900]
    alignment, evidence = examine_pair(scene, other, params.align)
    assert evidence.inlier.sum() > 100
    assert alignment.rejection
    assert alignment.rejection.reason is RejectionReason.DISAGREEMENT
    assert "agree in only" in alignment.rejection.sentence


def test_too_small_an_overlap_is_rejected(scene: np.ndarray, params: Params) -> None:
    narrow = (scene[:, :700].copy(), scene[:, 300:].copy())
    small = align_pair(*narrow, changed(params, min_overlap=0.9)).rejection
    assert small and small.reason is RejectionReason.SMALL_OVERLAP
    assert "common part is only" in small.sentence
    sparse = align_pair(*narrow, changed(params, min_coverage=0.99)).rejection
    assert sparse and sparse.reason is RejectionReason.LOW_COVERAGE
    assert "cover only" in sparse.sentence


def test_the_same_pair_gives_the_same_alignment(scene: np.ndarray, params: Params) -> None:
    phone = phone_of(scene, WARP, (880, 600))
    first, second = (align_pair(phone, scene, params.align) for _ in range(2))
    assert np.array_equal(first.homography, second.homography)
    assert np.array_equal(first.displacement, second.displacement)


@pytest.mark.parametrize("size", [(64, 48), (33, 200), (8, 8), (1, 1)])
def test_tiny_photos_are_rejected_in_words(
    scene: np.ndarray, params: Params, size: tuple[int, int]
) -> None:
    tiny = cv2.resize(scene, size, interpolation=cv2.INTER_AREA)
    for photos in ((tiny, scene), (scene, tiny)):
        rejection = align_pair(*photos, params.align).rejection
        assert rejection and rejection.reason is RejectionReason.TOO_SMALL
        assert "less than 128 px" in rejection.sentence


@pytest.mark.reference
@pytest.mark.slow
def test_real_photos_align_and_strangers_do_not(reference: Path, params: Params) -> None:
    photos = {
        camera: [read_photo(reference / f"dped_photos/{camera}/{n}.jpg") for n in (2, 7, 13)]
        for camera in ("iphone", "sony")
    }
    for i, phone in enumerate(photos["iphone"]):
        for j, sony in enumerate(photos["sony"]):
            alignment = align_pair(phone, sony, params.align)
            assert alignment.is_accepted == (i == j)
            assert i != j or alignment.agreement > 0.9
            assert align_pair(phone, sony[:, ::-1].copy(), params.align).rejection
