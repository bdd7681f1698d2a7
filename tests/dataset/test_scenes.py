import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT
from numpy.typing import NDArray
from PIL import Image

from ppcn.dataset.scenes import find_scenes
from ppcn.dataset.splits import assign_splits, count_splits
from ppcn.errors import UserError
from ppcn.params import Split
from ppcn.photos.decode import Photo, capture_time, encode_jpeg, list_photos, read_photo
from ppcn.registration.same_scene import Appearance, describe_photo

SAMPLE = sorted(path.stem for path in (ROOT / "data/sample").glob("*.jpg"))
NOON = datetime(2026, 5, 1, 12)
HALF = Split(validation=0.25, test=0.25)


def compressed(photo: Photo, quality: int) -> Photo:
    return np.asarray(Image.open(io.BytesIO(encode_jpeg(photo, quality))))


@cache
def small(stem: str) -> Photo:
    """A photo of the sample at 1000 px."""
    photo = read_photo(ROOT / f"data/sample/{stem}.jpg")
    height = round(1000 * photo.shape[0] / photo.shape[1])
    return cv2.resize(photo, (1000, height), interpolation=cv2.INTER_AREA)


def shot_again(photo: Photo, random: np.random.Generator) -> Photo:
    """The next shot of a burst: the camera has moved, the exposure differs, the noise is new."""
    height, width = photo.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + random.uniform(-0.03, 0.03, (4, 2)) * [width, height]
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    border = cv2.BORDER_REFLECT
    shot: NDArray[np.float64] = cv2.warpPerspective(
        photo, matrix, (width, height), borderMode=border
    ) * 2.0 ** random.uniform(-0.5, 0.3)
    return np.clip(shot + random.normal(0, 4, shot.shape), 0, 255).astype(np.uint8)


def reencoded(photo: Photo, random: np.random.Generator) -> Photo:
    return compressed(photo, int(random.integers(25, 80)))


def resized(photo: Photo, random: np.random.Generator) -> Photo:
    ratio = random.uniform(0.3, 0.8)
    return cv2.resize(photo, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)


def cropped(photo: Photo, random: np.random.Generator) -> Photo:
    """A part of 40 to 80 % of a photo's area, anywhere on it."""
    height, width = photo.shape[:2]
    side = np.sqrt(random.uniform(0.4, 0.8))
    rows, columns = round(height * side), round(width * side)
    top, left = random.integers(height - rows + 1), random.integers(width - columns + 1)
    return compressed(photo[top : top + rows, left : left + columns], 85)


KINDS = (shot_again, reencoded, resized, cropped)


def constructed(count: int) -> Iterator[tuple[str, str, Appearance]]:
    """Name, origin and appearance of photos that show what a sample photo shows."""
    for case in range(count):
        stem, make = SAMPLE[case % len(SAMPLE)], KINDS[case % len(KINDS)]
        photo = make(small(stem), np.random.default_rng(case))
        yield f"{case:03d} {make.__name__}", stem, describe_photo(photo)


@pytest.mark.parametrize(
    "count", [4, pytest.param(100, marks=pytest.mark.slow)]
)  # A second for four of them.
def test_no_copy_crop_or_burst_leaks_and_no_two_scenes_merge(count: int) -> None:
    photos = {stem: describe_photo(small(stem)) for stem in SAMPLE}
    origin = {stem: stem for stem in SAMPLE}
    for name, stem, appearance in constructed(count):
        photos[name], origin[name] = appearance, stem
    scenes = find_scenes(photos)
    parted = [name for name in photos if scenes[name] != scenes[origin[name]]]
    assert not parted
    assert len(set(scenes.values())) == len(SAMPLE)
    splits = assign_splits(list(photos), HALF, 0, scenes=scenes)
    leaks = [name for name in photos if splits[name] != splits[origin[name]]]
    assert not leaks
    assert set(splits.values()) == {0, 1, 2}


@pytest.mark.reference
@pytest.mark.slow
@pytest.mark.parametrize("phone", ["iphone", "sony", "blackberry"])
def test_real_scenes_stay_apart(phone: str, reference: Path) -> None:
    listed = list_photos(reference / "dped_photos" / phone)
    photos = {s: describe_photo(read_photo(p), capture_time(p)) for s, p in listed.items()}
    assert find_scenes(photos) == {stem: stem for stem in photos}


