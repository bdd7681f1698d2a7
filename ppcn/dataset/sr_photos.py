"""Which sharp photos super-resolution is trained and scored on, and what is made of them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ppcn.dataset.lr_maker import LRMaker
from ppcn.dataset.splits import TEST, assign_splits
from ppcn.errors import UserError
from ppcn.files.artifacts import sha256
from ppcn.params import Split, SuperResolution
from ppcn.photos.decode import Photo, list_photos, photo_size, read_photo
from ppcn.photos.resize import SCALE, crop_to_multiple, shrink, tile

Photos = dict[str, Path]
# Endings of the two versions of a photo that lie beside each other: 0801x4.png, baby_LR.png.
LR_ENDING = re.compile(r"([_-]LR|[_-]?x[2348])+$", re.IGNORECASE)
HR_ENDING = re.compile(r"[_-]HR$", re.IGNORECASE)
# What photos are called that must not be trained on.
HELD_OUT, EXCLUDED = "the held-out photo {}", "{}, which sr.exclude keeps out of training"
# Sides in px of the held-out photos: SSIM's window of 11 and 4 shaved from each side; the part that
# trainings are validated on.
SMALLEST_SCORED, SMALLEST_VALIDATED = 20, 256


@dataclass
class ChosenPhotos:
    """The photos to train on and those to score on, by stem, and why others are not used.

    Attributes:
        train: to train on.
        held_out: to score on.
        left_out: by file, the reason.
        scenes: of each photo the scene that it shows, by stem; empty where all photos to score on
            lie in a folder of their own.
    """

    train: Photos
    held_out: Photos
    left_out: dict[str, str] = field(default_factory=dict)
    scenes: Mapping[str, str] = field(default_factory=dict)


def hold_photos_out(
    train: Path,
    valid: Path,
    sr: SuperResolution,
    seed: int,
    find_scenes: Callable[[Photos], Mapping[str, str]],
) -> ChosenPhotos:
    """Choose the photos to train on and those to score on.

    Args:
        train: folder of sharp photos.
        valid: folder of held-out photos; if it is the same, some of its photos are held out.
        sr: the `sr` group of params.yaml: `test`, the share of these or their stems, and
            `exclude`, folders of photos that are kept out of training.
        seed: of the choice.
        find_scenes: the scene of each photo by the name that it is given.

    Raises:
        UserError: none would be held out, a file would be in both, or a folder of `exclude` holds
            no photo.
    """
    excluded = _photos_of(sr.exclude)
    left_out: dict[str, str] = {}
    scenes: Mapping[str, str] = {}
    to_train = _without_lr(list_photos(train), left_out)
    if train.resolve() == valid.resolve():
        scenes = find_scenes(to_train)
        split = Split(validation=0, test=sr.test)
        splits = assign_splits(list(to_train), split, seed, "sr.test", scenes)
        held_out = {stem: path for stem, path in to_train.items() if splits[stem] == TEST}
        to_train = {stem: path for stem, path in to_train.items() if splits[stem] != TEST}
    else:
        held_out = _without_lr(list_photos(valid), left_out)
        _check_no_file_is_shared(to_train, held_out)
        excluded |= dict.fromkeys(held_out.values(), HELD_OUT)
    if excluded:
        to_train = _of_other_scenes(to_train, excluded, find_scenes, left_out)
    if not held_out:
        raise UserError("sr.test holds no photo out; raise it or name another sr.hr_valid")
    return ChosenPhotos(to_train, held_out, left_out, scenes)


def _photos_of(folders: list[str]) -> dict[Path, str]:
    """The photos of the folders of `sr.exclude`, each with why it is not trained on.

    Raises:
        UserError: a folder is missing or holds none.
    """
    photos: dict[Path, str] = {}
    for folder in folders:
        try:
            photos |= dict.fromkeys(list_photos(Path(folder)).values(), EXCLUDED)
        except UserError as error:
            raise UserError(f"sr.exclude: {error}") from None
    return photos


def _without_lr(photos: Photos, left_out: dict[str, str]) -> Photos:
    """The photos that are no LR version of another one of their folder."""
    sharp = {HR_ENDING.sub("", stem).casefold(): path for stem, path in photos.items()}
    kept = {}
    for stem, path in photos.items():
        twin = sharp.get(HR_ENDING.sub("", LR_ENDING.sub("", stem)).casefold())
        if LR_ENDING.search(stem) and twin and twin != path:
            left_out[str(path)] = f"the LR version of {twin.name}"
        else:
            kept[stem] = path
    return kept


def _check_no_file_is_shared(train: Photos, valid: Photos) -> None:
    """A photo that is trained on must not be scored."""
    sizes = {path.stat().st_size for path in valid.values()}
    held_out = {sha256(path): path for path in valid.values()}
    for path in train.values():
        if path.stat().st_size in sizes and (twin := held_out.get(sha256(path))):
            raise UserError(f"{path}: is the held-out photo {twin} too; remove one of them")


def _of_other_scenes(
    train: Photos,
    excluded: Mapping[Path, str],
    find_scenes: Callable[[Photos], Mapping[str, str]],
    left_out: dict[str, str],
) -> Photos:
    """The photos to train on that show no scene of an excluded photo, such as a crop of it."""
    scenes = find_scenes({str(path): path for path in (*train.values(), *excluded)})
    shown = {scenes[str(path)]: path for path in excluded}
    kept = {}
    for stem, path in train.items():
        if twin := shown.get(scenes[str(path)]):
            left_out[str(path)] = f"shows the same as {excluded[twin].format(twin)}"
        else:
            kept[stem] = path
    return kept


def check_sizes(chosen: ChosenPhotos, sr: SuperResolution) -> ChosenPhotos:
    """Leave out the photos whose headers show that they are damaged or too small.

    Raises:
        UserError: too few are left to train, to validate or to score.
    """
    left_out = dict(chosen.left_out)
    sides: dict[Path, int] = {}
    for path in (*chosen.train.values(), *chosen.held_out.values()):
        try:
            sides[path] = min(n // sr.reduce // SCALE * SCALE for n in photo_size(path))
        except UserError as error:
            left_out[str(path)] = _reason(path, error)
    kept = []
    for photos, least in ((chosen.train, sr.crop), (chosen.held_out, SMALLEST_SCORED)):
        for path in photos.values():
            if sides.get(path, least) < least:
                left_out[str(path)] = (
                    f"{sides[path]} px on its shorter side after sr.reduce ({sr.reduce}), and "
                    f"{least} are needed"
                )
        kept.append({stem: path for stem, path in photos.items() if str(path) not in left_out})
    if not kept[0]:
        advice = f"lower sr.crop ({sr.crop}) or sr.reduce ({sr.reduce})"
        raise UserError(f"no training photo gives a crop ({_first(left_out)}); {advice}")
    if max((sides[path] for path in kept[1].values()), default=0) < SMALLEST_VALIDATED:
        raise UserError(
            f"sr.hr_valid: no held-out photo is {SMALLEST_VALIDATED} px high and wide after "
            f"sr.reduce ({sr.reduce}), which validation needs; lower sr.reduce or add larger photos"
        )
    return ChosenPhotos(kept[0], kept[1], left_out, chosen.scenes)


def _first(left_out: dict[str, str]) -> str:
    """One of the photos that were left out, with the reason."""
    path, reason = next(reversed(left_out.items()))
    return f"such as {path}: {reason}"


def _reason(path: Path, error: UserError) -> str:
    return str(error).removeprefix(f"{path}: ")


class SharpPhotos:
    """Reads chosen photos, leaving out the damaged ones.

    Args:
        chosen: the photos.
        lr: makes LR photos, as the `sr` group of params.yaml has it.

    Attributes:
        left_out: by file, why a photo is not used; grows while photos are read.
        crops: number of crops of each training photo that gave any, by stem.
        held_out: stems of the held-out photos that were read.
    """

    def __init__(self, chosen: ChosenPhotos, lr: LRMaker) -> None:
        self._lr, self._sr = lr, lr.sr
        self.left_out = dict(chosen.left_out)
        self.crops: dict[str, int] = {}
        self.held_out: list[str] = []

    def with_lr(self, photos: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, Photo, Photo]]:
        """Read the held-out photos; yields stem, HR and LR photo."""
        largest = 0
        for stem, path in photos:
            photo = self._read(path)
            if photo is not None:
                self.held_out.append(stem)
                largest = max(largest, min(photo.shape[:2]))
                yield stem, photo, self._lr.held_out(photo, stem)
        if largest < SMALLEST_VALIDATED:
            raise UserError(
                f"sr.hr_valid: no held-out photo of {SMALLEST_VALIDATED} px is left; "
                f"{_first(self.left_out)}"
            )

    def cut_crops(self, photos: Iterable[tuple[str, Path]]) -> Iterator[tuple[int, Photo, Photo]]:
        """Tile photos with crops of sr.crop px; yields the photo's number, HR and LR crop."""
        for stem, path in photos:
            photo = self._read(path)
            if photo is None:
                continue
            number = len(self.crops)
            self.crops[stem] = 0
            for crop in tile(photo, self._sr.crop):
                self.crops[stem] += 1
                yield number, crop, self._lr.train(crop, stem, str(self.crops[stem]))
        if not self.crops:
            raise UserError(f"no training photo can be used; {_first(self.left_out)}")

    def _read(self, path: Path) -> Photo | None:
        """A photo shrunk by sr.reduce and cut to a multiple of the scale; None if damaged."""
        try:
            photo = crop_to_multiple(read_photo(path), self._sr.reduce)
        except UserError as error:
            self.left_out[str(path)] = _reason(path, error)
            return None
        return crop_to_multiple(shrink(photo, self._sr.reduce) if self._sr.reduce > 1 else photo)
