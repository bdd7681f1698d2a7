"""Files that stages hand to each other: written whole or not at all, checked when read.

Every artifact is written to a temporary file beside its final name and renamed, so that an
interrupted stage leaves the old file or none. HDF5 files also carry the root attribute
`complete`, written last; a reader refuses a file without it.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import h5py
import numpy as np

from ppcn.errors import FileError, FileKind, UserError, missing_file
from ppcn.files.versions import versions_of

SCHEMA_VERSION = 1
# Of every HDF5 file.
OWN_ATTRIBUTES = ("schema_version", "complete")
# How temporary names begin: short, for the final name may be as long as names can be.
TEMPORARY = ".ppcn-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that becomes `path` if the block succeeds."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(
            dir=path.parent, prefix=TEMPORARY, suffix=path.suffix, delete=False
        ) as handle:
            temporary = Path(handle.name)
    except OSError as error:
        raise UserError(f"{path}: could not be written: {error.strerror}") from error
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def create_hdf5(path: Path, attributes: Mapping[str, Any]) -> Iterator[h5py.File]:
    """Yield a new HDF5 file that becomes `path`, marked complete, if the block succeeds.

    The same contents give the same bytes: no times are stored.
    """
    with replacing(path) as temporary, _new_hdf5(temporary, attributes) as file:
        yield file


@contextmanager
def create_two_hdf5(first: Path, second: Path) -> Iterator[tuple[h5py.File, h5py.File]]:
    """Yield two new HDF5 files that both replace older ones if the block succeeds, or neither."""
    with replacing(first) as one, replacing(second) as other:
        with _new_hdf5(one, {}) as file, _new_hdf5(other, {}) as beside:
            yield file, beside


@contextmanager
def _new_hdf5(path: Path, attributes: Mapping[str, Any]) -> Iterator[h5py.File]:
    with h5py.File(path, "w", libver="earliest") as file:
        file.attrs["schema_version"] = SCHEMA_VERSION
        for key, value in attributes.items():
            file.attrs[key] = json.dumps(value) if isinstance(value, Mapping) else value
        yield file
        file.attrs["complete"] = True


@contextmanager
def open_hdf5(path: Path, kind: FileKind | None) -> Iterator[h5py.File]:
    """Open an artifact for reading.

    Args:
        path: the file.
        kind: what it should hold; None if no command makes it.

    Raises:
        FileError: the file is missing, is no HDF5, is unfinished or has another schema.
        UserError: another process is writing it, or it may not be read.
    """
    if not path.is_file():
        raise missing_file(path, kind)
    try:
        file = h5py.File(path, "r")
    except BlockingIOError:
        advice = "wait for it to end, or stop it, and run again"
        raise UserError(f"{path}: in use by another process, which writes it; {advice}") from None
    except PermissionError:
        raise UserError(f"{path}: may not be read; change its permissions") from None
    except OSError as error:
        raise FileError(path, kind, "not a readable HDF5 file") from error
    with file:
        if not file.attrs.get("complete", False):
            raise FileError(path, kind, "unfinished")
        if file.attrs["schema_version"] != SCHEMA_VERSION:
            raise FileError(path, kind, "made by another version")
        yield file


def attributes_of(file: h5py.File) -> dict[str, Any]:
    """The attributes that `create_hdf5` was given."""
    return {
        key: json.loads(value) if isinstance(value, str) and value.startswith("{") else value
        for key, value in file.attrs.items()
        if key not in OWN_ATTRIBUTES
    }


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a metrics file: finite numbers only, sorted nowhere, newline at the end."""
    with replacing(path) as temporary:
        text = json.dumps(rounded(values), indent=2, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def write_exact_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file whose numbers are read again as they are."""
    with replacing(path) as temporary:
        text = json.dumps(values, indent=2, allow_nan=False, default=_plain)
        temporary.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """A number of NumPy as one of Python."""
    return value.item()


def rounded(value: Any) -> Any:
    """Numbers of a metrics file to 6 decimals; an infinite score becomes null."""
    if isinstance(value, Mapping):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 6) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def read_json(path: Path, kind: FileKind = FileKind.METRICS) -> dict[str, Any]:
    """Read a metrics file, or another JSON file of some kind.

    Raises:
        FileError: it is missing or no JSON object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing_file(path, kind) from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise FileError(path, kind, "not a JSON file") from None
    if not isinstance(values, dict):
        raise FileError(path, kind, "not a metrics file")
    return values


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table; the columns are the union of the rows' keys, in order of arrival."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    with replacing(path) as temporary:
        temporary.write_text(buffer.getvalue(), encoding="utf-8")


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def provenance(seed: int | None, inputs: Mapping[str, Path]) -> dict[str, Any]:
    """What a number depends on beside parameters: seed if any, versions, digests of the inputs."""
    imaging = ("opencv", "numpy", "scikit-image", "scipy", "pillow")
    return {
        **({} if seed is None else {"seed": seed}),
        "versions": versions_of(("ppcn", "torch", "pytorch-msssim", *imaging)),
        "sha256": {name: sha256(path) for name, path in inputs.items()},
    }
