"""Downloads from a server of this machine, which breaks in many ways."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import ENVIRONMENT
from local_server import Served, Server, serving

from ppcn.downloads import transfer
from ppcn.downloads.sources import RemoteFile
from ppcn.downloads.transfer import DownloadError, download, part_of
from ppcn.errors import UserError

DATA = random.Random(0).randbytes(3_000_000)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PAUSE", 0.0)
    monkeypatch.setattr(transfer, "TIMEOUT", 0.3)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def fetched(server: Server, served: Served, target: Path, name: str = "a.zip") -> bytes:
    remote = RemoteFile(server.add(name, served), files=1, size=len(DATA))
    download(remote, target, lambda *_: None)
    return target.read_bytes()


def is_tidy(folder: Path) -> bool:
    return [path.name for path in folder.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("says_length", [True, False])
@pytest.mark.parametrize("has_ranges", [True, False])
def test_a_file_arrives_whole(
    server: Server, tmp_path: Path, has_ranges: bool, says_length: bool
) -> None:
    served = Served(DATA, has_ranges=has_ranges, says_length=says_length)
    assert fetched(server, served, tmp_path / "a.zip") == DATA
    assert server.ranges == [None]
    assert is_tidy(tmp_path)


@pytest.mark.parametrize(("etag", "modified"), [('"1"', ""), ("", "Wed, 01 Jan 2020 00:00:00 GMT")])
def test_a_broken_connection_goes_on_where_it_ended(
    server: Server, tmp_path: Path, etag: str, modified: str
) -> None:
    served = Served(DATA, etag=etag, modified=modified, breaks=[1_000_000, 0, 500_000])
    assert fetched(server, served, tmp_path / "a.zip") == DATA
    starts = [int(asked[6:-1]) for asked in server.ranges if asked]
    assert len(starts) == 3
    assert 0 < starts[0] == starts[1] <= 1_000_000 < starts[2] <= 1_500_000
    assert is_tidy(tmp_path)


@pytest.mark.parametrize("served", [
    Served(DATA, has_ranges=False, breaks=[1_000_000]),
    Served(DATA, etag="", breaks=[1_000_000]),  # nobody knows which version a part is of
    Served(DATA, etag='W/"1"', breaks=[1_000_000]),
])  # fmt: skip
def test_without_ranges_or_versions_a_download_starts_afresh(
    server: Server, tmp_path: Path, served: Served
) -> None:
    assert fetched(server, served, tmp_path / "a.zip") == DATA
    assert server.ranges[0] is None
    assert served.has_ranges is (server.ranges[1] is None)


def test_a_part_of_another_address_is_not_continued(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with pytest.raises(DownloadError):
        fetched(server, Served(DATA, breaks=[1_000_000, 0, 0, 0, 0]), target)
    asked = len(server.ranges)
    assert fetched(server, Served(DATA[::-1]), target, name="other.zip") == DATA[::-1]
    assert server.ranges[asked:] == [None]


def test_a_connection_may_break_often_as_long_as_something_comes(
    server: Server, tmp_path: Path
) -> None:
    served = Served(DATA, breaks=[400_000] * (transfer.TRIES + 3))
    assert fetched(server, served, tmp_path / "a.zip") == DATA


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_a_file_that_changed_between_tries_starts_afresh(
    server: Server, tmp_path: Path, heeds_if_range: bool
) -> None:
    target = tmp_path / "a.zip"
    with pytest.raises(DownloadError):
        fetched(server, Served(DATA, breaks=[1_000_000, 0, 0, 0, 0]), target)
    assert part_of(target).stat().st_size > 0
    other = DATA[::-1] + b"longer"
    served = Served(other, etag='"2"', heeds_if_range=heeds_if_range)
    assert fetched(server, served, target) == other
    assert server.ranges[-2 if not heeds_if_range else -1] is not None
    assert is_tidy(tmp_path)


def test_a_part_longer_than_the_file_is_dropped(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with pytest.raises(DownloadError):
        fetched(server, Served(DATA, breaks=[1_000_000, 0, 0, 0, 0]), target)
    assert fetched(server, Served(DATA[:1000]), target) == DATA[:1000]


def test_a_part_that_was_whole_is_taken(server: Server, tmp_path: Path) -> None:
    """As where a process died between the last byte and the new name."""
    target = tmp_path / "a.zip"
    with pytest.raises(DownloadError):
        fetched(server, Served(DATA, breaks=[1_000_000, 0, 0, 0, 0]), target)
    part_of(target).write_bytes(DATA)
    assert fetched(server, Served(DATA), target) == DATA
    assert server.ranges[-1] == f"bytes={len(DATA)}-"
    assert is_tidy(tmp_path)


def test_a_redirect_is_taken_with_its_range(server: Server, tmp_path: Path) -> None:
    there = server.add("there.zip", Served(DATA, breaks=[1_000_000]))
    assert fetched(server, Served(b"", redirect=there), tmp_path / "a.zip") == DATA
    assert server.ranges[2:] == [server.ranges[-1]] * 2
    assert server.ranges[-1] is not None


def test_a_redirect_to_an_unencrypted_address_is_refused(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.scheme == "https":
            return httpx.Response(302, headers={"Location": "http://a.org/a.zip"})
        return httpx.Response(200, content=DATA)

    remote = RemoteFile("https://a.org/a.zip", 1, size=len(DATA))
    client = httpx.Client(transport=httpx.MockTransport(answer), follow_redirects=True)
    with pytest.raises(DownloadError, match=r"leads to http://a\.org/a\.zip, which is not encrypt"):
        transfer._continue(client, remote, tmp_path / "a.zip.part", lambda *_: None)


def test_a_passing_error_is_tried_again(server: Server, tmp_path: Path) -> None:
    assert fetched(server, Served(DATA, statuses=[500, 503, 429]), tmp_path / "a.zip") == DATA


@pytest.mark.parametrize(("status", "requests", "passing"), [
    (403, 1, False), (404, 1, False), (410, 1, False), (500, transfer.TRIES, True),
])  # fmt: skip
def test_a_dead_address_is_told(
    server: Server, tmp_path: Path, status: int, requests: int, passing: bool
) -> None:
    with pytest.raises(DownloadError, match=rf"a\.zip: {status} ") as caught:
        fetched(server, Served(DATA, statuses=[status] * 9), tmp_path / "a.zip")
    assert (len(server.ranges), caught.value.passing) == (requests, passing)
    assert not (tmp_path / "a.zip").exists()


def test_nobody_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="refused") as caught:
        download(RemoteFile("http://127.0.0.1:9/a.zip", 1), tmp_path / "a.zip", lambda *_: None)
    assert caught.value.passing


def test_a_server_that_falls_silent_is_left_and_its_part_kept(
    server: Server, tmp_path: Path
) -> None:
    served = Served(DATA, pause=1.0, breaks=[])
    with pytest.raises(DownloadError, match=r"no byte for 0\.3 s"):
        fetched(server, served, tmp_path / "a.zip")
    served.pause = 0.01  # slow, but never silent
    assert fetched(server, served, tmp_path / "a.zip") == DATA


def test_other_sizes_than_the_table_has_are_refused(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    url = server.add("a.zip", Served(DATA))
    with pytest.raises(DownloadError, match="has 3,000,000 bytes instead of 5"):
        download(RemoteFile(url, 1, size=5, is_exact=True), target, lambda *_: None)
    with pytest.raises(DownloadError, match="has 3,000,000 bytes, far more than expected"):
        download(RemoteFile(url, 1, size=1_400_000), target, lambda *_: None)
    url = server.add("a.zip", Served(DATA, says_length=False))
    with pytest.raises(DownloadError, match="sends more bytes"):
        download(RemoteFile(url, 1, size=1_000_000), target, lambda *_: None)
    assert not target.exists()


def test_a_full_disk_is_told_and_the_part_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/dev/full takes no byte; the part is what has been written before."""
    target = tmp_path / "a.zip"
    part_of(target).symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"a\.zip\.part: no space left on the disk; free some"):
        fetched(server, Served(DATA), target)
    part_of(target).unlink()
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: type("U", (), {"free": 2 * 10**6}))
    with pytest.raises(UserError, match="3 MB are needed and 2 MB are free"):
        fetched(server, Served(DATA), target)


