import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ppcn.errors import UserError
from ppcn.evaluation.alignment_error import crop_errors
from ppcn.params import Camera, Params
from ppcn.registration.register import align_pair
from ppcn.rig.camera import place_camera, random_stream, record


@pytest.fixture
def camera(params: Params) -> Camera:
    phone = params.phones["iphone"]
    assert phone is not None
    return phone.model_copy(update={"width": 800, "height": 600})


def _pose(camera: Camera, seed: int = 0):
    return place_camera(camera, (1200, 800), np.random.default_rng(seed))


def test_a_pose_inverts_exactly(camera: Camera) -> None:
    pose = _pose(camera.model_copy(update={"distortion": -0.08, "parallax": 4}))
    points = np.random.default_rng(1).uniform(0, [799, 599], (500, 2))
    assert np.abs(pose.from_scene(pose.to_scene(points)) - points).max() < 1e-6


def test_every_source_of_displacement_moves_pixels(camera: Camera) -> None:
    still = {"translation": 0, "rotation": 0, "perspective": 0, "distortion": 0, "parallax": 0}
    points = np.random.default_rng(1).uniform(0, [799, 599], (500, 2))
    base = _pose(camera.model_copy(update=still)).to_scene(points)
    for name in still:
        moving = _pose(camera.model_copy(update=still | {name: getattr(camera, name)}))
        assert np.abs(moving.to_scene(points) - base).max() > 0.5, name


def test_a_camera_that_looks_past_the_scene_is_rejected(camera: Camera) -> None:
    wide = camera.model_copy(update={"field_of_view": 1.0, "distortion": 0.3})
    with pytest.raises(UserError, match="field_of_view"):
        _pose(wide)


@pytest.mark.parametrize("seed", range(30))
def test_every_seed_stays_within_the_scene(params: Params, seed: int) -> None:
    phone = params.phones["iphone"]
    assert phone is not None
    for camera in (phone, params.rig.reference):
        for size in ((2400, 1350), (2400, 1600)):
            pose = place_camera(camera, size, np.random.default_rng(seed))
            corners = pose.to_scene(np.array([[0.0, 0], [pose.size[0] - 1, pose.size[1] - 1]]))
            assert (corners >= 0).all()
            assert (corners <= np.array(size) - 1).all()


def test_the_same_seed_gives_the_same_file(scene: np.ndarray, camera: Camera) -> None:
    files = [
        record(scene, camera, _pose(camera), random_stream(seed, "iphone", "a"))
        for seed in (1, 1, 2)
    ]
    assert files[0] == files[1] != files[2]


def _render(scene: np.ndarray, camera: Camera) -> np.ndarray:
    data = record(scene, camera, _pose(camera), np.random.default_rng(0))
    return np.asarray(Image.open(io.BytesIO(data))).astype(float)


def test_each_weakness_does_what_its_name_says(scene: np.ndarray, camera: Camera) -> None:
    clean = camera.model_copy(
        update={"noise_shot": 0, "noise_read": 0, "variation": 0, "jpeg_quality": 100}
    )
    base = _render(scene, clean)

    def changed(**update: object) -> np.ndarray:
        return _render(scene, clean.model_copy(update=update))

    def edges(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image, axis=1)).mean())

    assert edges(changed(blur=3)) < edges(base) < edges(changed(sharpening=2))
    assert changed(exposure=-2).mean() < base.mean() < changed(exposure=0).mean()
    assert changed(white_balance=(2.0, 1.0, 1.0))[..., 0].mean() > base[..., 0].mean()
    assert changed(contrast=2).std() > base.std()
    corner = np.s_[:60, :60]
    assert changed(vignetting=0.9)[corner].mean() < 0.7 * base[corner].mean()
    spread = base.max(axis=2) - base.min(axis=2)
    grey = changed(saturation=0)
    assert (grey.max(axis=2) - grey.min(axis=2)).mean() < 0.2 * spread.mean()
    noisy = changed(noise_shot=0.01) - base
    assert noisy[base.mean(axis=2) > 150].std() > 1
    assert edges(changed(noise_read=0.05, denoise=2)) < edges(changed(noise_read=0.05, denoise=0))


def test_alignment_error_is_measured_against_the_truth(scene: np.ndarray, params: Params) -> None:
    phone_camera = params.phones["iphone"]
    assert phone_camera is not None
    small = phone_camera.model_copy(update={"width": 800, "height": 600, "translation": 10})
    reference_camera = params.rig.reference.model_copy(update={"width": 960, "height": 640})
    phone, reference = _pose(small, 1), _pose(reference_camera, 2)
    photos = [
        _render_with(scene, camera, pose)
        for camera, pose in ((small, phone), (reference_camera, reference))
    ]
    alignment = align_pair(*photos, params.align)
    assert alignment.is_accepted
    assert np.median(crop_errors(alignment, phone, reference)) < 0.5
    push = np.array([[1, 0, 3], [0, 1, 4], [0, 0, 1.0]])
    moved = replace(alignment, homography=push @ alignment.homography)
    shift = np.median(crop_errors(moved, phone, reference)) * alignment.reference_scale()
    assert shift == pytest.approx(5, abs=0.5)


def _render_with(scene: np.ndarray, camera: Camera, pose) -> np.ndarray:
    data = record(scene, camera, pose, np.random.default_rng(0))
    return np.asarray(Image.open(io.BytesIO(data)))
