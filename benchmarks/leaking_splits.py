"""A hundred photos with a second one of the same scene, among others: do both go to one split?

Usage: python benchmarks/leaking_splits.py --photos PHOTOS/kodak --photos PHOTOS/sample_photos

Each case is a burst of the rig's camera, or a copy that was encoded again, cropped, given other
tones, or all three. Scenes are found as `lr` and `simulate` find them, from files, and as `align`
does, with times: as if one camera had taken all photos five seconds after each other, in no order
of their names, so that the weaker evidence for a burst is enough for neighbours.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from ppcn.dataset.scenes import find_scenes, scenes_of_files
from ppcn.dataset.splits import assign_splits
from ppcn.params import Params, Split
from ppcn.photos.decode import Photo, encode_jpeg, list_photos, read_photo
from ppcn.registration.same_scene import describe_photo
from ppcn.rig.camera import place_camera, record

PARAMS = Path(__file__).parents[1] / "params.yaml"
NOON, SECONDS_APART = datetime(2026, 5, 1, 12), 5
SPLIT, SEEDS = Split(validation=0.2, test=0.2), 100

Photos = dict[str, Path]


def burst(photo: Photo, random: np.random.Generator) -> tuple[bytes, bytes]:
    """Two shots of the rig's phone: another pose, exposure, white balance and noise."""
    camera = Params.load(PARAMS).phones["iphone"]
    size = (photo.shape[1], photo.shape[0])
    shots = [record(photo, camera, place_camera(camera, size, random), random) for _ in range(2)]
    return shots[0], shots[1]


def encoded_again(photo: Photo, random: np.random.Generator, least: int = 0) -> bytes:
    """A copy of 0.3 to 1 times the size, not below `least` px, JPEG quality 20 to 90."""
    ratio = max(random.uniform(0.3, 1), min(1, least / max(photo.shape)))
    small = cv2.resize(photo, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
    return encode_jpeg(small, int(random.integers(20, 91)))


def cropped(photo: Photo, random: np.random.Generator) -> Photo:
    """A part of 50 to 90 % of a photo's area, anywhere on it."""
    height, width = photo.shape[:2]
    area, shape = random.uniform(0.5, 0.9), random.uniform(0.95, 1.05)
    rows, columns = (min(1, np.sqrt(area) * factor) for factor in (shape, 1 / shape))
    rows, columns = int(rows * height), int(columns * width)
    top, left = random.integers(height - rows + 1), random.integers(width - columns + 1)
    return photo[top : top + rows, left : left + columns]


def toned(photo: Photo, random: np.random.Generator) -> Photo:
    """Other exposure, contrast, white balance and saturation."""
    levels = (photo / 255) ** random.uniform(0.6, 1.6) * random.uniform(0.85, 1.15, 3)
    grey = levels.mean(-1, keepdims=True)
    levels = grey + (levels - grey) * random.uniform(0, 1.5)
    return np.rint(levels.clip(0, 1) * 255).astype(np.uint8)


def second_photo(case: int, path: Path, least: int) -> tuple[str, list[bytes]]:
    """What kind of a case it is, and its files: the second photo, or both of a burst."""
    photo, random = read_photo(path), np.random.default_rng([1, case])
    match case % 5:
        case 0:
            return "burst", list(burst(photo, random))
        case 1:
            return "encoded again", [encoded_again(photo, random)]
        case 2:
            return "crop", [encode_jpeg(cropped(photo, random), 85)]
        case 3:
            return "tones", [encode_jpeg(toned(photo, random), 85)]
    return "all three", [encoded_again(toned(cropped(photo, random), random), random, least)]


def construct(
    origins: Photos, cases: int, least: int, folder: Path
) -> Iterator[tuple[str, Path, str, str]]:
    """Name, file, origin and kind of all photos: the cases', and those of other scenes."""
    chosen = np.random.default_rng(0).permutation(len(origins))[:cases]
    listed = list(origins.items())
    for number, (stem, path) in enumerate(listed):
        if number not in chosen:
            yield shuffled(stem), path, stem, "other"
    for case, number in enumerate(chosen):
        stem, path = listed[number]
        kind, files = second_photo(case, path, least)
        if len(files) == 1:
            yield shuffled(stem), path, stem, kind
        for shot, content in enumerate(files):
            name = shuffled(f"{stem} {shot}")
            made = folder / f"{name}.jpg"
            made.write_bytes(content)
            yield name, made, stem, kind


def shuffled(name: str) -> str:
    """A name that sorts anywhere, so that neighbours by name tell nothing."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def from_pairs(paths: Photos) -> dict[str, str]:
    """Scenes as `align` finds them, of photos that were taken seconds after each other."""
    appearances = {name: describe_photo(read_photo(path)) for name, path in paths.items()}
    order = sorted(paths, key=lambda name: shuffled(f"time {name}"))
    times = {name: NOON + timedelta(seconds=SECONDS_APART * n) for n, name in enumerate(order)}
    return find_scenes({name: replace(a, taken=times[name]) for name, a in appearances.items()})


def report(
    title: str, scenes: Mapping[str, str], origin: dict[str, str], kind: dict[str, str]
) -> None:
    """Print what was parted, what leaks at any seed, and what was merged wrongly."""
    members: dict[str, set[str]] = {}
    for name, scene in scenes.items():
        members.setdefault(scene, set()).add(origin[name])
    parted, leaking = set(), set()
    for seed in range(SEEDS):
        splits = assign_splits(list(scenes), SPLIT, seed, scenes=scenes)
        first: dict[str, str] = {}
        for name in scenes:
            other = first.setdefault(origin[name], name)
            if scenes[other] != scenes[name]:
                parted.add((origin[name], kind[name]))
            if splits[other] != splits[name]:
                leaking.add(origin[name])
    merged = [sorted(stems) for stems in members.values() if len(stems) > 1]
    typer.echo(f"{title}: {len(leaking)} leak, {len(parted)} parted, {len(merged)} false merges")
    for line in [*sorted(parted), *merged]:
        typer.echo(f"  {line}")


def main(
    photos: Annotated[list[Path], typer.Option(help="Folders, each photo of another scene.")],
    cases: Annotated[int, typer.Option(help="Photos that get a second one.")] = 100,
    least: Annotated[
        int, typer.Option(help="px of the long side to which copies with all changes are reduced.")
    ] = 320,
) -> None:
    """Count the cases whose two photos leak, and the scenes that were merged wrongly."""
    origins = {
        f"{folder.name}/{stem}": path
        for folder in photos
        for stem, path in list_photos(folder).items()
    }
    with tempfile.TemporaryDirectory() as folder:
        made = list(construct(origins, cases, least, Path(folder)))
        paths, origin, kind = ({name: part[which] for name, *part in made} for which in range(3))
        typer.echo(f"{len(paths)} photos of {len(origins)} scenes, {cases} of them with two")
        report("files", scenes_of_files(paths.items()), origin, kind)
        report("pairs", from_pairs(paths), origin, kind)


if __name__ == "__main__":
    typer.run(main)
