"""Alignment from points that a person set, on pairs of the rig whose truth is known."""

import io

import cv2
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from ppcn.evaluation.alignment_error import crop_errors
from ppcn.params import Params
from ppcn.photos.decode import Photo, read_photo
from ppcn.registration.hand_points import align_from_points, check_points
from ppcn.registration.pair_gates import RejectionReason
from ppcn.registration.register import align_pair
from ppcn.rig.camera import Pose, place_camera, random_stream, record

SIZE = (1000, 800)
GOOD = np.array(
    [[100, 100, 90, 110], [900, 120, 880, 100], [850, 700, 860, 690], [120, 650, 130, 660.0]]
)
CORNERS = np.array([[0.2, 0.2], [0.8, 0.25], [0.75, 0.8], [0.25, 0.75]])


def photographed(params: Params, scene: str, **phone: float) -> tuple[Photo, Photo, Pose, Pose]:
    """A scene by the rig's phone, with another character if you like, and by its reference."""
    picture = read_photo(ROOT / f"data/sample/{scene}.jpg")
    cameras = (params.phones["iphone"].model_copy(update=phone), params.rig.reference)
    photos, poses = [], []
    for name, camera in zip(("iphone", "canon"), cameras, strict=True):
        random = random_stream(params.seed, name, scene)
        poses.append(place_camera(camera, (picture.shape[1], picture.shape[0]), random))
        file = record(picture, camera, poses[-1], random)
        photos.append(np.asarray(Image.open(io.BytesIO(file))))
    return photos[0], photos[1], poses[0], poses[1]


def clicks(phone: Pose, reference: Pose, off: float = 3.0, seed: int = 0) -> np.ndarray:
    """Four pairs of points, each up to so many px off in each photo."""
    random = np.random.default_rng(seed)
    at = (CORNERS + random.uniform(-0.05, 0.05, (4, 2))) * phone.size
    to = reference.from_scene(phone.to_scene(at))
    angle, radius = (
        random.uniform(0, 2 * np.pi, (2, 4)),
        off * np.sqrt(random.uniform(0, 1, (2, 4))),
    )
    error = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=-1)
    return np.concatenate((at + error[0], to + error[1]), axis=1)


def test_points_off_by_3_px_give_what_matches_would(params: Params) -> None:
    phone, reference, *poses = photographed(params, "roman-colosseum")
    alignment, evidence = align_from_points(phone, reference, clicks(*poses), params.align)
    assert alignment.is_accepted
    assert alignment.inliers == evidence.inlier.sum() > 100
    assert np.percentile(crop_errors(alignment, *poses), 95) < 1


def test_a_pair_that_is_refused_for_few_matches_is_aligned(params: Params) -> None:
    """A bare desert, seen at an angle."""
    phone, reference, *poses = photographed(
        params, "extreme-desert-hike", perspective=0.5, field_of_view=0.5, translation=0.0
    )
    refused = align_pair(phone, reference, params.align).rejection
    assert refused and refused.reason is RejectionReason.FEW_MATCHES
    alignment, _ = align_from_points(phone, reference, clicks(*poses), params.align)
    assert alignment.is_accepted
    assert np.percentile(crop_errors(alignment, *poses), 95) < 1.5


def test_without_keypoints_the_points_alone_begin(params: Params) -> None:
    phone, reference, *poses = photographed(params, "tea-gardens")
    none = params.align.model_copy(update={"min_inliers": 100_000})
    alignment, evidence = align_from_points(phone, reference, clicks(*poses), none)
    assert alignment.is_accepted
    assert len(evidence.inlier) == 4
    assert np.percentile(crop_errors(alignment, *poses), 95) < 1


def test_a_wrong_place_is_rejected(params: Params) -> None:
    phone, reference, *poses = photographed(params, "roman-colosseum")
    points = clicks(*poses)
    points[:, 2:] += [150, -120]
    rejection = align_from_points(phone, reference, points, params.align)[0].rejection
    assert rejection and rejection.reason in (
        RejectionReason.DISAGREEMENT,
        RejectionReason.SMALL_OVERLAP,
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"points": GOOD[:3]}, "only 3 pairs of points were set; set 4 or more"),
        ({(0, 0): -5}, "point 1 lies outside the phone's photo"),
        ({(2, 3): 900}, "point 3 lies outside the reference photo"),
        ({(1, 0): 101, (1, 1): 103}, "points 1 and 2 are one place of the phone's photo"),
        ({(3, 2): 91, (3, 3): 109}, "points 1 and 4 are one place of the reference photo"),
        ({(2, 0): 500, (2, 1): 111}, "nearly on one line of the phone's photo"),
        ({(2, 2): 485, (2, 3): 105}, "nearly on one line of the reference photo"),
    ],
)
def test_points_of_no_use_are_refused_in_a_sentence(changes: dict, sentence: str) -> None:
    points = changes.pop("points", GOOD).copy()
    for place, value in changes.items():
        points[place] = value
    rejection = check_points(points, SIZE, SIZE)
    assert rejection and rejection.reason is RejectionReason.BAD_POINTS
    assert sentence in rejection.sentence


def test_points_of_use_are_not_refused() -> None:
    assert check_points(GOOD, SIZE, SIZE) is None
    fifth = np.array([[500, 110, 485, 105.0]])
    assert check_points(np.concatenate((GOOD, fifth)), SIZE, SIZE) is None
    many = np.random.default_rng(0).uniform(0, 799, (40, 4))
    spread = many[cv2.convexHull(many[:, :2].astype(np.float32), returnPoints=False)[:, 0]]
    assert len(spread) > 4


def test_mirrored_points_are_refused(params: Params, scene: np.ndarray) -> None:
    points = np.array([[100, 100, 900, 100], [900, 100, 100, 100], [900, 700, 100, 700]])
    points = np.concatenate((points, [[100, 700, 900, 700]])).astype(float)
    rejection = align_from_points(scene, scene, points, params.align)[0].rejection
    assert rejection and "mirrors" in rejection.sentence
