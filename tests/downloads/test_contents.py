"""Archives as they are published, and archives as an attacker would make them."""

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ppcn.downloads.contents import Extent, UnsafeArchiveError, extracting, measure
from ppcn.errors import UserError

PHOTO = b"not a photo, but named as one"
MANY = Extent(100, 10**6)
Names = dict[str, bytes]
GOOD: Names = {
    "set/HR/a.png": PHOTO,
    "set/HR/more/b.jpg": PHOTO * 2,
    "set/HR/readme.txt": b"no photo",
    "set/HR/.hidden.png": b"no photo",
    "__MACOSX/set/HR/._a.png": b"no photo",
    "set/LR/a.png": b"another folder's",
}


def make_zip(path: Path, names: Names) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("set")
        for name, data in names.items():
            archive.writestr(name, data)
    return path


def make_tar(path: Path, names: Names, mode: str = "w") -> Path:
    with tarfile.open(path, mode, format=tarfile.PAX_FORMAT) as archive:
        for name, data in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def make_tar_gz(path: Path, names: Names) -> Path:
    return make_tar(path, names, "w:gz")


def make_folder(path: Path, names: Names) -> Path:
    for name, data in names.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def take(source: Path, target: Path, limits: Extent = MANY, root: str = "") -> Extent:
    with extracting(source, "HR", target, limits, root or source.name, lambda _: None) as extent:
        return extent


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("make", [make_zip, make_tar, make_tar_gz, make_folder])
def test_the_photos_of_one_folder_are_taken_out(
    tmp_path: Path, make: Callable[[Path, Names], Path]
) -> None:
    source, target = make(tmp_path / "source", GOOD), tmp_path / "out/HR"
    assert take(source, target) == Extent(2, 3 * len(PHOTO)) == measure(target)
    assert files_of(target) == {"a.png": PHOTO, "more/b.jpg": PHOTO * 2}
    assert os.listdir(tmp_path / "out") == ["HR"]


def test_a_folder_may_be_the_wanted_one_itself(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "mine", {"a.png": PHOTO})
    assert take(folder, tmp_path / "out", root="HR") == Extent(1, len(PHOTO))
    (tmp_path / "HR").mkdir()
    folder.rename(tmp_path / "HR/HR")
    assert take(tmp_path / "HR/HR", tmp_path / "again") == Extent(1, len(PHOTO))


@pytest.mark.parametrize("name", [
    "../HR/a.png", "HR/../../a.png", "/tmp/HR/a.png", "HR\\..\\a.png", "set/HR/../../../a.png",
])  # fmt: skip
@pytest.mark.parametrize("make", [make_zip, make_tar, make_tar_gz])
def test_a_name_that_leads_out_is_refused(
    tmp_path: Path, make: Callable[[Path, Names], Path], name: str
) -> None:
    source = make(tmp_path / "source", {"HR/first.png": PHOTO, name: PHOTO})
    with pytest.raises(UnsafeArchiveError, match="holds the unsafe name"):
        take(source, tmp_path / "out/HR")
    assert sorted(os.listdir(tmp_path)) == ["out", "source"]
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_of_a_tar_file_are_refused(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("HR/a.png")
    info.type, info.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "source", "w") as archive:
        archive.addfile(info)
    with pytest.raises(UnsafeArchiveError, match="no plain file"):
        take(tmp_path / "source", tmp_path / "out/HR")


