"""Results of single pairs, kept in a scratch folder until the artifact is whole.

A shard's name is a digest of all that its content depends on: the photos' bytes, the parameters
and the code. So a run that was interrupted finds what it has done, and a run with other photos,
parameters or code finds nothing.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from ppcn.errors import UserError
from ppcn.files.artifacts import open_hdf5
from ppcn.files.versions import version_of

LIBRARIES = ("h5py", "numpy", "opencv", "pillow", "scipy")


@contextmanager
def scratch_for(out: Path) -> Iterator[Path]:
    """Yield the folder of an artifact's shards; it is removed when the block succeeds."""
    folder = out.parent / f".{out.stem}-shards"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def get_or_compute(
    folder: Path, digests: Sequence[str], settings: Any, write: Callable[[Path], None]
) -> tuple[Path, bool]:
    """The shard of some files and settings, written now unless it is there and whole.

    Args:
        folder: the scratch folder.
        digests: of the photos.
        settings: whatever else the content depends on; told apart by its repr.
        write: writes the shard as HDF5, all of it or nothing.

    Returns:
        Its path, and whether an earlier run had written it.
    """
    parts = [code_digest(), repr(settings), *digests]
    name = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    path = folder / f"{name}.h5"
    if _is_whole(path):
        return path, True
    write(path)
    return path, False


def _is_whole(path: Path) -> bool:
    try:
        with open_hdf5(path, None):
            return True
    except UserError:
        return False


@cache
def code_digest() -> str:
    """Digest of this package's source and of the libraries' versions."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(source.read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library} {version_of(library)}".encode())
    return digest.hexdigest()
