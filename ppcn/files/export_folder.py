"""A folder of many files that one export makes: whole, or not to be taken for whole.

While files are written the folder holds `UNFINISHED`, and `MARKER` comes last. Both list the files
that belong to the export, so that the next one replaces or removes those and no other.
"""

import os
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ppcn.errors import UserError
from ppcn.files.artifacts import TEMPORARY, read_json, write_exact_json

MARKER = "export.json"
UNFINISHED = "export-unfinished.json"


class ExportFolder:
    """A folder that is new, empty, or made by an earlier export.

    Args:
        path: the folder.

    Raises:
        UserError: it is a file, holds files and no marker, or its marker is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise UserError(f"{path}: is a file; name a folder")
        markers = [path / name for name in (MARKER, UNFINISHED) if (path / name).is_file()]
        if not markers and path.is_dir() and any(path.iterdir()):
            raise UserError(f"{path}: holds files of no export; name a new or an empty folder")
        self._earlier = {name for marker in markers for name in _listed(marker)}

    def begin(self, files: Collection[str]) -> None:
        """Mark the folder as unfinished.

        Args:
            files: what will be written, relative to the folder.

        Raises:
            UserError: one of the files exists and is of no export, or the folder cannot be made.
        """
        for name in files:
            if name not in self._earlier and (self.path / name).exists():
                raise UserError(f"{self.path / name}: is of no export; move it elsewhere")
        write_exact_json(self.path / UNFINISHED, {"files": sorted({*self._earlier, *files})})
        (self.path / MARKER).unlink(missing_ok=True)

    def finish(self, facts: Mapping[str, Any], digests: Mapping[str, str]) -> None:
        """Remove what an earlier export wrote and this one did not, and mark the folder as whole.

        Args:
            facts: what the export is and was made of.
            digests: the SHA-256 of every file, by its name relative to the folder.
        """
        for folder in {(self.path / name).parent for name in (*digests, *self._earlier)}:
            for temporary in folder.glob(f"{TEMPORARY}*"):
                temporary.unlink()
        for name in self._earlier - digests.keys():
            (self.path / name).unlink(missing_ok=True)
            _remove_empty((self.path / name).parent, self.path)
        # The marker must not reach the disk before the files that it speaks of.
        os.sync()
        write_exact_json(self.path / MARKER, {**facts, "files": dict(sorted(digests.items()))})
        (self.path / UNFINISHED).unlink(missing_ok=True)


def check_finished(folder: Path) -> None:
    """Refuse a folder that an interrupted export left, or that is part of such a folder.

    Raises:
        UserError: it is one.
    """
    for place in (folder, *folder.absolute().parents[:2]):
        if (place / UNFINISHED).is_file() and not (place / MARKER).is_file():
            raise UserError(f"{place}: its export was interrupted; repeat it first")


def _listed(marker: Path) -> list[str]:
    """The files that a marker lists, all of them inside its folder."""
    names = read_json(marker).get("files")
    if not isinstance(names, dict | list) or not all(map(_is_inside, names)):
        raise UserError(f"{marker}: lists no files of an export; name a new or an empty folder")
    return list(names)


def _is_inside(name: object) -> bool:
    path = PurePosixPath(str(name))
    return not path.is_absolute() and ".." not in path.parts


def _remove_empty(folder: Path, top: Path) -> None:
    """Remove a folder, and those around it below `top`, as far as they are empty."""
    while folder != top and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
