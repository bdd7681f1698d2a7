"""The HDF5 schemas of super-resolution: training crops and held-out photos, HR and LR.

A set of crops holds the datasets `hr` (N, S, S, 3) uint8, `lr` (N, S / k, S / k, 3) uint8 and
`photo` (N,), which indexes the dataset `stems`. A set of photos holds a group for each of them,
with `hr`, `lr` and, where photos to validate on are not those to score on, the attribute `use`.
The attribute `scale` of both is k; the attribute `lr` says how LR was made where it is neither
recorded by a phone nor reduced bicubically.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from ppcn.dataset.patch_set import create_rows
from ppcn.errors import FileError, FileKind, UserError
from ppcn.files.artifacts import open_hdf5
from ppcn.photos.decode import Photo
from ppcn.photos.resize import SCALE

Use = Literal["validation", "test"]


def write_crops(
    file: h5py.File,
    crops: Iterable[tuple[int, Photo, Photo]],
    stems: Sequence[str],
    size: int,
    scale: int = SCALE,
) -> int:
    """Write training crops into an open file.

    Args:
        file: the file.
        crops: of each the index of its photo, the HR and the LR crop.
        stems: names of the photos.
        size: side of an HR crop, px.
        scale: HR pixels per LR pixel, along a side.

    Returns:
        The number of crops.

    Raises:
        UserError: there is none.
    """
    count = 0
    file.attrs["scale"] = scale
    write_stems(file, stems)
    create_rows(file, "photo", (), np.int32, per_chunk=4096)
    for name, side in (("hr", size), ("lr", size // scale)):
        create_rows(file, name, (side, side, 3), np.uint8, per_chunk=1)
    for count, (photo, hr, lr) in enumerate(crops, start=1):
        for name, value in (("photo", photo), ("hr", hr), ("lr", lr)):
            file[name].resize(count, axis=0)
            file[name][count - 1] = value
    if not count:
        raise UserError(f"no training photo is {size} px high and wide; lower sr.crop")
    return count


def write_stems(file: h5py.File, stems: Sequence[str]) -> None:
    """Name the photos of an open file of crops, in place of names that it has."""
    if "stems" in file:
        del file["stems"]
    file.create_dataset("stems", data=[stem.encode() for stem in stems], dtype="S255")


def write_photos(
    file: h5py.File,
    photos: Iterable[tuple[str, Photo, Photo]],
    scale: int = SCALE,
    use: Use | None = None,
) -> int:
    """Write whole photos into an open file, to those that it has.

    Args:
        file: the file.
        photos: of each the name, the HR and the LR photo.
        scale: HR pixels per LR pixel, along a side.
        use: what they are for; by default for both.

    Returns:
        The number of photos in the file.
    """
    file.attrs["scale"] = scale
    for stem, hr, lr in photos:
        group = file.create_group(stem)
        group.create_dataset("hr", data=hr)
        group.create_dataset("lr", data=lr)
        if use:
            group.attrs["use"] = use
    return len(file)


class CropSet:
    """An open set of super-resolution crops."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        if "hr" not in file or "lr" not in file:
            raise FileError(path, FileKind.SR_SET, "not a set of crops")
        self.path = path
        self.scale, self.lr = _scale_of(file), _lr_of(file)
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
        """LR crops (N, S / k, S / k, 3) and HR crops (N, S, S, 3), uint8."""
        return self._file["lr"][part], self._file["hr"][part]


def is_crop_set(path: Path) -> bool:
    """Whether a file is a set of crops, as far as its datasets tell."""
    if not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return isinstance(file.get("hr"), h5py.Dataset) and "lr" in file


@contextmanager
def open_crops(path: Path) -> Iterator[CropSet]:
    """Open training crops for reading.

    Raises:
        UserError: the file is missing, unfinished or of another kind.
    """
    with open_hdf5(path, FileKind.SR_SET) as file:
        yield CropSet(path, file)


class HeldOutPhotos:
    """An open set of photos that are not trained on; pixels are read as they are asked for."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        if not len(file) or not all(isinstance(group, h5py.Group) for group in file.values()):
            raise FileError(path, FileKind.SR_SET, "not a set of held-out photos")
        self.path = path
        self.scale, self.lr = _scale_of(file), _lr_of(file)
        self._file = file

    def names(self, use: Use) -> list[str]:
        """Names of the photos to validate or to score on."""
        return [n for n, group in self._file.items() if group.attrs.get("use", use) == use]

    @property
    def side(self) -> int:
        """The shorter side of the HR photo that is the largest to validate on, px."""
        shapes = [self._file[name]["hr"].shape[:2] for name in self.names("validation")]
        return max((min(shape) for shape in shapes), default=0)

    def read(self, names: Iterable[str]) -> Iterator[tuple[Photo, Photo]]:
        """HR and LR photo of each name."""
        for name in names:
            group = self._file[name]
            yield group["hr"][()], group["lr"][()]


@contextmanager
def open_held_out(path: Path) -> Iterator[HeldOutPhotos]:
    """Open what `write_photos` wrote.

    Raises:
        UserError: the file is missing, unfinished or of another kind.
    """
    with open_hdf5(path, FileKind.SR_SET) as file:
        yield HeldOutPhotos(path, file)


def name_lr(file: h5py.File, lr: str) -> None:
    """Note in an open set how its LR photos are made, unless it goes without saying."""
    if lr == "camera":
        file.attrs["lr"] = lr


def _lr_of(file: h5py.File) -> dict[str, str]:
    """What `name_lr` noted, for the record; empty where it noted nothing."""
    return {"lr": str(file.attrs["lr"])} if "lr" in file.attrs else {}


def _scale_of(file: h5py.File) -> int:
    """The scale of a set; those of before there was a choice say none: 4."""
    return int(file.attrs.get("scale", SCALE))