def seen(number: int, seconds: float | None = None, hashed: int | None = None) -> Appearance:
    """A photo without keypoints that only its hash and its time make known."""
    signs = np.random.default_rng(number if hashed is None else hashed).random(255) > 0.5
    signs[:26] ^= hashed is not None and number % 2 == 1  # A tenth more than copies may differ by.
    taken = None if seconds is None else NOON + timedelta(seconds=seconds)
    return Appearance((640, 480), np.zeros((0, 2)), np.zeros((0, 128), np.uint8), signs, taken)


def test_a_walk_is_no_scene_and_a_burst_is_one() -> None:
    walk = {f"walk{n}": seen(n, 5 * n) for n in range(20)}
    assert find_scenes(walk) == {stem: stem for stem in walk}
    near = {"a": seen(0, 0, 50), "b": seen(1, 9, 50)}
    assert find_scenes(near) == {"a": "a", "b": "a"}
    later = {"a": seen(0, 0, 50), "b": seen(1, 11, 50)}
    assert find_scenes(later) == {"a": "a", "b": "b"}


def test_named_scenes_stay_apart_and_take_photos_without_a_name() -> None:
    photos = {stem: seen(0) for stem in "abcd"} | {"e": seen(2), "f": seen(4)}
    named = {"a": "tower", "c": "bridge", "e": "tower"}
    scenes = find_scenes(photos, named)
    assert scenes["a"] == scenes["e"] != scenes["c"]
    assert scenes["b"] in (scenes["a"], scenes["c"])
    assert scenes["f"] == "f"


def test_photos_that_show_nothing_are_described() -> None:
    photos = {str(n): describe_photo(np.full((n, 300, 3), 9, np.uint8)) for n in (1, 200)}
    assert set(find_scenes(photos)) == {"1", "200"}
    assert find_scenes({}) == {}


STEMS = [f"photo{i}" for i in range(12)]


def test_photos_of_one_scene_each_are_split_as_without_scenes() -> None:
    split = Split(validation=0.1, test=0.25)
    for seed in range(20):
        alone = assign_splits(STEMS, split, seed, scenes={stem: stem for stem in STEMS})
        assert list(alone.items()) == list(assign_splits(STEMS, split, seed).items())


def test_the_splits_of_the_sample_are_those_of_before() -> None:
    splits = assign_splits(SAMPLE, Split(validation=0.1, test=0.25), 14)
    kinds = {kind: [stem for stem in SAMPLE if splits[stem] == kind] for kind in (1, 2)}
    assert kinds == {
        1: ["roman-colosseum"],
        2: ["beacon-street-sunset", "lake-sherburne", "perched-osprey"],
    }


def test_scenes_go_to_one_split_within_its_share() -> None:
    scenes = {stem: f"photo{number // 3 * 3}" for number, stem in enumerate(STEMS)}
    for seed in range(20):
        splits = assign_splits(STEMS, HALF, seed, scenes=scenes)
        assert count_splits(splits, scenes) == {
            "photos": {"train": 6, "validation": 3, "test": 3},
            "scenes": {"train": 2, "validation": 1, "test": 1},
        }
        assert all(splits[stem] == splits[scenes[stem]] for stem in STEMS)


def test_a_list_that_tears_a_scene_apart_is_refused() -> None:
    scenes = {stem: f"photo{number // 3 * 3}" for number, stem in enumerate(STEMS)}
    torn = Split(validation=0, test=["photo4"])
    with pytest.raises(UserError, match="'photo4' aside for test without 'photo3', 'photo5' of"):
        assign_splits(STEMS, torn, 0, scenes=scenes)
    whole = Split(validation=0.1, test=["photo4", "photo3", "photo5"])
    splits = assign_splits(STEMS, whole, 0, scenes=scenes)
    assert [stem for stem in STEMS if splits[stem] == 2] == ["photo3", "photo4", "photo5"]
    with pytest.raises(UserError, match="12 photos show 1 scenes, which leave none to train on"):
        assign_splits(STEMS, HALF, 0, scenes=dict.fromkeys(STEMS, "photo0"))
