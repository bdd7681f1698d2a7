"""What zip files, tar files and folders hold, and the photos of one folder taken out safely.

A name that leads out of the folder, a link, a device, an encrypted file, and more files or bytes
than the limits allow end the reading before anything is put in its place.
"""

import gzip
import io
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, NamedTuple

from ppcn.downloads.sources import PHOTO_SUFFIXES
from ppcn.downloads.transfer import no_space
from ppcn.errors import UserError
from ppcn.files.artifacts import TEMPORARY

COPY_CHUNK = 2**20
# Headers of tar files are read at once; none of an archive of photos is nearly as long.
LONGEST_HEADER = 2**22
ENCRYPTED = 0x1
GZIP_MAGIC = b"\x1f\x8b"
# What Macs put into archives beside the files.
MAC_FOLDER = "__MACOSX"


class Member(NamedTuple):
    """A file in an archive or a folder.

    Attributes:
        path: its name as stored.
        size: bytes as stored.
        open: opens it for reading.
    """

    path: str
    size: int
    open: Callable[[], IO[bytes]]


class Extent(NamedTuple):
    """How much a folder or an archive holds, or may hold.

    Attributes:
        files: their number.
        bytes: of all of them.
    """

    files: int
    bytes: int


class UnsafeArchiveError(UserError):
    """An archive holds what none of photos holds."""


def measure(folder: Path) -> Extent:
    """Count the photos of a folder and of those below it."""
    photos = [path for path in folder.rglob("*") if is_photo(path.relative_to(folder))]
    sizes = [path.stat().st_size for path in photos if path.is_file()]
    return Extent(len(sizes), sum(sizes))


