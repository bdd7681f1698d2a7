"""`fetch` as a user calls it, and the next command, which must read what it left."""

import io
import json
import shlex
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import PARAMS, ROOT, edit_yaml, refusal, run, textured
from local_server import Served, Server, serving
from PIL import Image

import pipeline.tools.fetch as command
from ppcn.downloads.sources import BENCHMARKS, DIV2K, DPED, DataSet, RemoteFile


def picture(height: int, width: int, seed: int, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(textured(height, width, seed)).save(buffer, kind)
    return buffer.getvalue()


def tar_gz(names: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def local(server: Server, data_set: DataSet, archives: dict[str, bytes]) -> DataSet:
    """A row of the table with its archives on this machine, no digests, and few photos."""
    items = []
    for item in data_set.items:
        assert item.remote
        data = archives[item.remote.name]
        remote = RemoteFile(server.add(item.remote.name, Served(data)), 40, size=10**6)
        items.append(replace(item, remote=remote, photos=None, unpacked=0))
    return replace(data_set, items=tuple(items))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_bytes(PARAMS.read_bytes())
    return tmp_path


def next_command(printed: str) -> list[str]:
    """The arguments of the command that the last line advises."""
    advised = printed.splitlines()[-1].partition("next: '")[2].removesuffix("'")
    assert advised.startswith("ppcn-pipeline ")
    return shlex.split(advised)[1:]


def test_dped_goes_on_with_import_dped(
    folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive has a folder for each phone; it is downloaded once for two of them."""
    patches = {
        f"dped/{phone}/{part}/{camera}/{i}.jpg": picture(100, 100, i, "jpeg")
        for phone in ("iphone", "blackberry", "sony")
        for part, count in (("training_data", 4), ("test_data/patches", 2))
        for camera in (phone, "canon")
        for i in range(count)
    }
    archives = {"dped.gz": tar_gz({**patches, "dped/iphone/test_data/full/0.jpg": b"x"})}
    monkeypatch.setattr(command, "DPED", local(server, DPED, archives))
    done = run(folder, "fetch", "dped", "--phone", "iphone", "--phone", "sony")
    assert done.returncode == 0, done.stderr
    assert "licence: for research" in done.stdout
    assert len(server.ranges) == 1
    advised = done.stdout.splitlines()[-1]
    assert advised.endswith(
        "next: 'ppcn-pipeline import-dped data/dped --phone iphone && "
        "ppcn-pipeline import-dped data/dped --phone sony'"
    )
    for phone in ("iphone", "sony"):
        done = run(folder, "import-dped", "data/dped", "--phone", phone)
        assert done.returncode == 0, done.stderr
        assert f"data/dped/{phone}.h5: 6 pairs" in done.stdout
    assert not (folder / "data/dped/blackberry").exists()


def test_div2k_goes_on_with_lr(
    folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = {
        "DIV2K_train_HR": {f"{i:04}.png": picture(600, 600, i, "png") for i in range(2)},
        "DIV2K_valid_HR": {"0801.png": picture(600, 600, 9, "png")},
    }
    archives = {
        f"{name}.zip": tar_gz({f"{name}/{file}": data for file, data in files.items()})
        for name, files in photos.items()
    }
    monkeypatch.setattr(command, "DIV2K", local(server, DIV2K, archives))
    done = run(folder, "fetch", "div2k")
    assert done.returncode == 0, done.stderr
    done = run(folder, *next_command(done.stdout))
    assert done.returncode == 0, done.stderr
    assert "crops of 2 photos, 1 photos held out" in done.stdout
    (folder / "dvc.yaml").touch()
    again = run(folder, "fetch", "div2k").stdout.splitlines()[-1]
    train, valid = "data/div2k/DIV2K_train_HR", "data/div2k/DIV2K_valid_HR"
    assert f"dvc exp run -S sr.hr_train={train} -S sr.hr_valid={valid} -S sr.reduce=1" in again
    paper = (ROOT / "scales/paper.yaml").read_text()
    assert f"hr_train: {train}" in paper and f"hr_valid: {valid}" in paper


def test_a_test_set_goes_on_with_score_sr(
    folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = {"Set5_HR.tar.gz": tar_gz({"Set5_HR/a.png": picture(64, 64, 0, "png")})}
    local_set = local(server, BENCHMARKS["set5"], archives)
    monkeypatch.setitem(command.BENCHMARKS, "set5", local_set)
    done = run(folder, "fetch", "benchmark", "set5", "--out", "other disk", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["folder"] == "other disk/benchmark"
    assert result["items"]["Set5_HR"]["checked"] == "trusted on first use"
    assert "licence: for academic use only" in done.stderr
    scored = run(folder, *next_command(done.stderr))
    assert scored.returncode == 0, scored.stderr
    assert "1 images" in scored.stdout


def test_manga109_is_taken_from_a_folder_and_asked_for_without_one(folder: Path) -> None:
    message = refusal(folder, "fetch", "benchmark", "manga109")
    assert "those who apply at http://www.manga109.org/en/download.html" in message
    assert "--from" in message
    (folder / "pages").mkdir()
    for i in range(109):
        (folder / f"pages/{i}.png").write_bytes(b"page")
    done = run(folder, "fetch", "benchmark", "manga109", "--from", "pages")
    assert done.returncode == 0, done.stderr
    assert len(list((folder / "data/benchmark/Manga109_HR").iterdir())) == 109


def test_vgg19_goes_on_with_features(
    folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_set = local(server, command.VGG19, {command.VGG19.items[0].name: b"weights"})
    (item,) = local_set.items
    local_set = replace(local_set, items=(replace(item, remote=replace(item.remote, files=1)),))
    monkeypatch.setattr(command, "VGG19", local_set)
    done = run(folder, "fetch", "vgg19")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith(
        "next: set features.source to keras in params.yaml, then 'ppcn-pipeline features'"
    )
    edit_yaml(folder / "params.yaml", {"features.source": "keras"})
    # What lies there is what `features` looks at: not the file that Keras publishes.
    assert "notop.h5: digest md5:" in refusal(folder, "features")
    elsewhere = run(folder, "fetch", "vgg19", "--out", "o").stdout.splitlines()[-1]
    assert f"features.path to o/vgg19/{item.name} in params.yaml" in elsewhere


@pytest.mark.parametrize(("arguments", "said"), [
    (["dpde"], "unknown data set 'dpde'; the nearest of dped, div2k, benchmark, vgg19 is 'dped'"),
    (["dped"], "name one with --phone: iphone, blackberry, sony"),
    (["dped", "--phone", "ipone"], "--phone ipone: the nearest of iphone, blackberry, sony"),
    (["benchmark"], "name it: set5, set14, b100, urban100, manga109"),
    (["benchmark", "set6"], "benchmark set6: the nearest of set5, set14"),
    (["div2k", "set5"], "div2k takes no name; leave 'set5' out"),
    (["div2k", "--phone", "sony"], "--phone serves dped; leave it out for div2k"),
    (["div2k", "--from", "no"], "no: no such file or folder; name what you have"),
])  # fmt: skip
def test_mistakes_are_one_sentence(folder: Path, arguments: list[str], said: str) -> None:
    assert said in refusal(folder, "fetch", *arguments)
    assert not (folder / "data").exists()
