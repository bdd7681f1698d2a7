"""What an export consists of: its tasks, its files, and what is told of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppcn.dataset.aligned_pairs import open_aligned_pairs
from ppcn.dataset.aligned_photos import MASK, PhotoFormat, check_folder_names, distinct_names
from ppcn.dataset.pairs import Pair
from ppcn.dataset.patch_folders import (
    FACTS,
    FOLDERS,
    META_INFO,
    TABLE,
    FolderRow,
    folder_rows,
    meta_info,
    set_facts,
    table_rows,
)
from ppcn.dataset.patch_set import open_patches
from ppcn.dataset.splits import SPLIT_NAMES
from ppcn.errors import UserError
from ppcn.files.artifacts import sha256, write_csv, write_exact_json
from ppcn.jobs.export_pair import PatchTask, PhotoFiles, PhotoTask

PHOTOS, PATCHES = "photos", "patches"
SUFFIXES: dict[PhotoFormat, str] = {"png": ".png", "tiff": ".tif"}
# Patches that one task writes.
ROWS = 256


@dataclass(frozen=True)
class PhotoContents:
    """The photos of an export.

    Attributes:
        pairs: the photos that are read.
        tasks: one for each pair.
        facts: of the export's photos.
    """

    pairs: list[Pair]
    tasks: list[PhotoTask]
    facts: dict[str, Any]

    @property
    def files(self) -> list[str]:
        """What will be written, relative to the folder of the export."""
        return [name for task in self.tasks for name in vars(task.files).values()]


def contents_of_photos(
    aligned: Path,
    root: Path,
    phone: str,
    out: Path,
    photo_format: PhotoFormat,
    is_cropped: bool,
    scratch: Path,
) -> PhotoContents:
    """What is exported of every accepted pair.

    Args:
        aligned: file of the alignments.
        root: folder of photo folders.
        phone: name of the phone.
        out: folder of the export.
        photo_format: of the photos.
        is_cropped: whether the common crop alone is written.
        scratch: folder of the notes on pairs that are done.

    Raises:
        UserError: no pair is accepted, or the alignments are of another phone.
    """
    with open_aligned_pairs(aligned) as alignments:
        attributes, stems = alignments.attributes, alignments.aligned
        pairs = [alignments.pair(stem, root) for stem in stems]
    reference = str(attributes.get("reference"))
    if attributes.get("phone") != phone:
        raise UserError(f"{aligned}: its phone is {attributes.get('phone')}, not {phone}")
    if not pairs:
        raise UserError(f"{aligned}: holds no accepted pair")
    check_folder_names(phone, reference)
    suffix = SUFFIXES[photo_format]
    files = [
        PhotoFiles(
            f"{PHOTOS}/{phone}/{name}{suffix}",
            f"{PHOTOS}/{reference}/{name}{suffix}",
            f"{PHOTOS}/{MASK}/{name}.png",
        )
        for name in distinct_names(stems)
    ]
    tasks = [
        PhotoTask(stem, root, aligned, out, written, photo_format, is_cropped, scratch)
        for stem, written in zip(stems, files, strict=True)
    ]
    facts = {"format": photo_format, "crop": is_cropped, "alignments": sha256(aligned)}
    return PhotoContents(pairs, tasks, {**facts, **attributes})


@dataclass(frozen=True)
class PatchContents:
    """The patches of an export.

    Attributes:
        patch_set: what is exported.
        out: folder of the export.
        rows: the patches by split; splits that have none are left out.
        facts: of the export's patches.
    """

    patch_set: Path
    out: Path
    rows: dict[int, list[FolderRow]]
    facts: dict[str, Any]

    @property
    def tasks(self) -> list[PatchTask]:
        """Some patches each."""
        return [
            PatchTask(self.patch_set, self.out / PATCHES, tuple(rows[first : first + ROWS]))
            for rows in self.rows.values()
            for first in range(0, len(rows), ROWS)
        ]

    @property
    def counts(self) -> dict[str, int]:
        """Patches by the name of their split."""
        return {SPLIT_NAMES[split]: len(rows) for split, rows in self.rows.items()}

    @property
    def files(self) -> list[str]:
        """What will be written, relative to the folder of the export."""
        pictures = (
            f"{PATCHES}/{name}"
            for rows in self.rows.values()
            for row in rows
            for name in (row.phone, row.reference)
        )
        return [*pictures, *(f"{PATCHES}/{name}" for name in self._lists())]

    def _lists(self) -> Iterator[str]:
        yield FACTS
        for split in self.rows:
            yield f"{FOLDERS[split][0]}/{META_INFO}"
            yield f"{FOLDERS[split][0]}/{TABLE}"

    def write_lists(self) -> dict[str, str]:
        """Write the lists of the patches, whose folders are there.

        Returns:
            The SHA-256 of the files by name.
        """
        top = self.out / PATCHES
        with open_patches(self.patch_set) as patches:
            write_exact_json(top / FACTS, set_facts(patches))
            for split, rows in self.rows.items():
                folder = top / FOLDERS[split][0]
                text = meta_info(rows, patches.scale * patches.size)
                (folder / META_INFO).write_text(text, encoding="utf-8")
                write_csv(folder / TABLE, list(table_rows(patches, rows)))
        return {f"{PATCHES}/{name}": sha256(top / name) for name in self._lists()}


def contents_of_patches(patch_set: Path, out: Path) -> PatchContents:
    """What is exported of a patch set, split by split.

    Raises:
        UserError: the set is missing, unfinished, of another kind, or empty.
    """
    with open_patches(patch_set) as patches:
        rows = folder_rows(patches)
        facts = {"size": patches.size, "scale": patches.scale, **patches.attributes}
    if not rows:
        raise UserError(f"{patch_set}: holds no patch")
    by_split = {split: [row for row in rows if row.split == split] for split in FOLDERS}
    present = {split: some for split, some in by_split.items() if some}
    return PatchContents(patch_set, out, present, {"patch_set": sha256(patch_set), **facts})
