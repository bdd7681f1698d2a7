"""The HDF5 schemas of super-resolution: training crops and held-out photos, HR and LR.

A set of crops holds the datasets `hr` (N, S, S, 3) uint8, `lr` (N, S / SCALE, S / SCALE, 3) uint8
and `photo` (N,), which indexes the dataset `stems`. A set of photos holds a group for each stem,
with `hr` and `lr`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from ppcn.dataset.patch_set import create_rows
from ppcn.dataset.splits import TEST, assign_splits
from ppcn.errors import FileError, FileKind, UserError
from ppcn.files.artifacts import create_hdf5, open_hdf5, sha256
from ppcn.params import Split, SuperResolution
from ppcn.photos.decode import Photo, list_photos, read_photo
from ppcn.photos.resize import SCALE, crop_to_multiple, shrink, tile

Photos = dict[str, Path]


def hold_photos_out(
    train: Path,
    valid: Path,
    share: float | list[str],
    seed: int,
    find_scenes: Callable[[Photos], Mapping[str, str]],
) -> tuple[Photos, Photos, Mapping[str, str]]:
    """Choose the photos to train on and those to score on.

    Args:
        train: folder of sharp photos.
        valid: folder of held-out photos; if it is the same, some of its photos are held out.
        share: of these, or their stems (`sr.test` of params.yaml).
        seed: of the choice.
        find_scenes: the scene of each photo by stem; asked if it is the same folder.

    Returns:
        The photos to train on and the held-out ones, and the scenes, by stem.

    Raises:
        UserError: none would be held out, or a photo would be in both.
    """
    to_train, held_out = list_photos(train), list_photos(valid)
    scenes: Mapping[str, str] = {}
    if train.resolve() == valid.resolve():
        scenes = find_scenes(to_train)
        split = Split(validation=0, test=share)
        splits = assign_splits(list(to_train), split, seed, "sr.test", scenes)
        held_out = {stem: path for stem, path in to_train.items() if splits[stem] == TEST}
        to_train = {stem: path for stem, path in to_train.items() if splits[stem] != TEST}
    else:
        _check_no_photo_is_shared(to_train, held_out)
    if not held_out:
        raise UserError("sr.test holds no photo out; raise it or name another sr.hr_valid")
    return to_train, held_out, scenes


def _check_no_photo_is_shared(train: Photos, valid: Photos) -> None:
    """A photo that is trained on must not be scored."""
    sizes = {path.stat().st_size for path in valid.values()}
    held_out = {sha256(path): path for path in valid.values()}
    for path in train.values():
        if path.stat().st_size in sizes and (twin := held_out.get(sha256(path))):
            raise UserError(f"{path}: is the held-out photo {twin} too; remove one of them")


def cut_crops(paths: Iterable[Path], sr: SuperResolution) -> Iterator[tuple[int, Photo, Photo]]:
    """Tile photos with crops of sr.crop px; yields the photo's number, the HR and the LR crop."""
    for number, path in enumerate(paths):
        for crop in tile(_read_sharp(path, sr), sr.crop):
            yield number, crop, shrink(crop)


def read_with_lr(
    photos: Iterable[tuple[str, Path]], sr: SuperResolution
) -> Iterator[tuple[str, Photo, Photo]]:
    """Read photos by stem; yields the stem, the HR and the LR photo."""
    for stem, path in photos:
        photo = _read_sharp(path, sr)
        yield stem, photo, shrink(photo)


def _read_sharp(path: Path, sr: SuperResolution) -> Photo:
    """A photo shrunk by sr.reduce and cut to a multiple of the scale."""
    photo = crop_to_multiple(read_photo(path), sr.reduce)
    return crop_to_multiple(shrink(photo, sr.reduce) if sr.reduce > 1 else photo)


def save_crops(
    path: Path, crops: Iterable[tuple[int, Photo, Photo]], stems: Sequence[str], size: int
) -> int:
    """Write training crops.

    Args:
        path: the file.
        crops: of each the index of its photo, the HR and the LR crop.
        stems: names of the photos.
        size: side of an HR crop, px.

    Returns:
        The number of crops.

    Raises:
        UserError: there is none.
    """
    count = 0
    with create_hdf5(path, {}) as file:
        file.create_dataset("stems", data=[stem.encode() for stem in stems], dtype="S255")
        create_rows(file, "photo", (), np.int32, per_chunk=4096)
        for name, side in (("hr", size), ("lr", size // SCALE)):
            create_rows(file, name, (side, side, 3), np.uint8, per_chunk=1)
        for count, (photo, hr, lr) in enumerate(crops, start=1):
            for name, value in (("photo", photo), ("hr", hr), ("lr", lr)):
                file[name].resize(count, axis=0)
                file[name][count - 1] = value
        if not count:
            raise UserError(f"no training photo is {size} px high and wide; lower sr.crop")
    return count


def save_photos(path: Path, photos: Iterable[tuple[str, Photo, Photo]]) -> int:
    """Write whole photos: one group per stem with `hr` and `lr`; returns their number."""
    with create_hdf5(path, {}) as file:
        for stem, hr, lr in photos:
            group = file.create_group(stem)
            group.create_dataset("hr", data=hr)
            group.create_dataset("lr", data=lr)
        return len(file)


class CropSet:
    """An open set of super-resolution crops."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        if "hr" not in file or "lr" not in file:
            raise FileError(path, FileKind.SR_SET, "not a set of crops")
        self._file = file

    def __len__(self) -> int:
        return int(self._file["hr"].shape[0])

    @property
    def size(self) -> int:
        """Side of an HR crop, px."""
        return int(self._file["hr"].shape[1])

    def read(self, index: int) -> tuple[Photo, Photo]:
        """The HR and LR crop at `index`."""
        return self._file["hr"][index], self._file["lr"][index]

    def read_part(self, part: slice) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """LR crops (N, S / SCALE, S / SCALE, 3) and HR crops (N, S, S, 3), uint8."""
        return self._file["lr"][part], self._file["hr"][part]


@contextmanager
def open_crops(path: Path) -> Iterator[CropSet]:
    """Open training crops for reading.

    Raises:
        UserError: the file is missing, unfinished or of another kind.
    """
    with open_hdf5(path, FileKind.SR_SET) as file:
        yield CropSet(path, file)


def count_photos(path: Path) -> int:
    """Number of photos that `save_photos` wrote."""
    with open_hdf5(path, FileKind.SR_SET) as file:
        return len(file)


def read_photos(path: Path) -> Iterator[tuple[str, Photo, Photo]]:
    """Stem, HR and LR photo of every photo that `save_photos` wrote.

    Raises:
        UserError: the file is missing, unfinished or of another kind.
    """
    with open_hdf5(path, FileKind.SR_SET) as file:
        for stem, group in file.items():
            if not isinstance(group, h5py.Group):
                raise FileError(path, FileKind.SR_SET, "not a set of held-out photos")
            yield stem, group["hr"][()], group["lr"][()]
