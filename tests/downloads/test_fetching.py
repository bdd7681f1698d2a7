"""Data sets in their places: from a server of this machine, from files, from folders."""

import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ENVIRONMENT
from local_server import Served, Server, serving

from ppcn.downloads import fetching, transfer
from ppcn.downloads.fetching import FetchOptions, Record, fetch_data
from ppcn.downloads.sources import BENCHMARKS, DIV2K, DPED, VGG19, DataSet, Item, RemoteFile
from ppcn.errors import UserError


def archive(names: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in names.items():
            file.writestr(name, data)
    return buffer.getvalue()


RANDOM = random.Random(0)
TRAIN, VALID = (
    archive({f"{name}/{i:04}.png": RANDOM.randbytes(50_000) for i in range(count)})
    for name, count in (("train_HR", 8), ("valid_HR", 3))
)


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PAUSE", 0.0)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def two(server: Server) -> DataSet:
    """A data set of two archives, as DIV2K is, with stated digests."""
    items = tuple(
        Item(
            name,
            RemoteFile(
                server.add(f"{name}.zip", Served(data)),
                files=photos,
                digest=sha256(data),
                size=len(data),
                is_exact=True,
            ),
            photos,
            unpacked=len(data),
        )
        for name, data, photos in (("train_HR", TRAIN, 8), ("valid_HR", VALID, 3))
    )
    return DataSet("Two", "two", "https://home", "for tests", items)


def fetch(
    data_set: DataSet,
    out: Path,
    given: Path | None = None,
    keep: bool = False,
    said: list[str] | None = None,
) -> dict[str, Record]:
    say = (said if said is not None else []).append
    options = FetchOptions(out, given, lambda _: nullcontext(lambda *_: None), say)
    return fetch_data(data_set, options, keep)


def names_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def without_digest(data_set: DataSet) -> DataSet:
    return replace(
        data_set,
        items=tuple(
            replace(item, remote=replace(item.remote, digest=""))
            for item in data_set.items
            if item.remote
        ),
    )


def test_archives_are_unpacked_recorded_and_removed(two: DataSet, tmp_path: Path) -> None:
    said: list[str] = []
    records = fetch(two, tmp_path, said=said)
    assert names_of(tmp_path / "two") == ["train_HR", "train_HR.json", "valid_HR", "valid_HR.json"]
    assert len(names_of(tmp_path / "two/train_HR")) == 8
    assert names_of(tmp_path / "downloads") == []
    record = json.loads((tmp_path / "two/train_HR.json").read_text())
    assert record == records["train_HR"]
    assert record["checked"] == sha256(TRAIN) == f"sha256:{record['sha256']}"
    assert record["source"] == two.items[0].remote.url
    assert (record["licence"], record["home"]) == ("for tests", "https://home")
    assert (record["files"], record["bytes"]) == (8, 400_000)
    assert any("licence: for tests" in line for line in said)


def test_what_is_there_is_not_fetched_again(two: DataSet, tmp_path: Path, server: Server) -> None:
    first = fetch(two, tmp_path)
    said: list[str] = []
    assert fetch(two, tmp_path, said=said) == first
    assert len(server.ranges) == 2
    assert all("is there already, fetched on" in line for line in said)
    (tmp_path / "two/train_HR/0000.png").unlink()
    with pytest.raises(UserError, match=r"train_HR: holds 7 files of 350000 bytes instead of 8 of"):
        fetch(two, tmp_path)


def test_a_folder_of_the_users_own_is_never_touched(two: DataSet, tmp_path: Path) -> None:
    (tmp_path / "two/train_HR").mkdir(parents=True)
    (tmp_path / "two/train_HR/mine.png").write_bytes(b"precious")
    with pytest.raises(UserError, match="train_HR: was not fetched; use it as it is, or move it"):
        fetch(two, tmp_path)
    assert (tmp_path / "two/train_HR/mine.png").read_bytes() == b"precious"


def test_kept_archives_serve_the_next_fetch(two: DataSet, tmp_path: Path, server: Server) -> None:
    fetch(two, tmp_path, keep=True)
    assert names_of(tmp_path / "downloads") == ["train_HR.zip", "valid_HR.zip"]
    fetch(two, tmp_path / "other", given=tmp_path / "downloads")
    assert len(server.ranges) == 2
    assert names_of(tmp_path / "downloads") == ["train_HR.zip", "valid_HR.zip"]
    (tmp_path / "two").rename(tmp_path / "elsewhere")
    fetch(two, tmp_path)
    assert len(server.ranges) == 2


def test_a_wrong_digest_leaves_nothing(two: DataSet, tmp_path: Path, server: Server) -> None:
    server.files["/train_HR.zip"].data = TRAIN[:-1] + b"x"
    with pytest.raises(UserError, match=r"is not the expected .*; it is removed again; repeat"):
        fetch(two, tmp_path)
    assert names_of(tmp_path / "downloads") == names_of(tmp_path / "two") == []
    server.files["/train_HR.zip"].data = TRAIN
    fetch(two, tmp_path)


def test_a_wrong_file_of_the_users_own_is_kept(two: DataSet, tmp_path: Path) -> None:
    by_hand = tmp_path / "downloads/train_HR.zip"
    by_hand.parent.mkdir()
    by_hand.write_bytes(VALID)
    with pytest.raises(UserError, match=r"expected .*; remove it and repeat the command"):
        fetch(two, tmp_path)
    assert by_hand.read_bytes() == VALID
    with pytest.raises(UserError, match=r"expected .*; name another file or folder"):
        fetch(two, tmp_path / "out", given=by_hand.parent)
    assert by_hand.read_bytes() == VALID


def test_an_unstated_digest_is_trusted_once(two: DataSet, tmp_path: Path, server: Server) -> None:
    trusting = without_digest(two)
    said: list[str] = []
    record = fetch(trusting, tmp_path, said=said)["train_HR"]
    assert record["checked"] == "trusted on first use"
    kept = json.loads((tmp_path / "downloads/train_HR.zip.json").read_text())
    assert f"sha256:{kept['sha256']}" == sha256(TRAIN)
    assert sum("nobody states its digest" in line for line in said) == 2
    for name in names_of(tmp_path / "two"):
        (tmp_path / "two" / name).rename(tmp_path / name)
    other = archive({f"train_HR/{i}.png": b"other" for i in range(8)}).ljust(len(TRAIN), b"\0")
    server.files["/train_HR.zip"].data = other
    with pytest.raises(UserError, match="is not the expected"):
        fetch(trusting, tmp_path)
    server.files["/train_HR.zip"].data = TRAIN
    fetch(trusting, tmp_path)


def test_a_dead_address_says_where_to_put_the_file(
    two: DataSet, tmp_path: Path, server: Server
) -> None:
    dead = server.files.pop("/train_HR.zip")
    put = f"put the file that https://home offers at {tmp_path}/downloads/train_HR.zip"
    with pytest.raises(UserError, match=rf"train_HR\.zip: 404 Not Found; {put}$"):
        fetch(two, tmp_path)
    (tmp_path / "downloads/train_HR.zip").write_bytes(dead.data)
    fetch(two, tmp_path)
    assert len(names_of(tmp_path / "two/train_HR")) == 8


def test_a_passing_fault_says_to_repeat(two: DataSet, tmp_path: Path, server: Server) -> None:
    server.files["/train_HR.zip"].statuses = [503] * 9
    with pytest.raises(UserError, match=r"503 .*; repeat the command, which goes on from what has"):
        fetch(two, tmp_path)


def test_a_disk_without_room_is_told_before(
    two: DataSet, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": len(TRAIN)})
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match="1 MB are needed and 0 MB are free; free some, or name"):
        fetch(two, tmp_path)
    assert server.ranges == []


@pytest.mark.parametrize("name", ["as/published/train_HR", "train_HR"])
def test_an_unpacked_folder_is_taken(two: DataSet, tmp_path: Path, name: str) -> None:
    one = replace(two, items=two.items[:1])
    mine = tmp_path / "mine" / name
    mine.mkdir(parents=True)
    for i in range(8):
        (mine / f"{i}.png").write_bytes(b"photo")
    (mine / "readme.txt").write_bytes(b"")
    for number, given in enumerate((tmp_path / "mine", mine)):
        record = fetch(one, tmp_path / str(number), given=given)["train_HR"]
        assert (record["files"], record["checked"]) == (8, "number of photos")
        assert record["sha256"] is None
        assert len(names_of(tmp_path / str(number) / "two/train_HR")) == 8
    mine.rename(tmp_path / "renamed")
    assert fetch(one, tmp_path / "last", given=tmp_path / "renamed")["train_HR"]["files"] == 8
    (tmp_path / "renamed/0.png").unlink()
    with pytest.raises(UserError, match="holds no photos in a folder train_HR"):
        fetch(one, tmp_path / "less", given=tmp_path / "renamed")
    (tmp_path / "renamed").rename(tmp_path / "train_HR")
    with pytest.raises(UserError, match="holds 7 photos in train_HR, not 8; name another source"):
        fetch(one, tmp_path / "less", given=tmp_path / "train_HR")
    assert names_of(tmp_path / "less/two") == []


def test_one_file_of_several_is_refused_before_anything_is_done(
    two: DataSet, tmp_path: Path
) -> None:
    (tmp_path / "train_HR.zip").write_bytes(TRAIN)
    with pytest.raises(UserError, match=r"holds train_HR\.zip and valid_HR\.zip"):
        fetch(two, tmp_path / "out", given=tmp_path / "train_HR.zip")
    with pytest.raises(UserError, match="no such file or folder; name what you have"):
        fetch(two, tmp_path / "out", given=tmp_path / "nothing")
    assert not (tmp_path / "out").exists()


def test_a_second_process_is_told(two: DataSet, tmp_path: Path, server: Server) -> None:
    """Locks are of open files: a second fetch of this process meets the same one."""
    with (
        fetching._only_process(tmp_path / "two"),
        pytest.raises(UserError, match="two: another process is fetching into this folder; wait"),
    ):
        fetch(two, tmp_path)
    fetch(two, tmp_path)


KILLED = """
import sys
from contextlib import nullcontext
from pathlib import Path
from ppcn.downloads.fetching import FetchOptions, fetch_data
from ppcn.downloads.sources import DataSet, Item, RemoteFile
url, digest, size, out = sys.argv[1:]
remote = RemoteFile(url, 400, digest, int(size), is_exact=True)
many = DataSet("Many", "many", "home", "licence", (Item("many", remote, 400),))
print("ready", flush=True)
fetch_data(many, FetchOptions(Path(out), None, lambda _: nullcontext(lambda *_: None), print))
"""
MANY = archive({f"many/{i:04}.png": bytes([i % 256]) * 5_000 for i in range(400)})


@pytest.mark.slow
def test_killed_at_ten_moments_a_fetch_ends_with_every_photo(
    server: Server, tmp_path: Path
) -> None:
    """A process for each kill, from the first byte to the last photo."""
    served = Served(MANY, pause=0.005, piece=20_000)
    url = server.add("many.zip", served)
    moments = random.Random(2)
    facts = (url, sha256(MANY), str(len(MANY)), str(tmp_path))
    arguments = [sys.executable, "-c", KILLED, *facts]
    place = tmp_path / "many/many"
    for _ in range(10):
        process = subprocess.Popen(arguments, env=ENVIRONMENT, stdout=subprocess.PIPE)
        assert process.stdout and process.stdout.readline() == b"ready\n"
        time.sleep(moments.uniform(0, 1.2))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if place.exists():  # it was quicker this time: once more from the beginning
            assert len(names_of(place)) == 400
            shutil.rmtree(place)
    done = subprocess.run(arguments, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(names_of(place)) == 400
    assert json.loads((tmp_path / "many/many.json").read_text())["checked"] == sha256(MANY)
    assert names_of(tmp_path / "many") == ["many", "many.json"]
    assert [path.name for path in (tmp_path / "many").iterdir() if path.is_dir()] == ["many"]


@pytest.mark.parametrize(
    "data_set", [DPED, DIV2K, *BENCHMARKS.values(), VGG19], ids=lambda d: d.title
)
def test_the_table_is_sound(data_set: DataSet) -> None:
    assert data_set.home.startswith("http") and data_set.licence
    for item in data_set.items:
        remote = item.remote
        if remote is None:
            assert data_set.is_on_request
            continue
        assert remote.url.startswith("https://")
        assert remote.name and (remote.digest or not remote.is_exact)
        algorithm, _, digest = remote.digest.partition(":")
        assert len(digest) == {"sha256": 64, "md5": 32, "": 0}[algorithm]
        assert (item.photos or 0) <= remote.files
        assert item.unpacked <= remote.most_bytes
