import io
import os
import subprocess
import sys
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
import pyvips
import tifffile
from PIL import Image, ImageCms, ImageOps

from ppcn.errors import UserError
from ppcn.photos import decode
from ppcn.photos.color import luminance
from ppcn.photos.decode import (
    camera_model,
    capture_time,
    list_photos,
    photo_size,
    read_photo,
    write_photo,
)

LOSSY = (".avif", ".jpg")
SUFFIXES = [".avif", ".heic", ".jpg", ".png", ".tif", ".webp"]


@pytest.fixture
def gradient() -> np.ndarray:
    y, x = np.mgrid[0:40, 0:60]
    return np.stack((4 * x, 6 * y, 255 - 4 * x), axis=-1).astype(np.uint8)


def _exif(orientation: int = 1, moment: str = "", fraction: str = "", offset: str = "") -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif[0x0112] = orientation
    tags = {0x9003: moment, 0x9291: fraction, 0x9011: offset}
    exif.get_ifd(0x8769).update({tag: value for tag, value in tags.items() if value})
    return exif.tobytes()


def _save(path: Path, pixels: np.ndarray, exif: bytes) -> None:
    """Write pixels and EXIF as they are; HEIF gets the turn that its EXIF tells of."""
    if path.suffix == ".heic":
        _save_heic(path, pixels, exif=exif or None)
    else:
        Image.fromarray(pixels).save(path, exif=exif, lossless=True)


def _save_heic(path: Path, pixels: np.ndarray, **options: object) -> None:
    """Lossless HEIF of 8 or, from 16-bit pixels, 10 bits."""
    mode = "RGB" if pixels.dtype == np.uint8 else "RGB;16"
    size = (pixels.shape[1], pixels.shape[0])
    exact = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
    pillow_heif.encode(mode, size, pixels.tobytes(), str(path), **exact, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_orientation_is_applied_once(
    tmp_path: Path, gradient: np.ndarray, suffix: str, orientation: int
) -> None:
    path = tmp_path / f"a{suffix}"
    _save(path, gradient, _exif(orientation))
    image = Image.fromarray(gradient)
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    photo = read_photo(path)
    assert photo.shape == expected.shape
    assert np.abs(photo.astype(int) - expected).max() <= (40 if suffix in LOSSY else 0)
    assert photo_size(path) == (photo.shape[1], photo.shape[0])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_is_what_pillow_decodes(tmp_path: Path, scene: np.ndarray, orientation: int) -> None:
    Image.fromarray(scene).save(tmp_path / "a.jpg", exif=_exif(orientation))
    with Image.open(tmp_path / "a.jpg") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(read_photo(tmp_path / "a.jpg"), expected)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_rounded_not_cut(tmp_path: Path, suffix: str) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (8, 9, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), deep[..., ::-1])
    expected = np.rint(deep / 257).astype(np.uint8)
    assert np.array_equal(read_photo(tmp_path / f"a.{suffix}"), expected)


def test_16_bit_grey(tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    cv2.imwrite(str(tmp_path / "a.png"), deep)
    photo = read_photo(tmp_path / "a.png")
    assert photo.shape == (8, 8, 3)
    assert np.array_equal(photo[..., 1], np.rint(deep / 257))


@pytest.mark.parametrize("orientation", range(1, 5))
def test_a_mirrored_16_bit_tiff_is_turned(tmp_path: Path, orientation: int) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (70, 9, 3), dtype=np.uint16)
    _save_tiff(tmp_path / "a.tif", deep, orientation)
    image = Image.fromarray(np.rint(deep / 257).astype(np.uint8))
    image.getexif()[0x0112] = orientation
    assert np.array_equal(read_photo(tmp_path / "a.tif"), ImageOps.exif_transpose(image))


def _save_tiff(path: Path, pixels: np.ndarray, orientation: int = 1, **layout: object) -> None:
    layout = {"photometric": "rgb", **layout}
    tifffile.imwrite(path, pixels, extratags=[(274, "H", 1, orientation, True)], **layout)


