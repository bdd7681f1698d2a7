"""Names of files that are one name to people, and on some file systems."""

import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path

from ppcn.errors import UserError

SAME_BUT = "the same name but for upper and lower case or the spelling of accents"


def same_name_key(name: str) -> str:
    """What names have in common that differ in case and in Unicode's composition alone.

    "Café.JPG" with an é of one character or of two, and "café.jpg", have one key.
    """
    return composed(unicodedata.normalize("NFD", name).casefold())


def composed(name: str) -> str:
    """A name in Unicode's composed spelling (NFC), as most systems but older Macs write it."""
    return unicodedata.normalize("NFC", name)


def group_by_name(photos: Iterable[Path]) -> dict[str, list[Path]]:
    """Photos of one folder by the keys of their stems, in the order given."""
    groups: dict[str, list[Path]] = {}
    for path in photos:
        groups.setdefault(same_name_key(path.stem), []).append(path)
    return groups


def by_same_name(photos: Iterable[Path]) -> dict[str, Path]:
    """Photos of one folder by the keys of their stems, in the order given.

    Raises:
        UserError: the stems of some have one key.
    """
    groups = group_by_name(photos)
    clashes = [paths for paths in groups.values() if len(paths) > 1]
    if clashes:
        listed = "; ".join(" and ".join(path.name for path in paths) for paths in clashes)
        raise UserError(f"{clashes[0][0].parent}: {SAME_BUT} ({listed}); rename one of each")
    return {key: path for key, (path,) in groups.items()}


def matching_name(name: str, known: Collection[str]) -> str | None:
    """The known name that a user means: the same, or the only one of the same key."""
    if name in known:
        return name
    alike = [other for other in known if same_name_key(other) == same_name_key(name)]
    return alike[0] if len(alike) == 1 else None


def padded_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that YAML reads as the number `name` where it has no quotes: "0001" as 1."""
    if not name.isdecimal():
        return None
    return next((other for other in known if other.isdecimal() and int(other) == int(name)), None)


class StoredFiles:
    """Files below a folder, found in the spelling that the disk has.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listed: dict[Path, dict[str, list[Path]]] = {}

    def find(self, name: str) -> Path:
        """The file that a name means.

        Args:
            name: a path below the folder, or an absolute one.

        Returns:
            The path as it is named if it exists, else the only one that differs from it in case
            and composition alone; the path as it is named if there is none.

        Raises:
            UserError: several differ so.
        """
        return self._find(self._root / name)

    def _find(self, path: Path) -> Path:
        if path.exists() or path in (self._root, path.parent):
            return path
        folder = self._find(path.parent)
        alike = self._names_in(folder).get(same_name_key(path.name), [])
        if len(alike) > 1:
            names = " or ".join(other.name for other in alike[:2])
            raise UserError(f"{path} may be {names}; name one as it is spelt")
        return alike[0] if alike else path

    def _names_in(self, folder: Path) -> dict[str, list[Path]]:
        """What a folder holds, by keys; nothing if there is none."""
        if folder not in self._listed:
            by_key: dict[str, list[Path]] = {}
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                by_key.setdefault(same_name_key(path.name), []).append(path)
            self._listed[folder] = by_key
        return self._listed[folder]