def test_links_and_encrypted_files_of_a_zip_file_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("HR/a.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "source", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UnsafeArchiveError, match=r"holds a link, 'HR/a\.png'"):
        take(tmp_path / "source", tmp_path / "out/HR")
    make_zip(tmp_path / "source", {"HR/a.png": PHOTO})
    data = bytearray((tmp_path / "source").read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "source").write_bytes(data)
    with pytest.raises(UnsafeArchiveError, match="an encrypted file"):
        take(tmp_path / "source", tmp_path / "out/HR")


@pytest.mark.parametrize("make", [make_zip, make_tar_gz])
def test_bombs_are_not_unpacked(tmp_path: Path, make: Callable[[Path, Names], Path]) -> None:
    source = make(tmp_path / "source", {"other/zeros.png": bytes(2 * 10**6), "HR/a.png": PHOTO})
    assert source.stat().st_size < 10**4
    with pytest.raises(UnsafeArchiveError, match="more than 100 files or 1,000,000 bytes"):
        take(source, tmp_path / "out/HR")
    source = make(tmp_path / "source", {f"HR/{number}.png": b"" for number in range(101)})
    with pytest.raises(UnsafeArchiveError, match="more than 100 files"):
        take(source, tmp_path / "out/HR")
    assert os.listdir(tmp_path / "out") == []


def test_a_zip_file_that_understates_a_size_writes_no_more(tmp_path: Path) -> None:
    source = make_zip(tmp_path / "source", {"HR/a.png": bytes(5 * 10**5)})
    data = bytearray(source.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 24 : data.rindex(b"PK\x01\x02") + 28] = (9).to_bytes(
        4, "little"
    )
    source.write_bytes(data)
    with pytest.raises(UserError, match="is not a whole zip or tar file"):
        take(source, tmp_path / "out/HR")
    assert os.listdir(tmp_path / "out") == []


def test_a_forged_header_of_a_tar_file_is_not_read_into_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("HR/a.png")
    info.type, info.size = tarfile.XHDTYPE, 2**40
    header = info.tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "source").write_bytes(gzip.compress(header + bytes(2**20)))
    with pytest.raises(UserError, match="header is longer than any needs to be"):
        take(tmp_path / "source", tmp_path / "out/HR")


@pytest.mark.parametrize("make", [make_zip, make_tar, make_tar_gz])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_damaged_archive_is_one_sentence(
    tmp_path: Path, make: Callable[[Path, Names], Path], share: float
) -> None:
    source = make(tmp_path / "source", {f"HR/{n}.png": os.urandom(20_000) for n in range(9)})
    data = source.read_bytes()
    source.write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match="is not a whole zip or tar file"):
        take(source, tmp_path / "out/HR")
    source.write_bytes(b"<html>not found</html>")
    with pytest.raises(UserError, match="is not a whole zip or tar file"):
        take(source, tmp_path / "out/HR")
    assert os.listdir(tmp_path / "out") == []


def test_flipped_bytes_are_seen(tmp_path: Path) -> None:
    source = make_zip(tmp_path / "source", {"HR/a.png": os.urandom(20_000)})
    data = bytearray(source.read_bytes())
    data[10_000] ^= 1
    source.write_bytes(data)
    with pytest.raises(UserError, match="is not a whole zip or tar file"):
        take(source, tmp_path / "out/HR")


def test_a_source_without_the_folder_is_told(tmp_path: Path) -> None:
    source = make_zip(tmp_path / "source", {"set/LR/a.png": PHOTO, "HR": b"a file"})
    with pytest.raises(UserError, match="holds no photos in a folder HR; name another source"):
        take(source, tmp_path / "out/HR")


def test_what_a_killed_run_left_is_removed_and_an_error_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "out/.ppcn-HR").mkdir(parents=True)
    (tmp_path / "out/.ppcn-HR/half.png").write_bytes(b"half")
    source = make_zip(tmp_path / "source", GOOD)
    take(source, tmp_path / "out/HR")
    assert set(files_of(tmp_path / "out/HR")) == {"a.png", "more/b.jpg"}
    with (
        pytest.raises(KeyboardInterrupt),
        extracting(source, "HR", tmp_path / "out/two", MANY, "", lambda _: None),
    ):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path / "out") == ["HR"]


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_zip(tmp_path / "source", GOOD)
    real = Path.open

    def full(path: Path, mode: str = "r", *rest: object) -> object:
        return real(Path("/dev/full"), "wb", 0) if mode == "xb" else real(path, mode)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(UserError, match=r"out/HR: no space left on the disk; free some"):
        take(source, tmp_path / "out/HR")
    assert os.listdir(tmp_path / "out") == []
