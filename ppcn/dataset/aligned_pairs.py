"""Which photos are aligned pairs, as a file of alignments knows; their geometry is not read.

`ppcn.dataset.alignment_set` describes the file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py

from ppcn.dataset.pairs import Pair, photo_digest
from ppcn.errors import FileError, FileKind, UserError
from ppcn.files.artifacts import attributes_of, open_hdf5

OK = "ok"
"""The status of a pair that was not rejected."""


class AlignedPairs:
    """The pairs of an open file of alignments, by stem in sorted order."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self._file = file

    @property
    def attributes(self) -> dict[str, Any]:
        """Phone, reference camera and parameters, as they were stored."""
        return attributes_of(self._file)

    @property
    def reference(self) -> str:
        """Folder name of the better camera."""
        return str(self._file.attrs["reference"])

    @cached_property
    def stems(self) -> list[str]:
        """Stems of all pairs, of those that must not be used, too."""
        return list(self._file)

    @cached_property
    def aligned(self) -> list[str]:
        """Stems of the pairs that may be used."""
        try:
            return [stem for stem, group in self._file.items() if group.attrs["status"] == OK]
        except (KeyError, AttributeError):
            raise self._foreign() from None

    def pair(self, stem: str, root: Path) -> Pair:
        """The photos of one pair, under the folder of photo folders.

        They need not be the ones that were aligned; `unchanged_pair` makes sure of that.
        """
        attributes = self._file[stem].attrs
        phone, reference = (root / str(attributes[name]) for name in ("phone_file", "dslr_file"))
        return Pair(stem, phone, reference)

    def scenes(self) -> dict[str, str]:
        """The scene of every pair that may be used, by stem.

        Raises:
            FileError: the alignments were made by a version that knew no scenes.
        """
        groups = {stem: self._file[stem].attrs for stem in self.aligned}
        if not all("scene" in attributes for attributes in groups.values()):
            raise FileError(
                self.path, FileKind.ALIGNMENTS, "does not say which photos are one scene"
            )
        return {stem: str(attributes["scene"]) for stem, attributes in groups.items()}

    def digests(self, stem: str) -> list[str]:
        """The SHA-256 of the photos that were aligned: the phone's and the reference camera's."""
        return [str(digest) for digest in self._file[stem].attrs["sha256"]]

    def unchanged_pair(self, stem: str, root: Path) -> Pair:
        """The photos of one pair, which are the ones that were aligned.

        Raises:
            UserError: a photo cannot be read, or was changed since.
        """
        pair = self.pair(stem, root)
        for path, digest in zip(pair.photos, self.digests(stem), strict=True):
            _check_unchanged(path, digest)
        return pair

    def phone_photo(self, stem: str, root: Path) -> Path:
        """The phone's photo of one pair, which is the one that was aligned.

        Raises:
            UserError: it cannot be read, or was changed since.
        """
        path = self.pair(stem, root).phone
        _check_unchanged(path, self.digests(stem)[0])
        return path

    def _foreign(self) -> FileError:
        return FileError(self.path, FileKind.ALIGNMENTS, "not an alignment file")


def _check_unchanged(path: Path, digest: str) -> None:
    if photo_digest(path) != digest:
        raise UserError(f"{path}: changed since it was aligned; align it again")


@contextmanager
def open_aligned_pairs(path: Path) -> Iterator[AlignedPairs]:
    """Open a file of alignments for the pairs that it names.

    Raises:
        FileError: the file is missing, unfinished or of another kind.
    """
    with open_hdf5(path, FileKind.ALIGNMENTS) as file:
        yield AlignedPairs(path, file)
