"""A data set put in its place: downloaded or given, checked, unpacked, and recorded.

Beside each folder or file NAME lies NAME.json: where it came from, digest, date and licence. What
is downloaded lies in the folder `DOWNLOADS` until it is unpacked; digests that nobody states are
kept there when it is gone, so that the next download must be the same.
"""

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ppcn.downloads.contents import Extent, extracting, is_photo, measure
from ppcn.downloads.sources import DataSet, Item, RemoteFile
from ppcn.downloads.transfer import (
    DownloadError,
    Report,
    check_room,
    download,
    no_space,
    part_of,
    report_bytes,
)
from ppcn.errors import UserError
from ppcn.files.artifacts import read_json, replacing, write_exact_json

DOWNLOADS = "downloads"
CHUNK = 2**20
NO_LIMIT = Extent(10**12, 10**18)
"""Of a folder of the user's own."""
Showing = Callable[[str], AbstractContextManager[Report]]
Record = dict[str, Any]


class Source(NamedTuple):
    """What an item comes in.

    Attributes:
        path: an archive, a file or a folder.
        name: what a record calls it, an address or a path.
        is_fresh: whether it has just been downloaded.
        advice: what to do where it is not the expected one.
    """

    path: Path
    name: str
    is_fresh: bool
    advice: str


@dataclass(frozen=True)
class FetchOptions:
    """Where and how data sets are fetched.

    Attributes:
        out: folder of all data.
        given: a file or a folder to take them from; None downloads.
        showing: gives a function that shows the progress of work with a title.
        say: prints a line.
    """

    out: Path
    given: Path | None
    showing: Showing
    say: Callable[[str], None]


def fetch_data(data_set: DataSet, options: FetchOptions, keep: bool = False) -> dict[str, Record]:
    """Put the items of a data set in their places, as far as they are not there yet.

    Args:
        data_set: a row of the table, or some of its items; one that is given on request only needs
            `options.given`.
        options: where and how.
        keep: whether downloaded archives stay.

    Returns:
        The record of each item, by its name.

    Raises:
        UserError: another process is fetching it, an address is dead, a digest is wrong, an archive
            is unsafe, something else is in the place, or the disk is full. What has been downloaded
            is kept, and nothing half-made is left.
    """
    if options.given and not options.given.exists():
        raise UserError(f"{options.given}: no such file or folder; name what you have")
    for item in data_set.items if options.given else ():
        _given(data_set, item, options)
    with _only_process(place_of(data_set, options.out)):
        records = {item.name: _fetch_item(data_set, item, options) for item in data_set.items}
        for item in data_set.items:
            if item.remote and not keep:
                _archive_of(item.remote, options).unlink(missing_ok=True)
    return records


def place_of(data_set: DataSet, out: Path) -> Path:
    """The folder that a data set's items lie in."""
    return out / data_set.folder


