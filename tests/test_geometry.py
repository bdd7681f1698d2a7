import cv2
import numpy as np
import pytest

from ppcn.alignments import load_alignments, save_alignments
from ppcn.geometry import (
    OK,
    Alignment,
    align_pair,
    largest_rectangle,
    low_pass,
    transform_points,
)
from ppcn.params import Params

WARP = np.array([[1.21, 0.03, 40.0], [-0.02, 1.19, 25.0], [1e-5, -2e-5, 1.0]])


def _phone_of(dslr: np.ndarray, warp: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What a phone sees whose pixel p lies at warp(p) on the DSLR's photo."""
    scale = float(np.sqrt(abs(np.linalg.det(warp[:2, :2]))))
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(low_pass(dslr, scale), warp, size, flags=flags)


def test_a_known_homography_is_recovered(scene: np.ndarray, params: Params) -> None:
    phone = _phone_of(scene, WARP, (880, 600))
    darker = (phone * 0.6 + 20).astype(np.uint8)
    found = align_pair(darker, scene, params.align)
    assert found.status == OK
    x0, y0, x1, y1 = found.crop
    grid = np.stack(np.meshgrid(np.arange(x0, x1, 20), np.arange(y0, y1, 20)), axis=-1)
    error = np.linalg.norm(found.to_dslr(grid) - transform_points(WARP, grid), axis=-1)
    assert np.median(error) < 0.2
    assert error.max() < 2
    corners = np.array([[x0, y0], [x1 - 1, y1 - 1]], float)
    assert (transform_points(WARP, corners) >= 0).all()
    assert (transform_points(WARP, corners) <= [1199, 799]).all()
    assert found.overlap() > 0.9


def test_points_on_reduced_copies_are_not_biased(scene: np.ndarray, params: Params) -> None:
    """Both photos are halved, but the DSLR's pixels are finer: a bias would not cancel."""
    phone = _phone_of(scene, np.diag([2.0, 2.0, 1.0]), (600, 400))
    settings = params.align.model_copy(update={"detect_size": 300, "refine": False})
    found = align_pair(phone, scene, settings.model_copy(update={"min_inliers": 10}))
    grid = np.stack(np.meshgrid(np.arange(50, 550, 20), np.arange(50, 350, 20)), axis=-1)
    offset = (found.to_dslr(grid) - 2.0 * grid).reshape(-1, 2)
    assert np.abs(np.median(offset, axis=0)).max() < 0.3


@pytest.mark.parametrize("count", [0, 1, 40000])
def test_any_number_of_points_can_be_mapped(count: int) -> None:
    grid = np.random.default_rng(0).random((5, 6, 2)).astype(np.float32)
    found = Alignment(OK, (80, 64), (80, 64), displacement=grid, step=16)
    points = np.random.default_rng(1).uniform(0, 60, (count, 2))
    mapped = found.to_dslr(points)
    assert mapped.shape == (count, 2)
    if count:
        assert np.array_equal(mapped[-1:], found.to_dslr(points[-1:]))


def test_local_refinement_explains_what_the_homography_cannot(
    scene: np.ndarray, params: Params
) -> None:
    grid = np.stack(np.meshgrid(np.arange(1100.0), np.arange(700.0)), axis=-1) + 50
    moved = grid + 3 * np.sin(grid[..., ::-1] / 90)
    phone = cv2.remap(scene, moved.astype(np.float32), None, cv2.INTER_CUBIC)
    errors = {}
    for refine in (False, True):
        settings = params.align.model_copy(update={"refine": refine})
        found = align_pair(phone, scene, settings)
        x0, y0, x1, y1 = found.crop
        inside = np.s_[y0 + 30 : y1 - 30 : 10, x0 + 30 : x1 - 30 : 10]
        points = (grid - 50)[inside]
        error = np.linalg.norm(found.to_dslr(points) - moved[inside], axis=-1)
        errors[refine] = np.median(error)
    assert errors[False] > 1
    assert errors[True] < 0.4


def test_pairs_that_do_not_match_are_refused_with_a_reason(
    scene: np.ndarray, params: Params
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, scene.shape, np.uint8)
    flat = np.full_like(scene, 128)
    for other in (noise, flat, scene[:, ::-1].copy()):
        found = align_pair(scene, other, params.align)
        assert found.status != OK
        assert found.crop == (0, 0, 0, 0)


def test_too_small_an_overlap_is_refused(scene: np.ndarray, params: Params) -> None:
    settings = params.align.model_copy(update={"min_overlap": 0.9})
    found = align_pair(scene[:, :700].copy(), scene[:, 300:].copy(), settings)
    assert "common part is only" in found.status


def test_the_same_pair_gives_the_same_alignment(scene: np.ndarray, params: Params) -> None:
    phone = _phone_of(scene, WARP, (880, 600))
    first, second = (align_pair(phone, scene, params.align) for _ in range(2))
    assert np.array_equal(first.homography, second.homography)
    assert np.array_equal(first.displacement, second.displacement)


@pytest.mark.parametrize("seed", range(20))
def test_largest_rectangle_against_exhaustive_search(seed: int) -> None:
    mask = np.random.default_rng(seed).random((6, 7)) < 0.7
    best = 0
    for y0 in range(6):
        for x0 in range(7):
            for y1 in range(y0 + 1, 7):
                for x1 in range(x0 + 1, 8):
                    if mask[y0:y1, x0:x1].all():
                        best = max(best, (y1 - y0) * (x1 - x0))
    x0, y0, x1, y1 = largest_rectangle(mask)
    assert mask[y0:y1, x0:x1].all()
    assert (y1 - y0) * (x1 - x0) == best


def test_alignments_survive_writing(tmp_path, scene: np.ndarray, params: Params) -> None:
    found = align_pair(_phone_of(scene, WARP, (880, 600)), scene, params.align)
    refused = Alignment("only 3 keypoint matches", (10, 20), (30, 40), matches=3)
    path = tmp_path / "a.h5"
    save_alignments(path, {"b": found, "a": refused}, {"phone": "p"})
    loaded = load_alignments(path)
    assert list(loaded) == ["a", "b"]
    assert loaded["a"].status == refused.status
    points = np.array([[10.5, 20.0], [300.0, 400.0]])
    assert np.array_equal(loaded["b"].to_dslr(points), found.to_dslr(points))
    assert loaded["b"].crop == found.crop


def test_low_pass_only_where_it_shrinks(scene: np.ndarray) -> None:
    assert low_pass(scene, 1.0) is scene
    assert low_pass(scene, 3.0).std() < scene.std()