@pytest.mark.parametrize(
    ("axes", "layout"),
    [
        ("RGB", {"orientation": 6}),
        ("separate", {"planarconfig": "separate"}),
        ("white is 0", {"photometric": "miniswhite"}),
        ("grey", {"photometric": "minisblack"}),
    ],
)
def test_unusual_deep_tiffs_are_read_right(
    tmp_path: Path, axes: str, layout: dict[str, object]
) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (70, 9, 3), dtype=np.uint16)
    stored = deep if axes == "RGB" else np.moveaxis(deep, -1, 0) if axes == "separate" else None
    stored = deep[..., 0] if stored is None else stored
    _save_tiff(tmp_path / "a.tif", stored, **layout)
    expected = np.rint(deep / 257)
    if stored.ndim == 2:
        grey = deep[..., 0] if axes == "grey" else 65535 - deep[..., 0]
        expected = np.repeat(np.rint(grey / 257)[..., None], 3, -1)
    expected = np.rot90(expected, -1) if axes == "RGB" else expected
    assert np.array_equal(read_photo(tmp_path / "a.tif"), expected)


@pytest.mark.parametrize("dtype", ["int16", "uint32", "float32", "int8"])
def test_numbers_that_are_no_levels_are_refused(tmp_path: Path, dtype: str) -> None:
    _save_tiff(tmp_path / "a.tif", np.zeros((8, 9), dtype), photometric="minisblack")
    with pytest.raises(UserError, match=r"a\.tif: stores .*; save it as RGB of 8 or 16 bits"):
        read_photo(tmp_path / "a.tif")


def test_the_first_image_of_a_tiff_is_read(tmp_path: Path, gradient: np.ndarray) -> None:
    first, second = Image.fromarray(gradient), Image.fromarray(255 - gradient)
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    assert np.array_equal(read_photo(tmp_path / "a.tif"), gradient)


def test_10_bit_heif_is_rounded(tmp_path: Path) -> None:
    ten = np.random.default_rng(0).integers(0, 1024, (70, 60, 3), dtype=np.uint16)
    _save_heic(tmp_path / "a.heic", ten << 6)
    assert np.array_equal(read_photo(tmp_path / "a.heic"), np.rint(ten * (255 / 1023)))


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_refused(tmp_path: Path, gradient: np.ndarray, transfer: int) -> None:
    _save_heic(tmp_path / "a.heic", gradient, transfer_characteristics=transfer)
    with pytest.raises(UserError, match=r"a\.heic: HDR \((PQ|HLG)\); save it with"):
        read_photo(tmp_path / "a.heic")
    profile = _linear_profile()
    _save_heic(
        tmp_path / "a.heic", gradient, icc_profile=profile, transfer_characteristics=transfer
    )
    assert read_photo(tmp_path / "a.heic").shape == gradient.shape


