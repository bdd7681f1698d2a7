"""The grid: kinds of pixels, depths, transparency, profiles, formats, against other readers."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
import tifffile
from making_photos import PROFILES, cmyk_profile, profile_of, smooth, to_srgb, write_photo
from PIL import Image

from ppcn.errors import UserError
from ppcn.photos.decode import read_photo
from ppcn.photos.formats import EncodeOptions, result_suffix
from ppcn.photos.photo_file import PhotoFile
from ppcn.photos.raw_photo import RawPhoto

pillow_heif.register_heif_opener()

# What each format holds: kinds, depths, transparency.
HOLDS = {
    ".jpg": (("L", "RGB", "CMYK"), (8,), (False,)),
    ".png": (("L", "RGB"), (8, 16), (False, True)),
    ".tif": (("L", "RGB", "CMYK"), (8, 16), (False, True)),
    ".webp": (("RGB",), (8,), (False, True)),
    ".avif": (("RGB",), (8,), (False, True)),
    ".heic": (("RGB",), (8, 16), (False, True)),
}
GRID = [
    (suffix, kind, depth, alpha, profile)
    for suffix, (kinds, depths, alphas) in HOLDS.items()
    for kind, depth, alpha, profile in itertools.product(kinds, depths, alphas, PROFILES)
    if not (kind == "CMYK" and alpha)
    # pillow-heif and Pillow's AVIF write no profile that they cannot read.
    if not (suffix in (".heic", ".avif") and profile in ("broken", "other kind"))
]
LOSSY = (".jpg", ".avif")


def stored(path: Path) -> tuple[np.ndarray, str, bytes | None]:
    """Pixels as a file stores them, their kind, and the profile, by other readers."""
    if path.suffix in (".tif", ".tiff"):
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            kind = {0: "L", 1: "L", 2: "RGB", 5: "CMYK"}[int(page.photometric)]
            return page.asarray(), kind, page.iccprofile
    with Image.open(path) as image:
        kind = "L" if image.mode in ("L", "LA", "I;16", "1", "I") else image.mode.rstrip("A")
        profile = image.info.get("icc_profile")
        pixels = np.asarray(image)
    if path.suffix == ".png":
        kind = "L" if path.read_bytes()[25] in (0, 4) else "RGB"
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if pixels.ndim == 3:
            pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
            # OpenCV gives grey with transparency as four channels.
            pixels = pixels[..., [0, 3]] if kind == "L" else pixels
    return pixels, kind, profile


def seen(path: Path) -> np.ndarray:
    """A photo in 8-bit sRGB, by other readers."""
    pixels, kind, profile = stored(path)
    if pixels.dtype == np.uint16:
        pixels = np.rint(pixels / 257).astype(np.uint8)
    count = {"L": 1, "RGB": 3, "CMYK": 4}[kind]
    colors = pixels if pixels.ndim == 2 else pixels[..., :count]
    colors = colors[..., 0] if count == 1 and colors.ndim == 3 else colors
    if kind == "CMYK" and (not profile or len(profile) < 1000 or profile[16:20] != b"CMYK"):
        profile = cmyk_profile()
    return to_srgb(np.ascontiguousarray(colors), profile, kind).astype(int)


def make(folder: Path, suffix: str, kind: str, depth: int, alpha: bool, profile: str) -> Path:
    path = folder / f"a{suffix}"
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[kind]
    pixels = smooth(channels, depth)
    if alpha:
        pixels = np.dstack((pixels, smooth(4, depth)[..., 3]))
    write_photo(path, pixels, profile_of(profile, kind), kind)
    return path


def same_picture(a: np.ndarray, b: np.ndarray, lossy: bool) -> bool:
    """Under a level in the mean; where colours of a wide profile become 0 in sRGB, more."""
    difference = np.abs(a - b)
    return bool(difference.mean() < (1.5 if lossy else 1) and np.median(difference) <= 1)


@pytest.mark.parametrize(("suffix", "kind", "depth", "alpha", "profile"), GRID)
def test_every_kind_is_the_same_picture_in_and_out(
    tmp_path: Path, suffix: str, kind: str, depth: int, alpha: bool, profile: str
) -> None:
    path = make(tmp_path, suffix, kind, depth, alpha, profile)
    expected = seen(path)
    photo = PhotoFile(path)
    assert (photo.header.layout.depth, photo.has_alpha) == (depth, alpha)
    assert same_picture(read_photo(path).astype(int), expected, suffix in LOSSY)
    raw = photo.decode(tmp_path)
    rows = np.rint(raw.read(0, raw.height) * (255 / raw.white)).astype(int)
    assert same_picture(rows, expected, suffix in LOSSY)
    out_suffix = result_suffix(path, photo.has_alpha)
    lossy = suffix in LOSSY or out_suffix in (".jpg", ".webp")
    dark = raw.enlarged(tmp_path / "dark.raw", 1)
    dark.write([(0, 0, np.zeros((raw.height, raw.width, 3), np.float32))])
    for name, result, strength in (("same", raw, 1.0), ("none", dark, 0.0)):
        out = tmp_path / f"{name}{out_suffix}"
        dropped = photo.encode(result, out, EncodeOptions(100), tmp_path, strength)
        assert same_picture(seen(out), expected, lossy), name
        assert_layout(out, kind, depth, alpha)
        assert ("broken ICC profile" in dropped) == (profile == "broken")
    larger = repeated(raw, tmp_path / "larger.raw")
    photo.encode(larger, tmp_path / f"larger{out_suffix}", EncodeOptions(100), tmp_path)
    every_fourth = seen(tmp_path / f"larger{out_suffix}")[1::4, 1::4]
    assert same_picture(every_fourth, expected, lossy)


def assert_layout(out: Path, kind: str, depth: int, alpha: bool) -> None:
    """Depth, colours and transparency of a result are the photo's, as far as its format goes."""
    pixels, kept, _ = stored(out)
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    assert kept == ("L" if kind == "L" else "RGB")
    assert channels == (1 if kind == "L" else 3) + alpha
    assert pixels.itemsize == (depth // 8 if out.suffix in (".png", ".tif", ".tiff") else 1)


def repeated(raw: RawPhoto, path: Path) -> RawPhoto:
    """A photo of which every pixel is four by four."""
    larger = raw.enlarged(path, 4)
    pixels = raw.read(0, raw.height).repeat(4, axis=0).repeat(4, axis=1)
    larger.write([(0, 0, (pixels / raw.white).astype(np.float32))])
    return larger


@pytest.mark.parametrize("kind", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "uint32", "int16"])
def test_numbers_that_are_no_levels_are_refused(tmp_path: Path, kind: str, dtype: str) -> None:
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[kind]
    write_photo(tmp_path / "a.tif", smooth(channels).astype(dtype), None, kind)
    with pytest.raises(UserError, match=r"a\.tif: .*8 or 16 bits a channel|a\.tif: damaged"):
        PhotoFile(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("transparent", [False, True])
def test_palettes_are_colours(tmp_path: Path, suffix: str, transparent: bool) -> None:
    image = Image.fromarray(smooth(3)).quantize(64)
    path = tmp_path / f"a{suffix}"
    options = {"transparency": 3} if transparent and suffix == ".png" else {}
    image.save(path, **options)
    photo = PhotoFile(path)
    assert photo.has_alpha == bool(options)
    photo.encode(photo.decode(tmp_path), tmp_path / f"b{suffix}", EncodeOptions(), tmp_path)
    with Image.open(tmp_path / f"b{suffix}") as file:
        assert np.array_equal(np.asarray(file.convert("RGB")), np.asarray(image.convert("RGB")))
