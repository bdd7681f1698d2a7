import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from ppcn.errors import UserError
from ppcn.images import list_photos, read_photo, write_photo


@pytest.fixture
def gradient() -> np.ndarray:
    y, x = np.mgrid[0:40, 0:60]
    return np.stack((4 * x, 6 * y, 255 - 4 * x), axis=-1).astype(np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(tmp_path: Path, gradient: np.ndarray, orientation: int) -> None:
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(gradient).save(path, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(read_photo(path), expected)
    assert read_photo(path).shape[:2] == ((40, 60) if orientation < 5 else (60, 40))


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


def test_an_icc_profile_is_converted_to_srgb(tmp_path: Path, gradient: np.ndarray) -> None:
    lab_based = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(gradient).save(tmp_path / "srgb.png", icc_profile=lab_based)
    difference = read_photo(tmp_path / "srgb.png").astype(int) - gradient
    assert np.abs(difference).max() <= 1


def test_a_wide_gamut_profile_changes_the_values(tmp_path: Path) -> None:
    profile = _linear_profile()
    Image.fromarray(np.full((4, 4, 3), 55, np.uint8)).save(tmp_path / "a.png", icc_profile=profile)
    assert np.abs(read_photo(tmp_path / "a.png").astype(int) - 128).max() <= 2


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
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "empty.png").write_bytes(b"")
    for name in ("cut.jpg", "text.jpg", "empty.png", "missing.jpg"):
        with pytest.raises(UserError, match=name):
            read_photo(tmp_path / name)


def test_photos_are_listed_by_stem_and_doubles_refused(
    tmp_path: Path, gradient: np.ndarray
) -> None:
    for name in ("b.JPG", "a.png", ".hidden.png"):
        write_photo(tmp_path / name.lower(), gradient)
    (tmp_path / "notes.txt").write_text("")
    assert list(list_photos(tmp_path)) == ["a", "b"]
    write_photo(tmp_path / "a.jpg", gradient)
    with pytest.raises(UserError, match="same stem"):
        list_photos(tmp_path)


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no photo"):
        list_photos(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        list_photos(tmp_path / "nowhere")