def test_without_the_extra_a_heic_photo_is_listed_and_refused(
    tmp_path: Path, gradient: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save_heic(tmp_path / "a.HEIC", gradient)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (path,) = list_photos(tmp_path).values()
    for read in (read_photo, photo_size, capture_time):
        with pytest.raises(UserError, match=r"a\.HEIC: .* pip install 'ppcn\[heic\]'"):
            read(path)


def test_contents_count_not_names(tmp_path: Path, gradient: np.ndarray) -> None:
    Image.fromarray(gradient).save(tmp_path / "png.jpg", "PNG")
    Image.fromarray(gradient).save(tmp_path / "png.heic", "PNG")
    _save_heic(tmp_path / "heic", gradient)
    (tmp_path / "heic").rename(tmp_path / "heic.jpg")
    for name in ("png.jpg", "png.heic", "heic.jpg"):
        assert np.array_equal(read_photo(tmp_path / name), gradient)


def test_an_icc_profile_is_converted_to_srgb(tmp_path: Path, gradient: np.ndarray) -> None:
    lab_based = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(gradient).save(tmp_path / "srgb.png", icc_profile=lab_based)
    difference = read_photo(tmp_path / "srgb.png").astype(int) - gradient
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_wide_gamut_profile_changes_the_values(tmp_path: Path, suffix: str) -> None:
    flat, profile, path = np.full((70, 4, 3), 55, np.uint8), _linear_profile(), tmp_path / "a"
    if suffix == ".heic":
        _save_heic(path, flat, icc_profile=profile)
    else:
        Image.fromarray(flat).save(path.with_suffix(suffix), icc_profile=profile)
        path = path.with_suffix(suffix)
    assert np.abs(read_photo(path).astype(int) - 128).max() <= 2


def _linear_profile() -> bytes:
    """An sRGB profile whose tone curves are replaced by the identity."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for index in range(int.from_bytes(data[128:132], "big")):
        entry = 132 + 12 * index
        if data[entry : entry + 4] in (b"rTRC", b"gTRC", b"bTRC"):
            offset = int.from_bytes(data[entry + 4 : entry + 8], "big")
            data[offset : offset + 12] = b"curv" + bytes(8)
            data[entry + 8 : entry + 12] = (12).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK"])
def test_other_modes_become_rgb(tmp_path: Path, gradient: np.ndarray, mode: str) -> None:
    image = Image.fromarray(gradient).convert("RGB" if mode != "LA" else "L").convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(path)
    assert read_photo(path).shape == (40, 60, 3)


def test_damaged_missing_and_foreign_files_are_named(tmp_path: Path, gradient: np.ndarray) -> None:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[:5000])
    Image.fromarray(noise).save(tmp_path / "gif.jpg", "GIF")
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "empty.png").write_bytes(b"")
    for name in ("cut.jpg", "gif.jpg", "text.jpg", "empty.png", "missing.jpg"):
        with pytest.raises(UserError, match=name):
            read_photo(tmp_path / name)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_photo_is_whole_or_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (90, 70, 3), np.uint8)
    path = tmp_path / f"a{suffix}"
    _save(path, noise, _exif(6))
    whole, photo = path.read_bytes(), read_photo(path)
    errors = 0
    for length in (0, 1, 11, 40, *np.linspace(100, len(whole) - 1, 30).astype(int)):
        path.write_bytes(whole[:length])
        try:
            assert np.array_equal(read_photo(path), photo)
        except UserError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
            errors += 1
    assert errors >= 30


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    for name in ("folder.jpg", "pipe.jpg"):
        for read in (read_photo, photo_size, capture_time):
            with pytest.raises(UserError, match=f"{name}: not a file"):
                read(tmp_path / name)


def test_large_photos_are_read_in_silence_up_to_a_limit(
    tmp_path: Path, gradient: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(gradient).save(tmp_path / "a.png")
    _save_heic(tmp_path / "a.heic", gradient)
    monkeypatch.setattr(decode, "LARGEST", 2400)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_photo(tmp_path / "a.png").shape == gradient.shape
    monkeypatch.setattr(decode, "LARGEST", 2300)
    for name in ("a.png", "a.heic"):
        for read in (read_photo, photo_size, capture_time):
            with pytest.raises(UserError, match=f"{name}: more than 178 million pixels"):
                read(tmp_path / name)


MEASURE = """
import sys
from pathlib import Path
from ppcn.photos.decode import read_photo

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))

