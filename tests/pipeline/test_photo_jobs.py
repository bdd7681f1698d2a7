"""`enhance` and `upscale` as a user calls them, on all kinds of photos."""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import pyvips
from conftest import refusal, run, run_apart
from PIL import Image

from ppcn.inference.predictor import Predictor
from ppcn.photos.decode import read_photo
from ppcn.photos.photo_file import PhotoFile

SIZE = (24, 16)


def picture(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    x = np.arange(size[0] * size[1] * 4).reshape(size[1], size[0], 4) % 251
    return Image.fromarray(x.astype(np.uint8)).convert(mode)


def exif(orientation: int, model: str = "iPhone 3GS") -> Image.Exif:
    tags = Image.Exif()
    tags.update({0x0112: orientation, 0x010F: "Apple", 0x0110: model})
    return tags


def deep(path: Path, grey: bool = False) -> None:
    pixels = np.arange(24 * 16 * 3).reshape(16, 24, 3).astype(np.uint16) * 50
    image = pyvips.Image.new_from_array(pixels[..., 0] if grey else pixels)
    image.copy(interpretation="grey16" if grey else "rgb16").write_to_file(str(path))


def png_bomb(path: Path) -> None:
    """A PNG of 100000 x 100000 px in a few bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checked = name + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)


def truncated(path: Path) -> None:
    picture(size=(200, 200)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def floats(path: Path) -> None:
    pyvips.Image.new_from_array(np.zeros((8, 8, 3), np.float32)).write_to_file(str(path))


def heic(path: Path) -> None:
    pillow_heif.from_pillow(picture(size=(64, 64))).save(path)


def truncated_heic(path: Path) -> None:
    heic(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def written(path: Path, mode: str = "RGB", **options: object) -> None:
    options = {"format": "JPEG", **options} if path.suffix == ".jpg" else options
    picture(mode).save(path, **options)


# Name, how it is made, and the size of the result.
GOOD: list[tuple[str, Callable[[Path], None], tuple[int, int]]] = [
    *(
        (f"turned-{n}.jpg", lambda p, n=n: written(p, exif=exif(n)), SIZE if n < 5 else SIZE[::-1])
        for n in range(1, 9)
    ),
    ("cmyk.jpg", lambda p: written(p, "CMYK"), SIZE),
    ("grey.jpg", lambda p: written(p, "L"), SIZE),
    ("progressive.jpg", lambda p: written(p, progressive=True), SIZE),
    ("really-png.jpg", lambda p: written(p, format="PNG"), SIZE),
    ("Über uns, 1.JPG", lambda p: picture().save(p, format="JPEG"), SIZE),
    ("bad-profile.jpg", lambda p: written(p, icc_profile=b"rubbish" * 30), SIZE),
    ("bad-exif.jpg", lambda p: written(p, exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), SIZE),
    ("other-camera.jpg", lambda p: written(p, exif=exif(1, "iPhone 27")), SIZE),
    ("one.png", lambda p: picture(size=(1, 1)).save(p), (1, 1)),
    ("thin.png", lambda p: picture(size=(3, 100_000)).save(p), (3, 100_000)),
    ("one-bit.png", lambda p: written(p, "1"), SIZE),
    ("palette.png", lambda p: written(p, "P"), SIZE),
    ("palette-transparent.png", lambda p: written(p, "P", transparency=3), SIZE),
    ("grey-transparent.png", lambda p: written(p, "LA"), SIZE),
    ("transparent.png", lambda p: written(p, "RGBA"), SIZE),
    ("deep.png", deep, SIZE),
    ("deep-grey.png", lambda p: deep(p, grey=True), SIZE),
    (
        "interlaced.png",
        lambda p: pyvips.Image.black(24, 16, bands=3).pngsave(str(p), interlace=True),
        SIZE,
    ),
    ("plain.tif", lambda p: written(p), SIZE),
    ("deep.tiff", deep, SIZE),
    ("cmyk.tif", lambda p: written(p, "CMYK"), SIZE),
    ("pages.tif", lambda p: written(p, save_all=True, append_images=[picture("L")]), SIZE),
    ("lossless.webp", lambda p: written(p, lossless=True), SIZE),
    ("transparent.webp", lambda p: written(p, "RGBA"), SIZE),
    ("moving.webp", lambda p: written(p, save_all=True, append_images=[picture("L")]), SIZE),
    ("a.bmp", written, SIZE),
    ("b.avif", written, SIZE),
    ("c.heic", heic, (64, 64)),
]
BAD: list[tuple[str, Callable[[Path], None], str]] = [
    ("bomb.png", png_bomb, "more than a billion pixels"),
    ("empty.jpg", lambda p: p.write_bytes(b""), "an empty file"),
    ("text.jpg", lambda p: p.write_text("hello"), "not a photo that can be read"),
    (
        "svg.png",
        lambda p: p.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
        "not a photo",
    ),
    ("moving.png", lambda p: picture("P").save(p, format="GIF"), "not a photo that can be read"),
    ("truncated.jpg", truncated, "damaged photo"),
    ("truncated.png", truncated, "damaged photo"),
    ("truncated.tif", truncated, "damaged photo"),
    ("truncated.webp", truncated, "damaged photo"),
    ("cut-short.heic", truncated_heic, "damaged photo"),
    ("half.heic", lambda p: p.write_bytes(b"\0\0\0\x18ftypheic" + bytes(40)), "damaged photo"),
    ("float.tif", floats, "save it as RGB of 8 or 16 bits"),
    ("really-transparent.jpg", lambda p: written(p, "RGBA", format="PNG"), "holds no transparency"),
]
BECOMES = {".bmp": ".png", ".avif": ".jpg", ".heic": ".jpg"}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of odd photos; tests only read it."""
    folder = tmp_path_factory.mktemp("odd")
    for name, make, _ in (*GOOD, *BAD):
        make(folder / name)
    return folder


def test_odd_photos_are_done_right_or_refused_in_one_sentence(
    odd: Path, tmp_path: Path, weights: Path
) -> None:
    done = run_apart(tmp_path, "enhance", odd, "--out", "out", "--weights", weights)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    messages = done.stderr.split("photos failed:\n")[1].splitlines()
    assert f"{len(BAD)} of {len(GOOD) + len(BAD)} photos failed" in done.stderr
    assert len(messages) == len(BAD)
    for name, _, message in BAD:
        (line,) = (line for line in messages if name in line)
        assert message in line
    expected = {name: size for name, _, size in GOOD}
    for name, size in expected.items():
        path = tmp_path / "out" / name
        path = path.with_suffix(BECOMES.get(path.suffix, path.suffix))
        with Image.open(path) as file:
            assert file.size == size, name
            file.load()
    assert len(list((tmp_path / "out").glob("[!.]*"))) == len(GOOD)
    # One warning for a camera that the weights do not know.
    assert done.stderr.count("iPhone 27, the weights know Apple iPhone 3GS") == 1


def test_strength_0_gives_the_photo_back(odd: Path, tmp_path: Path, weights: Path) -> None:
    photos = [odd / name for name in ("deep.png", "transparent.png", "palette.png", "plain.tif")]
    done = run(tmp_path, "enhance", *photos, "--strength", 0, "--weights", weights)
    assert done.returncode == 0, done.stderr
    for photo in photos:
        before, after = (
            pyvips.Image.new_from_file(str(p)) for p in (photo, tmp_path / "enhanced" / photo.name)
        )
        assert before.format == after.format
        assert np.array_equal(before.numpy(), after.numpy())


def test_folders_patterns_and_formats(tmp_path: Path, weights: Path) -> None:
    for name in ("in/a.jpg", "in/deep/er/b.png", "in/.hidden.jpg", "in/out/old.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        picture().save(tmp_path / name)
    (tmp_path / "in/notes.txt").write_text("not a photo")
    common = ("--weights", weights, "--out", "in/out")
    done = run(tmp_path, "enhance", "in", *common, "--compare")
    assert done.returncode == 0, done.stderr
    results = sorted(
        str(p.relative_to(tmp_path / "in/out")) for p in (tmp_path / "in/out").rglob("[!.]*.*")
    )
    wanted = ["a.compare.jpg", "a.jpg", "deep/er/b.compare.jpg", "deep/er/b.png", "old.jpg"]
    assert results == wanted
    done = run(tmp_path, "enhance", "in/*.jpg", *common, "--format", "webp")
    assert "1 photo written" in done.stdout
    with Image.open(tmp_path / "in/out/a.webp") as file:
        assert file.format == "WEBP"


def test_nothing_is_overwritten_unless_told(tmp_path: Path, weights: Path) -> None:
    picture().save(tmp_path / "a.png")
    (tmp_path / "enhanced").mkdir()
    (tmp_path / "enhanced/a.png").write_text("precious")
    common = ("enhance", "a.png", "--weights", weights)
    done = run(tmp_path, *common)
    assert (done.returncode, (tmp_path / "enhanced/a.png").read_text()) == (0, "precious")
    assert "1 of 1 results already exist; --overwrite replaces them" in done.stdout
    assert run(tmp_path, *common, "--overwrite").returncode == 0
    assert read_photo(tmp_path / "enhanced/a.png").shape == (16, 24, 3)
    done = run(tmp_path, *common, "--out", ".", "--overwrite")
    assert done.returncode == 1
    assert "a.png: would be replaced by its result; name another --out" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing*.jpg"], "nothing*.jpg: matches no photo"),
        (["."], "holds no photo"),
        (["missing.jpg"], "missing.jpg: no such photo"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, weights: Path, arguments: list[str], message: str
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    if arguments != ["."]:
        (folder / "b").mkdir()
        for name in ("a.png", "b/a.png"):
            picture().save(folder / name)
    done = run(folder, "enhance", *arguments, "--weights", weights, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert message in done.stderr
    assert not list(tmp_path.glob("out/*"))


def test_weights_for_the_other_task_name_its_command(tmp_path: Path, weights: Path) -> None:
    picture().save(tmp_path / "a.png")
    last = refusal(tmp_path, "upscale", "a.png", "--weights", weights)
    assert "holds ppcn_student, for enhancement, not for super-resolution; use it with 'enh" in last
    last = refusal(tmp_path, "enhance", "a.png", "--weights=ppcn_sr")
    assert last.endswith("for super-resolution, not for enhancement; use it with 'upscale'")


def test_upscale_works_with_what_is_shipped(odd: Path, tmp_path: Path) -> None:
    photos = [odd / name for name in ("turned-6.jpg", "deep.png", "transparent.webp", "one.png")]
    done = run(tmp_path, "upscale", *photos)
    assert done.returncode == 0, done.stderr
    sizes = {}
    for path in (tmp_path / "upscaled").glob("[!.]*"):
        with Image.open(path) as file:
            sizes[path.name] = file.size
    assert sizes == {
        "turned-6.jpg": (64, 96),
        "deep.png": (96, 64),
        "transparent.webp": (96, 64),
        "one.png": (4, 4),
    }
    assert pyvips.Image.new_from_file(str(tmp_path / "upscaled/deep.png")).format == "ushort"


def names_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("[!.]*.*"))


def test_two_photos_of_one_name_are_both_done(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("IMG_1.bmp", "IMG_1.png", "IMG_2.bmp"):
        picture().save(tmp_path / "in" / name)
    done = run(tmp_path, "enhance", "in", "--weights", weights)
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path / "enhanced") == ["IMG_1.bmp.png", "IMG_1.png", "IMG_2.png"]


def test_photos_that_cannot_be_told_apart_do_not_stop_the_others(
    tmp_path: Path, weights: Path
) -> None:
    for name in ("a.png", "b/a.png", "c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture().save(tmp_path / name)
    done = run(tmp_path, "enhance", "a.png", "b/a.png", "c.png", "--weights", weights)
    assert done.returncode == 1
    assert "b/a.png: its result would replace that of a.png; rename one" in done.stderr
    assert names_in(tmp_path / "enhanced") == ["a.png", "c.png"]


def test_a_single_photo_may_name_its_result(tmp_path: Path, weights: Path) -> None:
    for name in ("a.png", "b.png"):
        picture().save(tmp_path / name)
    common = ("--weights", weights, "--out", "deep/better.JPG")
    done = run(tmp_path, "enhance", "a.png", *common)
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path / "deep") == ["better.JPG"]
    with Image.open(tmp_path / "deep/better.JPG") as file:
        assert file.format == "JPEG"
    last = refusal(tmp_path, "enhance", "a.png", "b.png", *common)
    assert "deep/better.JPG: one file for 2 photos; name a folder" in last


def test_earlier_results_are_not_enhanced_again(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "in").mkdir()
    picture().save(tmp_path / "in/a.png")
    common = ("enhance", "in", "--weights", weights)
    assert run(tmp_path, *common, "--out", "in/better", "--compare").returncode == 0
    done = run(tmp_path, *common, "--out", "in/best")
    assert "1 photo written" in done.stdout, done.stderr
    assert names_in(tmp_path / "in/best") == ["a.png"]
    # Enlarging what was enhanced is another thing.
    done = run(tmp_path, "upscale", "in/better", "--out", "large")
    assert done.returncode == 0, done.stderr
    assert "a.png" in names_in(tmp_path / "large")


def test_names_as_long_as_can_be_and_of_odd_bytes(tmp_path: Path, weights: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    longest, too_long = "x" * 251 + ".png", "y" * 251 + ".bmp"
    for name in (longest, "[1] *?.png"):
        picture().save(folder / name)
    (folder / too_long).write_bytes((folder / longest).read_bytes())
    (folder / (too_long[:-4] + ".png")).write_bytes((folder / longest).read_bytes())
    with open(os.fsencode(folder) + b"/caf\xe9.png", "wb") as file:
        picture().save(file, "PNG")
    done = run(tmp_path, "enhance", "in", "--weights", weights)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "the name is not UTF-8; rename the photo" in done.stderr
    assert "the name of its result is too long; shorten the photo's" in done.stderr
    assert "2 of 5 photos failed" in done.stderr
    expected = sorted([longest, "[1] *?.png", too_long[:-4] + ".png"])
    assert names_in(tmp_path / "enhanced") == expected


def test_what_cannot_be_written_is_known_before_a_network_runs(
    tmp_path: Path, weights: Path
) -> None:
    picture().convert("RGBA").save(tmp_path / "a.png")
    picture().save(tmp_path / "b.png")
    done = run(tmp_path, "enhance", "a.png", "b.png", "--format", "jpg", "--weights", weights)
    assert done.returncode == 1
    first, *_ = (line for line in done.stderr.splitlines() if "a.png" in line or "a.jpg" in line)
    assert "JPEG holds no transparency" in first
    assert names_in(tmp_path / "enhanced") == ["b.jpg"]


def test_strip_leaves_the_picture_and_its_colours(tmp_path: Path, weights: Path) -> None:
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x0110: "Phone"})
    picture().save(tmp_path / "a.jpg", exif=exif, comment=b"hello", quality=95)
    done = run(tmp_path, "enhance", "a.jpg", "--strip", "--strength", 0, "--weights", weights)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "enhanced/a.jpg") as file:
        assert file.size == (16, 24)
        assert not file.getexif()
        assert "comment" not in file.info


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), RuntimeError("out of memory"), MemoryError()]
)
def test_whatever_goes_wrong_with_one_photo_the_others_are_done(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        picture().save(tmp_path / name)
    predict = Predictor.predict

    def fail_once(self: Predictor, photo: PhotoFile, *rest: object) -> object:
        if photo.path.name == "b.png":
            raise error
        return predict(self, photo, *rest)

    monkeypatch.setattr(Predictor, "predict", fail_once)
    done = run(tmp_path, "enhance", "a.png", "b.png", "c.png", "--weights", weights)
    assert done.returncode == 1
    assert "1 of 3 photos failed:\n  b.png: " in done.stderr
    assert type(error).__name__ in done.stderr
    assert names_in(tmp_path / "enhanced") == ["a.png", "c.png"]