@contextmanager
def _only_process(folder: Path) -> Iterator[None]:
    """Keep other processes from fetching into a folder; it is free again when this one ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder}: another process is fetching into this folder; wait for it to end"
            ) from None
        yield


def _fetch_item(data_set: DataSet, item: Item, options: FetchOptions) -> Record:
    place = place_of(data_set, options.out) / item.name
    record_file = place.with_name(f"{item.name}.json")
    if place.exists():
        record = _checked_earlier(place, record_file)
        options.say(f"{place}: is there already, fetched on {record.get('fetched')}")
        return record
    options.say(f"{item.name} of {data_set.title}; licence: {data_set.licence} ({data_set.home})")
    source = (_given if options.given else _downloaded)(data_set, item, options)
    facts = {
        "data_set": data_set.title,
        "home": data_set.home,
        "licence": data_set.licence,
        "fetched": _today(),
        "source": source.name,
        **_checked(item, source, options),
    }
    with _put(item, source.path, place, options) as extent:
        record = {**facts, **extent._asdict()}
        # Before the place is taken, for what is in a place without a record is someone else's.
        write_exact_json(record_file, record)
    return record


def _checked_earlier(place: Path, record_file: Path) -> Record:
    """The record of what is in the place.

    Raises:
        UserError: there is none, or files have been added or removed since.
    """
    if not record_file.is_file():
        raise UserError(f"{place}: was not fetched; use it as it is, or move it and repeat")
    record = read_json(record_file)
    now = measure(place) if place.is_dir() else Extent(1, place.stat().st_size)
    if now._asdict() != {name: record.get(name) for name in now._fields}:
        before = f"{record.get('files')} of {record.get('bytes')} bytes"
        raise UserError(
            f"{place}: holds {now.files} files of {now.bytes} bytes instead of {before}; "
            "remove it and repeat the command"
        )
    return record


def _given(data_set: DataSet, item: Item, options: FetchOptions) -> Source:
    """Of what the user has, the archive, the file or the folder that an item is in.

    Raises:
        UserError: a file was named where an item is in one of another name.
    """
    given = options.given
    assert given, "to be downloaded"
    names = {other.remote.name for other in data_set.items if other.remote}
    path = given / item.remote.name if item.remote else given
    if given.is_file():
        path = given
        if len(names) > 1 and item.remote and given.name != item.remote.name:
            both = " and ".join(sorted(names))
            raise UserError(f"{given}: is one file of several; name the folder that holds {both}")
    elif not path.is_file():
        path = given
    return Source(path, str(path.absolute()), False, "name another file or folder")


def _downloaded(data_set: DataSet, item: Item, options: FetchOptions) -> Source:
    """The file that an item comes in, downloaded as far as it is not there.

    Raises:
        UserError: it cannot be had, with what to do.
    """
    assert item.remote, "given on request"
    remote, archive = item.remote, _archive_of(item.remote, options)
    if archive.is_file():
        return Source(archive, remote.url, False, "remove it and repeat the command")
    part = part_of(archive)
    missing = max(remote.size - (part.stat().st_size if part.exists() else 0), 0)
    check_room(options.out, missing + item.unpacked)
    try:
        with options.showing(f"{remote.name}, MB") as report:
            download(remote, archive, report)
    except DownloadError as error:
        by_hand = f"put the file that {data_set.home} offers at {archive}"
        advice = f"repeat the command, which goes on from what has arrived, or {by_hand}"
        raise UserError(f"{error}; {advice if error.passing else by_hand}") from None
    return Source(archive, remote.url, True, "it is removed again; repeat the command")


def _archive_of(remote: RemoteFile, options: FetchOptions) -> Path:
    return options.out / DOWNLOADS / remote.name


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _checked(item: Item, source: Source, options: FetchOptions) -> Record:
    """The digest of what an item comes in, and what it agrees with.

    Raises:
        UserError: it is another one.
    """
    if source.path.is_dir() or item.remote is None:
        options.say(f"{source.path}: no digest is known of it; its photos are counted")
        return {"sha256": None, "checked": "number of photos"}
    digests = _digests(source.path, options)
    expected = item.remote.digest or f"sha256:{_first_digest(item.remote, digests, options)}"
    algorithm, _, digest = expected.partition(":")
    if digests[algorithm] != digest:
        if source.is_fresh:
            source.path.unlink()
        actual = digests[algorithm]
        raise UserError(
            f"{source.path}: digest {actual} is not the expected {digest}; {source.advice}"
        )
    checked = expected if item.remote.digest else "trusted on first use"
    return {"sha256": digests["sha256"], "checked": checked}


def _first_digest(remote: RemoteFile, digests: dict[str, str], options: FetchOptions) -> str:
    """The SHA-256 that a file of no stated digest had at its first use, which may be this one."""
    file = options.out / DOWNLOADS / f"{remote.name}.json"
    if file.is_file() and (noted := read_json(file)).get("url") == remote.url:
        return str(noted.get("sha256"))
    noted = {"url": remote.url, "sha256": digests["sha256"], "fetched": _today()}
    write_exact_json(file, noted)
    options.say(f"{remote.name}: nobody states its digest; this one is trusted, and kept in {file}")
    return digests["sha256"]


def _digests(file: Path, options: FetchOptions) -> dict[str, str]:
    """SHA-256 and MD5 of a file, as hex."""
    hashes = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    size = file.stat().st_size
    with options.showing(f"check {file.name}, MB") as report, file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            for one in hashes.values():
                one.update(chunk)
            report_bytes(report, opened.tell(), size)
    return {name: one.hexdigest() for name, one in hashes.items()}


@contextmanager
def _put(item: Item, source: Path, place: Path, options: FetchOptions) -> Iterator[Extent]:
    """Put a folder or a file in its place if the block succeeds."""
    check_room(place.parent, item.unpacked)
    remote = item.remote
    if remote and remote.files == 1:
        file = source / item.name if source.is_dir() else source
        with replacing(place) as temporary:
            try:
                shutil.copyfile(file, temporary)
            except OSError as error:
                raise no_space(error, place) from None
            yield Extent(1, temporary.stat().st_size)
        return
    limits = NO_LIMIT
    if remote and not source.is_dir():
        limits = Extent(remote.most_files, remote.most_bytes)
    files = remote.files if remote else item.photos or 0
    root = item.name if _is_the_folder(item, source) else source.name
    with options.showing(f"unpack {item.name}") as report:

        def count(number: int) -> None:
            report(number, max(number, files), {})

        with extracting(source, item.name, place, limits, root, count) as extent:
            if item.photos and extent.files != item.photos:
                raise UserError(
                    f"{source}: holds {extent.files} photos in {item.name}, not {item.photos}; "
                    "name another source"
                )
            yield extent


def _is_the_folder(item: Item, source: Path) -> bool:
    """Whether a folder of the user's own is the item under another name."""
    if not source.is_dir() or not item.photos:
        return False
    return sum(is_photo(Path(path.name)) for path in source.iterdir()) == item.photos