before = peak()
photo = read_photo(Path(sys.argv[1]))
print((peak() - before) / (photo.shape[0] * photo.shape[1]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures on Linux")
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_photo_is_held_twice_at_most(tmp_path: Path, orientation: int) -> None:
    y, x = np.mgrid[0:3000, 0:4000]
    photo = np.stack((x // 16, y // 12, (x + y) // 28), axis=-1).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "a.jpg", exif=_exif(orientation))
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "a.jpg")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # 3 bytes a pixel in the result, as many before they are turned, and little more.
    assert 2.5 < float(done.stdout) < (5 if orientation == 1 else 8)
    assert done.stderr == ""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_capture_time_is_read(tmp_path: Path, gradient: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    _save(path, gradient, _exif(1, "2024:05:01 12:30:00", "25", "+02:00"))
    zone = timezone(timedelta(hours=2))
    assert capture_time(path) == datetime(2024, 5, 1, 12, 30, 0, 250_000, zone)
    _save(path, gradient, _exif(1))
    assert capture_time(path) is None


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("Apple", "iPhone 3GS", "Apple iPhone 3GS"),
        ("Canon", "Canon  EOS 70D\0", "Canon EOS 70D"),
        ("", "C6603", "C6603"),
        ("Apple", "", "Apple"),
        ("", "", ""),
    ],
)
def test_the_camera_is_named_once(tmp_path: Path, make: str, model: str, expected: str) -> None:
    exif = Image.Exif()
    exif.update({0x010F: make, 0x0110: model})
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    assert camera_model(tmp_path / "a.jpg") == expected
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    assert camera_model(tmp_path / "a.jpg") == ""


@pytest.mark.parametrize(
    ("moment", "fraction", "offset", "expected"),
    [
        ("2024:05:01 12:30:00", "", "", datetime(2024, 5, 1, 12, 30)),
        ("2024:05:01 12:30:00", "  ", "   :  ", datetime(2024, 5, 1, 12, 30)),
        ("2024:05:01 12:30:00", "007", " ", datetime(2024, 5, 1, 12, 30, 0, 7000)),
        ("2024:05:01 12:30:00", "123456789", "", datetime(2024, 5, 1, 12, 30, 0, 123456)),
        ("2024:05:01 12:30:00", "a", "", datetime(2024, 5, 1, 12, 30)),
        ("2024:05:01 12:30:00", "", "two", datetime(2024, 5, 1, 12, 30)),
        ("2024:13:01 12:30:00", "", "", None),
        ("0000:00:00 00:00:00", "", "", None),
        ("    :  :     :  :  ", "", "", None),
        ("yesterday", "", "", None),
        ("", "25", "+02:00", None),
    ],
)
def test_malformed_times_are_none_or_lose_what_is_malformed(
    tmp_path: Path, moment: str, fraction: str, offset: str, expected: datetime | None
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=_exif(1, moment, fraction, offset))
    assert capture_time(tmp_path / "a.jpg") == expected


def test_a_header_is_enough_for_time_and_size(
    tmp_path: Path, gradient: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    for suffix in SUFFIXES:
        _save(tmp_path / f"with{suffix}", gradient, _exif(6, "2024:05:01 12:30:00"))
        _save(tmp_path / f"without{suffix}", gradient, b"")

    def refuse(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(pyvips.Image, "write_to_memory", refuse)
    monkeypatch.setattr(pillow_heif.HeifImage, "load", refuse)
    for suffix in SUFFIXES:
        assert photo_size(tmp_path / f"with{suffix}") == (40, 60)
        assert photo_size(tmp_path / f"without{suffix}") == (60, 40)
        assert capture_time(tmp_path / f"with{suffix}") == datetime(2024, 5, 1, 12, 30)
        assert capture_time(tmp_path / f"without{suffix}") is None
    with pytest.raises(AssertionError, match="decoded"):
        read_photo(tmp_path / "with.png")


def test_damaged_exif_does_not_cost_the_photo(tmp_path: Path, gradient: np.ndarray) -> None:
    Image.fromarray(gradient).save(tmp_path / "a.png", exif=b"Exif\0\0II*\0\xff\xff")
    assert np.array_equal(read_photo(tmp_path / "a.png"), gradient)
    assert photo_size(tmp_path / "a.png") == (60, 40)
    assert capture_time(tmp_path / "a.png") is None


def test_luminance_is_the_weighted_sum(scene: np.ndarray) -> None:
    expected = scene[:150, :90] @ np.array([0.299, 0.587, 0.114])
    grey = luminance(scene[:150, :90])
    assert grey.dtype == np.float32
    assert np.abs(grey - expected).max() < 1e-4


def test_photos_are_listed_by_stem_each_once(tmp_path: Path, gradient: np.ndarray) -> None:
    for name in ("b.JPG", "a.png", ".hidden.png"):
        write_photo(tmp_path / name.lower(), gradient)
    (tmp_path / "notes.txt").write_text("")
    assert list(list_photos(tmp_path)) == ["a", "b"]
    write_photo(tmp_path / "a.jpg", gradient)
    write_photo(tmp_path / "b.png", gradient)
    assert [path.name for path in list_photos(tmp_path).values()] == ["a.jpg", "b.jpg"]


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no photo"):
        list_photos(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        list_photos(tmp_path / "nowhere")


@pytest.mark.skipif(sys.platform != "linux", reason="others have no such names")
def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xe9.jpg")
    Path(path).write_bytes(b"")
    with pytest.raises(UserError, match="is not UTF-8; rename that photo") as error:
        list_photos(tmp_path)
    str(error.value).encode()
