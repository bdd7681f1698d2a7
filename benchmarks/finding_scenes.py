"""Time and memory of finding the scenes of many photos, made from the keypoints of a few.

Usage: python benchmarks/finding_scenes.py --photos data/rig/iphone --count 5000

Photos are made as `find_scenes` sees them: 400 keypoints each, drawn from those of all photos of
the folder, with other positions. Every second one is alone; the others are bursts of five, which
have nine keypoints of ten in common, moved and disturbed.
"""

import resource
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ppcn.dataset.scenes import find_scenes
from ppcn.photos.decode import list_photos, read_photo
from ppcn.registration.same_scene import KEYPOINTS, Appearance, describe_photo

SIZE, BURST = (640, 480), 5
# px by which a keypoint's place, and levels by which its description differ in a burst; levels by
# which keypoints of two scenes differ at least.
MOVED, DISTURBED, DIFFERENT = 0.7, 6.0, 25.0


def invented(pool: np.ndarray, random: np.random.Generator) -> Appearance:
    """A photo whose keypoints are some of a pool (N, 128), anywhere on it."""
    chosen = random.choice(len(pool), KEYPOINTS, replace=False)
    points = (random.random((KEYPOINTS, 2)) * SIZE).astype(np.float32)
    return Appearance(
        SIZE, points, disturbed(pool[chosen], DIFFERENT, random), random.random(255) > 0.5
    )


def disturbed(descriptors: np.ndarray, by: float, random: np.random.Generator) -> np.ndarray:
    """Descriptors (K, 128) uint8 as another photo has them."""
    noisy = descriptors + random.normal(0, by, descriptors.shape)
    return np.rint(noisy.clip(0, 255)).astype(np.uint8)


def shot_again(photo: Appearance, pool: np.ndarray, random: np.random.Generator) -> Appearance:
    """Another photo of its burst: a tenth of the keypoints and the hash are others."""
    other = invented(pool, random)
    stays = random.random(KEYPOINTS) < 0.9
    shift = random.uniform(-30, 30, 2) + random.normal(0, MOVED, (KEYPOINTS, 2))
    points = np.where(stays[:, None], photo.points + shift, other.points).astype(np.float32)
    again = disturbed(photo.descriptors, DISTURBED, random)
    descriptors = np.where(stays[:, None], again, other.descriptors)
    return Appearance(SIZE, points, descriptors, other.hashed)


def invent(count: int, pool: np.ndarray) -> tuple[dict[str, Appearance], dict[str, str]]:
    """Photos by stem, in no order of their bursts, and the first photo of each one's burst."""
    random = np.random.default_rng(0)
    stems = [f"{number:06d}" for number in random.permutation(count)]
    photos, first = {}, {}
    while len(photos) < count:
        start = len(photos)
        photos[stems[start]] = photo = invented(pool, random)
        again = BURST - 1 if random.random() < 1 / (1 + BURST) else 0
        for stem in stems[start + 1 : start + 1 + again]:
            photos[stem] = shot_again(photo, pool, random)
        first |= dict.fromkeys(list(photos)[start:], stems[start])
    return photos, first


def main(
    photos: Annotated[Path, typer.Option(help="Folder of photos; it is only read.")],
    count: Annotated[int, typer.Option(help="How many photos to make of them.")] = 5000,
) -> None:
    """Measure `find_scenes`."""
    described = [describe_photo(read_photo(path)) for path in list_photos(photos).values()]
    pool = np.concatenate([photo.descriptors for photo in described])
    made, first = invent(count, pool)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start, worked = time.perf_counter(), time.process_time()
    scenes = find_scenes(made)
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    typer.echo(
        f"{len(set(scenes.values()))} scenes of {count} photos, {len(set(first.values()))} made"
    )
    typer.echo(f"{seconds:.0f} s, {worked:.0f} s of processor time")
    typer.echo(f"{after:.0f} MB at most, {before:.0f} MB of it before")


if __name__ == "__main__":
    typer.run(main)
