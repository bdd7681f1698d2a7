"""Exporting aligned pairs and patches as picture files: what a worker does."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ppcn.dataset.aligned_photos import (
    AlignedPhotos,
    PhotoFormat,
    encode_photo,
    read_aligned,
)
from ppcn.dataset.alignment_set import open_alignments
from ppcn.dataset.pairs import Pair
from ppcn.dataset.patch_folders import FolderRow
from ppcn.dataset.patch_set import open_patches
from ppcn.errors import UserError
from ppcn.files.artifacts import attributes_of, create_hdf5, open_hdf5, replacing, sha256
from ppcn.jobs.align_pair import UNFORESEEN
from ppcn.jobs.cache import get_or_compute
from ppcn.photos.decode import encode_png
from ppcn.registration.alignment import Alignment


@dataclass(frozen=True)
class PhotoFiles:
    """Where the photos of a pair and its mask go, relative to the folder of the export."""

    phone: str
    reference: str
    mask: str


@dataclass(frozen=True)
class PhotoTask:
    """Arguments of `export_photos`.

    Attributes:
        stem: the pair.
        root: folder of photo folders.
        aligned: file of the alignments.
        out: folder of the export.
        files: what to write.
        photo_format: of the photos.
        is_cropped: whether the common crop alone is written.
        scratch: folder of the notes on pairs that are done.
    """

    stem: str
    root: Path
    aligned: Path
    out: Path
    files: PhotoFiles
    photo_format: PhotoFormat
    is_cropped: bool
    scratch: Path

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.stem


@dataclass(frozen=True)
class ExportedPhotos:
    """What was written of a pair.

    Attributes:
        facts: of the pair: its crop in phone pixels, size, bits, share of valid pixels.
        digests: SHA-256 of the files by name.
        was_cached: whether an earlier run had written them.
    """

    facts: dict[str, Any]
    digests: dict[str, str]
    was_cached: bool


def export_photos(task: PhotoTask) -> ExportedPhotos:
    """Write the photos of one aligned pair and their mask, unless an interrupted run has.

    Raises:
        UserError: a photo is damaged, or is not the one that was aligned.
    """
    with open_alignments(task.aligned) as alignments:
        alignment = alignments[task.stem]
        pair = alignments.unchanged_pair(task.stem, task.root)
        digests = alignments.digests(task.stem)
    arrays = (alignment.homography, alignment.displacement, np.array(alignment.crop))
    geometry = [array.tobytes() for array in arrays]
    settings = (str(task.out.absolute()), task.files, task.photo_format, task.is_cropped, geometry)

    def write(note: Path) -> None:
        _write_note(note, task, pair, alignment)

    note, was_cached = get_or_compute(task.scratch, digests, settings, write)
    facts, written = _read_note(note)
    if was_cached and not _unchanged(task.out, written):
        write(note)
        facts, written = _read_note(note)
    return ExportedPhotos(facts, written, was_cached)


def _write_note(note: Path, task: PhotoTask, pair: Pair, alignment: Alignment) -> None:
    """Write the photos of a pair, then the note that they are there."""
    try:
        photos = read_aligned(pair, alignment, task.photo_format == "tiff", task.is_cropped)
    except UNFORESEEN as error:
        raise UserError(
            f"{pair.phone}: cannot be warped ({type(error).__name__}: {error}); leave it out"
        ) from error
    pictures = {
        task.files.phone: encode_photo(photos.phone, task.photo_format),
        task.files.reference: encode_photo(photos.reference, task.photo_format),
        task.files.mask: encode_png(photos.mask),
    }
    written = {name: _write(task.out / name, data) for name, data in pictures.items()}
    facts = _facts(photos, alignment, task)
    with create_hdf5(note, {"facts": facts, "files": written}):
        pass


def _facts(photos: AlignedPhotos, alignment: Alignment, task: PhotoTask) -> dict[str, Any]:
    height, width = photos.mask.shape
    return {
        "stem": task.stem,
        **asdict(task.files),
        "size": [width, height],
        "crop": list(alignment.crop),
        "bits": {"phone": 8 * photos.phone.itemsize, "reference": 8 * photos.reference.itemsize},
        "valid": float((photos.mask > 0).mean()) if photos.mask.size else 0.0,
    }


def _read_note(note: Path) -> tuple[dict[str, Any], dict[str, str]]:
    with open_hdf5(note, None) as file:
        values = attributes_of(file)
    return values["facts"], values["files"]


def _unchanged(out: Path, digests: Mapping[str, str]) -> bool:
    """Whether files are as an earlier run wrote them."""
    return all(
        (out / name).is_file() and sha256(out / name) == digest for name, digest in digests.items()
    )


@dataclass(frozen=True)
class PatchTask:
    """Arguments of `export_patches`: some rows of a patch set, and the folder of all patches."""

    patch_set: Path
    out: Path
    rows: tuple[FolderRow, ...]

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.rows[0].name


def export_patches(task: PatchTask) -> dict[str, str]:
    """Write some patches of a set.

    Returns:
        The SHA-256 of the files by name.
    """
    digests = {}
    with open_patches(task.patch_set) as patches:
        for row in task.rows:
            (phone,), (reference,) = patches.read([row.row])
            for name, pixels in ((row.phone, phone), (row.reference, reference)):
                # Small files by the thousand: the folder's marker says whether all are whole.
                data = encode_png(pixels)
                path = task.out / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                digests[name] = hashlib.sha256(data).hexdigest()
    return digests


def _write(path: Path, data: bytes) -> str:
    """Write a file whole or not at all; returns its SHA-256."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
