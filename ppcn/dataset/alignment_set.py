"""The HDF5 schema of alignments: one group per stem, geometry only, read one at a time.

Each group holds the datasets `homography` (3, 3), `displacement` (rows, columns, 2) float16 and
`crop`, the other fields of an Alignment as attributes, and as `phone_file` and `dslr_file` the
photos, relative to the folder of photo folders where they lie in it, with the digests of both. The
attribute `status` is "ok", or the sentence of a rejection whose reason is the attribute `reason`;
`scene` is the stem of the first pair that shows the same scene. In place of `scene` the file of a
single pair that was not rejected has what the phone's photo is recognised by.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ppcn.dataset.aligned_pairs import OK, AlignedPairs
from ppcn.dataset.pairs import Pair
from ppcn.errors import FileKind
from ppcn.files.artifacts import create_hdf5, open_hdf5
from ppcn.registration.alignment import Alignment
from ppcn.registration.pair_gates import Rejection, RejectionReason
from ppcn.registration.same_scene import Appearance

APPEARANCE = ("points", "descriptors", "hashed")
NUMBERS = ("matches", "inliers", "residual_px", "agreement", "step")


def status_of(alignment: Alignment) -> str:
    """What files and tables say of a pair: "ok", or the sentence of its rejection."""
    return alignment.rejection.sentence if alignment.rejection else OK


class AlignmentWriter:
    """Adds one alignment after another to an open HDF5 file."""

    def __init__(self, file: h5py.File, root: Path) -> None:
        self.file = file
        self.root = root

    def add(self, pair: Pair, alignment: Alignment, digests: Sequence[str]) -> None:
        """Store the geometry of one pair; no pixels are stored.

        Args:
            pair: the photos.
            alignment: their alignment.
            digests: of the two photos; empty where they cannot be read.
        """
        group = self.file.create_group(pair.stem)
        group["homography"] = alignment.homography.astype(np.float64)
        fields = np.asarray(alignment.displacement, np.float16)
        packing = {"compression": "gzip", "shuffle": True} if fields.size else {}
        group.create_dataset("displacement", data=fields, **packing)
        group["crop"] = np.array(alignment.crop, np.int64)
        group.attrs["status"] = status_of(alignment)
        if alignment.rejection:
            group.attrs["reason"] = alignment.rejection.reason.value
        for name in NUMBERS:
            group.attrs[name] = getattr(alignment, name)
        group.attrs["phone_size"] = np.array(alignment.phone_size, np.int64)
        group.attrs["dslr_size"] = np.array(alignment.reference_size, np.int64)
        for name, path in (("phone_file", pair.phone), ("dslr_file", pair.reference)):
            inside = path.is_relative_to(self.root)
            group.attrs[name] = str(path.relative_to(self.root) if inside else path)
        group.attrs["sha256"] = list(digests)

    def add_appearance(self, stem: str, appearance: Appearance) -> None:
        """Store what the phone's photo of a pair is recognised by."""
        group = self.file[stem]
        for name in APPEARANCE:
            group[name] = getattr(appearance, name)
        group.attrs["size"] = np.array(appearance.size, np.int64)
        group.attrs["taken"] = appearance.taken.isoformat() if appearance.taken else ""

    def note_scenes(self, scenes: Mapping[str, str]) -> None:
        """Store the scene of every pair, by stem."""
        for stem, scene in scenes.items():
            self.file[stem].attrs["scene"] = scene


@contextmanager
def create_alignments(
    path: Path, root: Path, attributes: Mapping[str, Any]
) -> Iterator[AlignmentWriter]:
    """Yield a writer whose file becomes `path` if the block succeeds.

    Args:
        path: the file.
        root: the folder of photo folders.
        attributes: of the file.
    """
    with create_hdf5(path, attributes) as file:
        yield AlignmentWriter(file, root)


class AlignmentSet(AlignedPairs):
    """An open file of alignments: the pairs and their geometry."""

    @cached_property
    def rejections(self) -> dict[str, Rejection | None]:
        """By stem, why the pair must not be used; None if it may."""
        try:
            return {stem: _rejection(group) for stem, group in self._file.items()}
        except (KeyError, AttributeError):
            raise self._foreign() from None

    def __getitem__(self, stem: str) -> Alignment:
        """The alignment of one pair."""
        outline = self.outline(stem)
        try:
            group = self._file[stem]
            displacement = group["displacement"][()].astype(np.float32)
            return replace(outline, homography=group["homography"][()], displacement=displacement)
        except (KeyError, AttributeError):
            raise self._foreign() from None

    def scores(self, stem: str) -> tuple[bool, float, float]:
        """Whether a pair may be used, its agreement and its residual, px; little is read."""
        try:
            attributes = self._file[stem].attrs
            is_accepted = attributes["status"] == OK
            return is_accepted, float(attributes["agreement"]), float(attributes["residual_px"])
        except (KeyError, AttributeError):
            raise self._foreign() from None

    def outline(self, stem: str) -> Alignment:
        """Numbers and crop of one pair; homography and displacement are not read."""
        try:
            group = self._file[stem]
            values = {name: group.attrs[name].item() for name in NUMBERS}
            values["phone_size"] = tuple(group.attrs["phone_size"].tolist())
            values["reference_size"] = tuple(group.attrs["dslr_size"].tolist())
            values["crop"] = tuple(group["crop"][()].tolist())
            return Alignment(rejection=_rejection(group), **values)
        except (KeyError, AttributeError):
            raise self._foreign() from None

    def appearance(self, stem: str) -> Appearance:
        """What the phone's photo is recognised by, in the file of a single pair."""
        group = self._file[stem]
        taken = str(group.attrs["taken"])
        return Appearance(
            size=tuple(group.attrs["size"].tolist()),
            taken=datetime.fromisoformat(taken) if taken else None,
            **{name: group[name][()] for name in APPEARANCE},
        )


def _rejection(group: h5py.Group) -> Rejection | None:
    """The rejection that a group holds."""
    status = str(group.attrs["status"])
    if status == OK:
        return None
    reason = str(group.attrs.get("reason", RejectionReason.UNKNOWN))
    known = reason in [*RejectionReason]
    return Rejection(RejectionReason(reason) if known else RejectionReason.UNKNOWN, status)


@contextmanager
def open_alignments(path: Path) -> Iterator[AlignmentSet]:
    """Open what `create_alignments` wrote.

    Raises:
        FileError: the file is missing, unfinished or of another kind.
    """
    with open_hdf5(path, FileKind.ALIGNMENTS) as file:
        yield AlignmentSet(path, file)