def test_progress_counts_megabytes_and_goes_on(server: Server, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    remote = RemoteFile(server.add("a.zip", Served(DATA, breaks=[1_500_000])), 1, size=9)
    download(
        RemoteFile(remote.url, 1, size=2_900_000),
        tmp_path / "a.zip",
        lambda done, total, _: calls.append((done, total)),
    )
    assert calls == sorted(calls)
    assert calls[-1] == (3, 3)
    assert calls.count((3, 3)) == 1


KILLED = """
import sys
from pathlib import Path
from ppcn.downloads.sources import RemoteFile
from ppcn.downloads.transfer import download
download(RemoteFile(sys.argv[1], 1, size=3_000_000), Path(sys.argv[2]), lambda *_: None)
"""


@pytest.mark.slow
def test_killed_at_ten_moments_a_download_goes_on(server: Server, tmp_path: Path) -> None:
    """A process for each kill, a second each for what it imports."""
    served = Served(DATA, pause=0.01, piece=20_000)
    url, target = server.add("a.zip", served), tmp_path / "a.zip"
    moments = random.Random(1)
    sizes = [0]
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, url, str(target)], env=ENVIRONMENT
        )
        goal = sizes[-1] + moments.randrange(1, 250_000)
        while process.poll() is None and size_of(part_of(target)) < goal:
            time.sleep(moments.uniform(0, 0.01))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not target.exists()
        sizes.append(size_of(part_of(target)))
        assert DATA.startswith(part_of(target).read_bytes())
    assert sizes == sorted(set(sizes))
    asked = [int(asked[6:-1]) for asked in server.ranges if asked]
    assert asked == sizes[1:-1]
    served.pause = 0
    assert fetched(server, served, target) == DATA
    assert server.ranges[-1] == f"bytes={sizes[-1]}-"


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
