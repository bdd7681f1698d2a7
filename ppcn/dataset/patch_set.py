"""The HDF5 schema of patch sets.

`data/patches/<phone>.h5` holds datasets of equal length N, one chunk per patch: `phone`
(N, S, S, 3) uint8 and `dslr` (N, k S, k S, 3) uint8, the reference camera's patches, where k is
`patches.scale`; and the fields of `PATCH_FIELDS`; `photo` indexes the dataset `stems`. Its
attribute `cameras` names the models that EXIF gives for `phone` and `dslr`.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ppcn.dataset.pairs import Pair
from ppcn.errors import FileError, FileKind, UserError
from ppcn.files.artifacts import attributes_of, open_hdf5
from ppcn.photos.decode import Photo, camera_model


def camera_models(pairs: Sequence[Pair]) -> dict[str, list[str]]:
    """The attribute `cameras` of a patch set that is cut from some pairs."""
    return {
        "phone": sorted({camera_model(pair.phone) for pair in pairs} - {""}),
        "dslr": sorted({camera_model(pair.reference) for pair in pairs} - {""}),
    }


@dataclass(frozen=True)
class Patch:
    """One accepted pair of windows.

    Attributes:
        phone: (S, S, 3) uint8 RGB, the phone's own pixels.
        reference: (k S, k S, 3) uint8 RGB, warped from the reference photo; k is `patches.scale`.
        xy: top-left corner in phone pixels.
        shift: (dx, dy) px by which the search corrected the alignment.
        rotation: degrees by which the search corrected the alignment.
        ncc: normalised cross-correlation of the two grey patches, the reference photo's at the
            phone's size and in its own colours.
    """

    phone: Photo
    reference: Photo
    xy: tuple[int, int]
    shift: tuple[float, float]
    rotation: float
    ncc: float


# Datasets of pixels, and the field of a Patch that each holds.
PIXELS = {"phone": "phone", "dslr": "reference"}
PATCH_FIELDS = {
    "photo": ((), np.int32),
    "xy": ((2,), np.int32),
    "shift": ((2,), np.float32),
    "rotation": ((), np.float32),
    "ncc": ((), np.float32),
    "split": ((), np.uint8),
}
# Of a patch itself, whatever set it is in.
OWN_FIELDS = [name for name in PATCH_FIELDS if name not in ("photo", "split")]


class PatchWriter:
    """Appends the patches of one photo after another to an open HDF5 file.

    Args:
        file: the file, empty as yet.
        stems: names of the photos.
        size: side of a phone's patch, px.
        scale: side of a reference camera's patch, in sides of a phone's.
    """

    def __init__(self, file: h5py.File, stems: Sequence[str], size: int, scale: int = 1) -> None:
        self.file = file
        self.count = 0
        file.create_dataset("stems", data=[stem.encode() for stem in stems], dtype="S255")
        for name, side in (("phone", size), ("dslr", scale * size)):
            create_rows(file, name, (side, side, 3), np.uint8, per_chunk=1)
        for name, (shape, kind) in PATCH_FIELDS.items():
            create_rows(file, name, shape, kind, per_chunk=4096)

    def add(self, photo: int, split: int, patches: Sequence[Patch]) -> None:
        """Append patches that were cut from the photo with index `photo`."""
        rows = self._grow(len(patches))
        for name, field in PIXELS.items():
            chunks = self.file[name].id
            for row, patch in zip(rows, patches, strict=True):
                chunks.write_direct_chunk((row, 0, 0, 0), getattr(patch, field).tobytes())
        for name in OWN_FIELDS:
            self._fill(name, rows, [getattr(patch, name) for patch in patches])
        self._fill("photo", rows, photo)
        self._fill("split", rows, split)

    def copy(self, photo: int, split: int, patches: "PatchSet", digests: set[bytes]) -> int:
        """Append the patches of another set as the photo with index `photo`.

        Patches whose phone pixels have a digest that is in `digests` are left out; those of the
        others are added to it.

        Returns:
            The number of patches that were left out.
        """
        fresh = {}
        for source in range(len(patches.ncc)):
            pixels = patches.raw("phone", source)
            digest = hashlib.sha256(pixels).digest()
            if digest not in digests:
                digests.add(digest)
                fresh[source] = pixels
        rows = self._grow(len(fresh))
        for row, (source, pixels) in zip(rows, fresh.items(), strict=True):
            for name, raw in (("phone", pixels), ("dslr", patches.raw("dslr", source))):
                self.file[name].id.write_direct_chunk((row, 0, 0, 0), raw)
        for name in OWN_FIELDS:
            self._fill(name, rows, patches.field(name)[list(fresh)])
        self._fill("photo", rows, photo)
        self._fill("split", rows, split)
        return len(patches.ncc) - len(fresh)

    def field(self, name: str) -> NDArray[Any]:
        """One of PATCH_FIELDS, for all patches so far."""
        return self.file[name][()]

    def note_rejected(self, counts: Mapping[str, int]) -> None:
        """Store how many windows were rejected, by outcome."""
        self.file.attrs["refused"] = json.dumps(counts)

    def _grow(self, more: int) -> range:
        """Make room for more rows; returns their numbers."""
        rows = range(self.count, self.count + more)
        for name in (*PIXELS, *PATCH_FIELDS):
            self.file[name].resize(rows.stop, axis=0)
        self.count = rows.stop
        return rows

    def _fill(self, name: str, rows: range, values: object) -> None:
        if rows:
            self.file[name][rows.start : rows.stop] = values


def create_rows(
    file: h5py.File, name: str, shape: tuple[int, ...], kind: np.typing.DTypeLike, per_chunk: int
) -> None:
    """An empty dataset whose first axis grows."""
    sizes = {"shape": (0, *shape), "maxshape": (None, *shape), "chunks": (per_chunk, *shape)}
    file.create_dataset(name, dtype=kind, **sizes)


class PatchSet:
    """An open patch set; pixels are read as they are asked for."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self._file = file
        try:
            self.stems = [stem.decode() for stem in file["stems"]]
            self.photo, self.split, self.ncc = (file[n][()] for n in ("photo", "split", "ncc"))
            self.size = int(file["phone"].shape[1])
            self.scale = int(file["dslr"].shape[1]) // self.size
            # Sets made of photos whose cameras are unknown name none.
            self.cameras: dict[str, list[str]] = json.loads(file.attrs.get("cameras", "{}"))
        except KeyError:
            raise FileError(path, FileKind.PATCH_SET, "not a patch set") from None

    def of_split(self, split: int, name: str) -> NDArray[np.int64]:
        """Indices of the patches of one split.

        Raises:
            UserError: the split is empty.
        """
        indices = np.flatnonzero(self.split == split)
        if not len(indices):
            raise UserError(
                f"{self.path}: has no {name} patches; add photos or change patches.split"
            )
        return indices

    def windows_of(self, stem: str) -> list[tuple[NDArray[np.int32], NDArray[np.float32], float]]:
        """Top-left corner, shift and rotation of every patch of one photo.

        Raises:
            UserError: the set was cut before that photo was there.
        """
        if stem not in self.stems:
            raise FileError(self.path, FileKind.PATCH_SET, f"does not know {stem}")
        rows = np.flatnonzero(self.photo == self.stems.index(stem))
        xy, shift, rotation = (self.field(name) for name in ("xy", "shift", "rotation"))
        return [(xy[row], shift[row], float(rotation[row])) for row in rows]

    @property
    def attributes(self) -> dict[str, Any]:
        """Phone, reference camera, cameras and parameters, as far as they were stored."""
        return attributes_of(self._file)

    def field(self, name: str) -> NDArray[np.generic]:
        """One of PATCH_FIELDS, for all patches."""
        return self._file[name][()]

    def extra(self, name: str) -> NDArray[np.generic]:
        """A dataset that the file holds besides the patches."""
        return self._file[name][()]

    def raw(self, name: str, row: int) -> bytes:
        """The bytes of one patch of a dataset of PIXELS as they are stored."""
        return self._file[name].id.read_direct_chunk((row, 0, 0, 0))[1]

    def pairs(self, indices: Iterable[int]) -> Iterator[tuple[Photo, Photo]]:
        """Phone and reference patch at each of `indices`, one pair after another."""
        for index in indices:
            phone, reference = self.read([int(index)])
            yield phone[0], reference[0]

    def read(self, indices: Iterable[int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Phone and reference patches, (N, S, S, 3) and (N, k S, k S, 3) uint8, at `indices`."""
        wanted = list(indices)
        pixels = []
        for name in PIXELS:
            dataset = self._file[name]
            out = np.empty((len(wanted), *dataset.shape[1:]), np.uint8)
            for row, index in enumerate(wanted):
                dataset.read_direct(out, np.s_[index], np.s_[row])
            pixels.append(out)
        return pixels[0], pixels[1]


@contextmanager
def open_patches(path: Path) -> Iterator[PatchSet]:
    """Open a patch set for reading, whatever its scale.

    Raises:
        UserError: the file is missing, unfinished or of another kind.
    """
    with open_hdf5(path, FileKind.PATCH_SET) as file:
        yield PatchSet(path, file)


@contextmanager
def open_equal_patches(path: Path) -> Iterator[PatchSet]:
    """Open a patch set of enhancement, whose patches are of one size on both sides.

    Raises:
        UserError: as `open_patches`, or the reference camera's patches are larger.
    """
    with open_patches(path) as patches:
        if patches.scale != 1:
            raise UserError(
                f"{path}: holds pairs for super-resolution, cut at patches.scale {patches.scale}; "
                "cut them at 1 for enhancement, or name the file as sr.hr_train"
            )
        yield patches
