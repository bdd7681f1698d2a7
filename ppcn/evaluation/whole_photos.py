"""Which of the phone's photos test patches were cut from."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ppcn.dataset.aligned_pairs import open_aligned_pairs
from ppcn.dataset.patch_set import PatchSet
from ppcn.dataset.splits import TEST
from ppcn.errors import FileError, FileKind
from ppcn.evaluation.photo_protocol import HeldOutPhoto
from ppcn.photos.decode import read_photo


def stems_of_test(patches: PatchSet) -> list[str]:
    """Stems of the photos that a set's test patches were cut from, in order.

    Raises:
        UserError: it has no test patches.
    """
    rows = patches.of_split(TEST, "test")
    return sorted({patches.stems[photo] for photo in patches.photo[rows]})


def whole_photos(patches: PatchSet, aligned: Path, root: Path) -> dict[str, Path]:
    """The phone's photos that a set's test patches were cut from, by stem.

    Args:
        patches: the patch set.
        aligned: the alignments that it was cut by, which name the photos.
        root: the folder of photo folders.

    Returns:
        The photos in order of their stems; empty for a set that was cut from no pair of that
        file, such as DPED's released patches.

    Raises:
        UserError: a photo is not there or not the one that was aligned, or the alignments know
            only some of the pairs.
    """
    stems = stems_of_test(patches)
    if not _have_places(patches):
        return {}
    with open_aligned_pairs(aligned) as pairs:
        unknown = sorted(set(stems) - set(pairs.aligned))
        if len(unknown) == len(stems):
            return {}
        if unknown:
            problem = f"does not know {unknown[0]}, of which {patches.path} has test patches"
            raise FileError(aligned, FileKind.ALIGNMENTS, problem)
        return {stem: pairs.phone_photo(stem, root) for stem in stems}


def held_out_photos(patches: PatchSet, photos: Mapping[str, Path]) -> Iterator[HeldOutPhoto]:
    """Test photos with the windows that the test patches were cut from, one photo at a time.

    Args:
        patches: the patch set.
        photos: as from `whole_photos`.
    """
    rows = patches.of_split(TEST, "test")
    corners = np.asarray(patches.field("xy"), np.int64)
    for stem, path in photos.items():
        own = rows[patches.photo[rows] == patches.stems.index(stem)]
        yield HeldOutPhoto(stem, read_photo(path), corners[own], patches.read(own)[1])


def _have_places(patches: PatchSet) -> bool:
    """Whether it is known where in its photo every test patch was."""
    corners = np.asarray(patches.field("xy"), np.int64)
    return bool((corners[patches.of_split(TEST, "test")] >= 0).all())
