"""Patch sets as folders of pictures, in the layout of BasicSR's paired data sets.

For each split <split>/lq/<name>.png is a phone's patch, <split>/gt/<name>.png the reference
camera's, and <split>/meta_info.txt lists the latter with their shapes. Beside what BasicSR reads,
<split>/patches.csv says where each patch was cut, and patch-set.json what the set says of itself.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ppcn.dataset.aligned_photos import distinct_names
from ppcn.dataset.patch_set import PatchSet
from ppcn.dataset.splits import TEST, TRAIN, VALIDATION

PHONE, REFERENCE = "lq", "gt"
SUFFIX = ".png"
META_INFO, TABLE, FACTS = "meta_info.txt", "patches.csv", "patch-set.json"
# Names of a split's folder that are read, the one that is written first.
FOLDERS = {TRAIN: ("train",), VALIDATION: ("validation", "valid", "val"), TEST: ("test",)}
# Spaces end a name in meta_info.txt, and dots in LMDB; file systems do not take all of the others.
UNSAFE = re.compile(r'[\s./\\:*?"<>|\x00-\x1f]')
# Of a stem, bytes: file names have 255, with corner, number and suffix.
LONGEST_STEM = 200


@dataclass(frozen=True)
class FolderRow:
    """A patch and its files.

    Attributes:
        row: of the patch in its set.
        split: of `ppcn.dataset.splits`.
        name: of both files, without suffix.
    """

    row: int
    split: int
    name: str

    @property
    def phone(self) -> str:
        """The phone's file, relative to the folder of patches."""
        return f"{FOLDERS[self.split][0]}/{PHONE}/{self.name}{SUFFIX}"

    @property
    def reference(self) -> str:
        """The reference camera's file, relative to the folder of patches."""
        return f"{FOLDERS[self.split][0]}/{REFERENCE}/{self.name}{SUFFIX}"


def folder_rows(patches: PatchSet) -> list[FolderRow]:
    """All patches of a set, in order, each with a name of its photo and its corner, all unlike."""
    stems = [_safe(stem) for stem in patches.stems]
    corners = np.asarray(patches.field("xy")).tolist()
    wanted = (
        f"{stems[photo]}_{x}_{y}" if min(x, y) >= 0 else stems[photo]
        for photo, (x, y) in zip(patches.photo, corners, strict=True)
    )
    names = enumerate(distinct_names(wanted))
    return [FolderRow(row, int(patches.split[row]), name) for row, name in names]


def _safe(stem: str) -> str:
    """A stem as part of a file name that BasicSR and all file systems take."""
    return UNSAFE.sub("_", stem).encode()[:LONGEST_STEM].decode("utf-8", "ignore")


def meta_info(rows: Sequence[FolderRow], side: int) -> str:
    """The text of meta_info.txt for one split, whose pictures are RGB of `side` px."""
    names = sorted(f"{row.name}{SUFFIX}" for row in rows)
    return "".join(f"{name} ({side},{side},3)\n" for name in names)


def table_rows(patches: PatchSet, rows: Sequence[FolderRow]) -> Iterator[dict[str, Any]]:
    """The rows of patches.csv for one split; numbers are written in full."""
    fields = {name: patches.field(name) for name in ("xy", "shift", "rotation", "ncc")}
    for row in rows:
        xy, shift, rotation, ncc = (values[row.row] for values in fields.values())
        photo = int(patches.photo[row.row])
        yield {
            "name": row.name,
            "row": row.row,
            "photo": photo,
            "stem": patches.stems[photo],
            "x": int(xy[0]),
            "y": int(xy[1]),
            "shift_x": str(shift[0]),
            "shift_y": str(shift[1]),
            "rotation": str(rotation),
            "ncc": str(ncc),
        }


def set_facts(patches: PatchSet) -> dict[str, Any]:
    """What patch-set.json holds."""
    return {
        "stems": patches.stems,
        "size": patches.size,
        "scale": patches.scale,
        "attributes": patches.attributes,
    }
