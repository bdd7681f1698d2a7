"""One file over HTTP, continued where an earlier try ended.

What arrives is appended to NAME.part; NAME.part.json says of which version of the file it is. A
later try asks for the rest of that very version (Range with If-Range, RFC 9110 section 13.1.5); a
server that has another one, or no ranges, sends the whole file, and the download starts afresh.
"""

import errno
import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from ppcn import __version__
from ppcn.downloads.sources import RemoteFile
from ppcn.errors import UserError

Report = Callable[[int, int, Mapping[str, float]], None]
"""Called with megabytes done, megabytes in all, and nothing more."""
MEGABYTE = 10**6
# s without a byte before a connection is given up.
TIMEOUT = 30.0
# Tries in a row that bring nothing; before the next one, PAUSE s and twice as long each time.
TRIES = 4
PAUSE = 1.0
# Of these another try may mend the cause.
PASSING = {408, 425, 429, 500, 502, 503, 504}


class DownloadError(UserError):
    """An address gives no file, or the wrong one.

    Args:
        url: the address.
        reason: what it gives instead.
        passing: whether another try may mend it.
    """

    def __init__(self, url: str, reason: str, passing: bool = False) -> None:
        super().__init__(f"{url}: {reason}")
        self.passing = passing


def megabytes(size: int) -> int:
    """Bytes as whole megabytes, rounded up."""
    return -(-size // MEGABYTE)


def report_bytes(report: Report, done: int, size: int) -> None:
    """Report progress in megabytes; the last one only when all bytes are there."""
    total = megabytes(size)
    report(total if done >= size else min(done // MEGABYTE, total - 1), total, {})


def part_of(target: Path) -> Path:
    """The file that a download is collected in."""
    return target.with_name(f"{target.name}.part")


def download(remote: RemoteFile, target: Path, report: Report) -> None:
    """Download a file; a part that an earlier try left is continued.

    Args:
        remote: what to download.
        target: where to put it once it is whole.
        report: of the progress.

    Raises:
        DownloadError: the address is dead, its file has another size, or the connection broke too
            often; what has arrived by then is kept.
        UserError: the disk is full.
    """
    part = part_of(target)
    part.parent.mkdir(parents=True, exist_ok=True)
    headers = {"User-Agent": f"ppcn/{__version__}", "Accept-Encoding": "identity"}
    with httpx.Client(follow_redirects=True, timeout=TIMEOUT, headers=headers) as client:
        _try_until_whole(client, remote, part, report)
    part.replace(target)
    _version_file(part).unlink(missing_ok=True)


def _try_until_whole(client: httpx.Client, remote: RemoteFile, part: Path, report: Report) -> None:
    in_vain = 0
    while not (remote.is_exact and _size(part) == remote.size):
        before = _size(part)
        try:
            _continue(client, remote, part, report)
            return
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            in_vain = 0 if _size(part) > before else in_vain + 1
            if in_vain == TRIES or not _may_pass(error):
                raise DownloadError(remote.url, _reason(error), _may_pass(error)) from None
            time.sleep(PAUSE * 2 ** max(in_vain - 1, 0))
        except httpx.HTTPError as error:
            raise DownloadError(remote.url, _reason(error)) from None


def _continue(client: httpx.Client, remote: RemoteFile, part: Path, report: Report) -> None:
    """One try: ask for what is missing and append it."""
    version = _version_of(remote, part)
    headers = {"Range": f"bytes={_size(part)}-", "If-Range": version} if version else {}
    with client.stream("GET", remote.url, headers=headers) as response:
        if response.url.scheme != remote.url.partition(":")[0] == "https":
            raise DownloadError(remote.url, f"leads to {response.url}, which is not encrypted")
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            if _total(response) == _size(part):
                return
            _start_afresh(part)
        response.raise_for_status()
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            _begin(response, remote, part)
        elif not _is_the_rest(response, part, version):
            _start_afresh(part)
        total = _checked_total(response, remote)
        _append(response, remote, part, total, report)
        if total and _size(part) < total:
            raise httpx.RemoteProtocolError("the connection was closed too early")


def _version_of(remote: RemoteFile, part: Path) -> str:
    """The version of the file that a part is of; empty if there is no part or it is unknown."""
    try:
        noted = json.loads(_version_file(part).read_text(encoding="utf-8"))
        known = str(noted["version"]) if noted["url"] == remote.url else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return known if _size(part) else ""


def _is_the_rest(response: httpx.Response, part: Path, version: str) -> bool:
    """Whether the bytes begin where the part ends, and are of its version.

    Some servers heed Range and not If-Range.
    """
    begins = response.headers.get("Content-Range", "").startswith(f"bytes {_size(part)}-")
    stated = {response.headers.get("ETag"), response.headers.get("Last-Modified")} - {None}
    return begins and (not stated or version in stated)


def _start_afresh(part: Path) -> None:
    """Drop the part, so that the next try gets the whole file."""
    for path in (part, _version_file(part)):
        path.unlink(missing_ok=True)
    raise httpx.RemoteProtocolError("the part was of another file")


def _begin(response: httpx.Response, remote: RemoteFile, part: Path) -> None:
    """Empty the part first and note its version then: never is a part of another one."""
    part.write_bytes(b"")
    etag = response.headers.get("ETag", "")
    # A weak tag does not promise the same bytes.
    version = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    noted = {"url": remote.url, "version": version}
    _version_file(part).write_text(json.dumps(noted), encoding="utf-8")


def _checked_total(response: httpx.Response, remote: RemoteFile) -> int:
    """Bytes of the whole file; 0 if the server does not say."""
    total = _total(response)
    if remote.is_exact and total and total != remote.size:
        raise DownloadError(remote.url, f"has {total:,} bytes instead of {remote.size:,}")
    if total > remote.most_bytes:
        raise DownloadError(remote.url, f"has {total:,} bytes, far more than expected")
    return total


def _append(
    response: httpx.Response, remote: RemoteFile, part: Path, total: int, report: Report
) -> None:
    done = _size(part)
    expected = total or remote.size
    check_room(part.parent, expected - done)
    with part.open("ab", buffering=0) as file:
        # As they are sent: an archive is never decompressed on the way.
        for chunk in response.iter_raw():
            if done + len(chunk) > (total or remote.most_bytes):
                raise DownloadError(remote.url, "sends more bytes than it announced")
            _write(file.write, chunk, part)
            done += len(chunk)
            report_bytes(report, done, expected if done <= expected else done + 1)


def _write(write: Callable[[memoryview], int | None], chunk: bytes, part: Path) -> None:
    """Write all of a chunk, which an unbuffered file may take in parts."""
    left = memoryview(chunk)
    try:
        while left:
            left = left[write(left) or 0 :]
    except OSError as error:
        raise no_space(error, part) from None


def no_space(error: OSError, path: Path) -> UserError | OSError:
    """What to raise in place of an error of the disk: a sentence where the disk is full."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    return UserError(f"{path}: no space left on the disk; free some and repeat the command")


def check_room(folder: Path, needed: int) -> None:
    """Refuse what the disk has no room for.

    Raises:
        UserError: it has none.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder}: {megabytes(needed):,} MB are needed and {free // MEGABYTE:,} MB are free; "
            "free some, or name a folder on another disk"
        )


def _total(response: httpx.Response) -> int:
    """Bytes of the whole file as the server says; 0 if it does not."""
    if match := re.fullmatch(r"bytes .*/(\d+)", response.headers.get("Content-Range", "")):
        return int(match[1])
    length = response.headers.get("Content-Length", "")
    whole = response.status_code == httpx.codes.OK and length.isdecimal()
    return int(length) if whole else 0


def _may_pass(error: httpx.TransportError | httpx.HTTPStatusError) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in PASSING
    return not isinstance(error, httpx.UnsupportedProtocol)


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.response.status_code} {error.response.reason_phrase}"
    if isinstance(error, httpx.TimeoutException):
        return f"no byte for {TIMEOUT:g} s"
    return str(error) or type(error).__name__


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _version_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")