@contextmanager
def extracting(
    source: Path, name: str, target: Path, limits: Extent, root: str, count: Callable[[int], None]
) -> Iterator[Extent]:
    """Take the photos of one folder out of an archive or of another folder.

    Args:
        source: a zip file, a tar file, compressed or not, or a folder.
        name: of the folder in it, at whatever depth.
        target: the folder to make; it is in its place once all photos are on the disk and the block
            has succeeded.
        limits: of the whole source.
        root: the name that a source which is a folder goes by.
        count: called with the number of files looked at.

    Yields:
        What was taken out.

    Raises:
        UserError: the source is damaged, unsafe, beyond the limits, or holds no such folder, or the
            disk is full.
    """
    temporary = target.with_name(f"{TEMPORARY}{target.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        extent = _copy_members(source, name, temporary, limits, root, count)
        if not extent.files:
            raise UserError(f"{source}: holds no photos in a folder {name}; name another source")
        os.sync()
        yield extent
        temporary.replace(target)
    except OSError as error:
        raise no_space(error, target) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _copy_members(
    source: Path, name: str, into: Path, limits: Extent, root: str, count: Callable[[int], None]
) -> Extent:
    looked_at = looked_through = files = size = 0
    with _members(source, root) as members:
        for member in members:
            looked_at += 1
            looked_through += member.size
            if looked_at > limits.files or looked_through > limits.bytes:
                most = f"{limits.files:,} files or {limits.bytes:,} bytes"
                raise UnsafeArchiveError(f"{source}: holds more than {most}; it is not unpacked")
            inside = _below(_safe_path(source, member.path), name)
            if inside:
                _copy(source, member, into / inside)
                files, size = files + 1, size + member.size
            count(looked_at)
    return Extent(files, size)


def _copy(source: Path, member: Member, target: Path) -> None:
    """Write a member; never more bytes than its archive says it has."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as file, target.open("xb") as copy:
        left = member.size
        while chunk := file.read(min(COPY_CHUNK, left)):
            copy.write(chunk)
            left -= len(chunk)
    if left:
        raise EOFError(f"{member.path} is too short")


def _safe_path(source: Path, name: str) -> PurePosixPath:
    """A member's name as a path that stays inside the folder it is put in.

    Raises:
        UnsafeArchiveError: it would not.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise UnsafeArchiveError(f"{source}: holds the unsafe name {name!a}; it is not unpacked")
    return path


def _below(path: PurePosixPath, name: str) -> PurePosixPath | None:
    """A photo's path from a folder on; None if it does not lie in it, or is no photo."""
    parts = path.parts
    if name not in parts[:-1] or not is_photo(path):
        return None
    return PurePosixPath(*parts[parts.index(name) + 1 :])


def is_photo(path: PurePath) -> bool:
    """Whether a file is named as photos are, and not hidden."""
    is_hidden = any(part.startswith(".") or part == MAC_FOLDER for part in path.parts)
    return path.suffix.lower() in PHOTO_SUFFIXES and not is_hidden


@contextmanager
def _members(source: Path, root: str) -> Iterator[Iterator[Member]]:
    """The files of a zip file, a tar file or a folder, whatever its name ends in.

    Raises:
        UserError: it is none of these, or is damaged.
    """
    with ExitStack() as stack:
        try:
            if source.is_dir():
                yield _of_folder(source, root)
            elif zipfile.is_zipfile(source):
                yield _of_zip(source, stack.enter_context(zipfile.ZipFile(source)))
            else:
                file = stack.enter_context(closing(_decompressed(source)))
                yield _of_tar(source, stack.enter_context(_open_tar(file)))
        except (
            tarfile.TarError, zipfile.BadZipFile, zlib.error, gzip.BadGzipFile,
            EOFError, FileExistsError, NotADirectoryError, NotImplementedError,
        ) as error:  # fmt: skip
            raise UserError(
                f"{source}: is not a whole zip or tar file ({error}); remove it and fetch it again"
            ) from None


def _of_folder(folder: Path, root: str) -> Iterator[Member]:
    for directory, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(directory, name)
            if path.is_file():
                stored = (PurePosixPath(root) / path.relative_to(folder).as_posix()).as_posix()
                yield Member(stored, path.stat().st_size, lambda path=path: path.open("rb"))  # type: ignore[misc]


def _of_zip(source: Path, archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        if info.is_dir():
            continue
        mode = stat.S_IFMT(info.external_attr >> 16)
        if mode not in (0, stat.S_IFREG) or info.flag_bits & ENCRYPTED:
            what = "an encrypted file" if mode in (0, stat.S_IFREG) else "a link"
            raise UnsafeArchiveError(
                f"{source}: holds {what}, {info.filename!a}; it is not unpacked"
            )
        yield Member(info.filename, info.file_size, lambda info=info: archive.open(info))  # type: ignore[misc]


def _of_tar(source: Path, archive: tarfile.TarFile) -> Iterator[Member]:
    while info := archive.next():
        # It would keep a million of them.
        archive.members.clear()  # type: ignore[attr-defined]
        if info.isdir():
            continue
        if not info.isreg() or info.issparse():
            raise UnsafeArchiveError(
                f"{source}: holds {info.name!a}, which is no plain file; it is not unpacked"
            )
        yield Member(info.name, info.size, lambda info=info: _opened(archive, info))  # type: ignore[misc]


def _opened(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(info)
    if file is None:
        raise tarfile.ReadError(f"{info.name} cannot be read")
    return file


def _decompressed(source: Path) -> gzip.GzipFile | io.BufferedReader:
    """A tar file's bytes, whether compressed by gzip or not, whatever its name ends in."""
    with source.open("rb") as file:
        is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    return gzip.open(source) if is_gzip else source.open("rb")


def _open_tar(file: gzip.GzipFile | io.BufferedReader) -> tarfile.TarFile:
    return tarfile.open(fileobj=_ShortReads(file), mode="r:")


class _ShortReads(io.RawIOBase):
    """A file of which nobody reads much at once, as a forged header of a tar file would."""

    def __init__(self, file: gzip.GzipFile | io.BufferedReader) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LONGEST_HEADER:
            raise tarfile.ReadError("a header is longer than any needs to be")
        return self._file.read(size)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
