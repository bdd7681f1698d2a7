from collections import Counter

import cv2
import numpy as np
import pytest

from ppcn.dataset.extract import cut_patches, window_points
from ppcn.dataset.window_gates import Outcome
from ppcn.params import Params, Patches
from ppcn.registration.alignment import Alignment

SIDE = 60


def _pair(scene: np.ndarray, scale: int) -> tuple[np.ndarray, np.ndarray, Alignment]:
    """What a dark phone of few pixels and a camera of `scale` times as many saw of a scene."""
    reference = scene[:792, :1188]
    height, width = (n // scale for n in reference.shape[:2])
    small = cv2.resize(reference, (width, height), interpolation=cv2.INTER_AREA)
    phone = (small * 0.7 + 10).astype(np.uint8)
    middle = (scale - 1) / 2
    homography = np.array([[scale, 0, middle], [0, scale, middle], [0, 0, 1.0]])
    sizes = (width, height), (1188, 792)
    return phone, reference, Alignment(*sizes, homography=homography, crop=(0, 0, width, height))


def _distance(large: np.ndarray, phone: np.ndarray) -> float:
    """Mean distance of a patch, reduced, from the phone's, grey levels."""
    reduced = cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return float(np.abs(reduced.astype(float) - phone).mean())


def _patches(params: Params, scale: int, **changes: object) -> Patches:
    values = {"scale": scale, "size": SIDE, **changes}
    return params.patches.model_copy(update=values)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_patches_hold_the_better_cameras_own_pixels(
    scene: np.ndarray, params: Params, scale: int
) -> None:
    phone, reference, alignment = _pair(scene, scale)
    kept, _ = cut_patches(phone, reference, alignment, _patches(params, scale))
    assert len(kept) >= 6
    for patch in kept:
        x, y = patch.xy
        assert np.array_equal(patch.phone, phone[y : y + SIDE, x : x + SIDE])
        assert patch.reference.shape == (scale * SIDE, scale * SIDE, 3)
        own = reference[scale * y :, scale * x :][: scale * SIDE, : scale * SIDE].astype(float)
        moved = np.abs(patch.shift).max() * scale
        bent = abs(patch.rotation) * np.pi / 180 * SIDE * scale / 2
        if moved + bent < 0.1:
            assert np.abs(patch.reference - own).mean() < 2
    still = [p for p in kept if np.abs(p.shift).max() * scale < 0.1 and not p.rotation]
    assert len(still) >= 4


def test_points_between_pixels_average_to_the_pixels() -> None:
    """Three points in the place of each along a side, turned and shifted as the window is."""
    coarse = window_points(40, 30, 20, np.array([0.3, -0.7]), 0.5)
    fine = window_points(40, 30, 20, np.array([0.3, -0.7]), 0.5, 3)
    assert fine.shape == (60, 60, 2)
    means = fine.reshape(20, 3, 20, 3, 2).mean(axis=(1, 3))
    assert means == pytest.approx(coarse, abs=1e-9)


def test_a_camera_of_too_few_pixels_gives_none(scene: np.ndarray, params: Params) -> None:
    phone, reference, alignment = _pair(scene, 2)
    kept, windows = cut_patches(phone, reference, alignment, _patches(params, 3))
    assert not kept
    assert Counter(window.outcome for window in windows) == {Outcome.TOO_FEW_PIXELS: len(windows)}
    assert len(windows) > 8


def test_tones_are_matched_to_the_phones(scene: np.ndarray, params: Params) -> None:
    phone, reference, alignment = _pair(scene, 2)
    distances = {}
    for match in ("none", "luminance", "color"):
        settings = _patches(params, 2, match=match)
        kept, _ = cut_patches(phone, reference, alignment, settings)
        reduced = [
            cv2.resize(p.reference, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for p in kept
        ]
        pairs = zip(reduced, kept, strict=True)
        distances[match] = np.mean([np.abs(r.astype(float) - p.phone).mean() for r, p in pairs])
    assert distances["none"] > 10
    assert max(distances["luminance"], distances["color"]) < 2
