"""Whatever holds a photo in Python is enhanced as the plain array of it is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pyvips
from conftest import ENVIRONMENT, textured
from PIL import Image

import ppcn
from ppcn.errors import UserError
from ppcn.photos.decode import read_photo


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return textured(24, 32)


@pytest.fixture(scope="module")
def better(photo: np.ndarray, weights: Path) -> np.ndarray:
    return ppcn.enhance(photo, weights=weights)


LAYOUTS = {
    "fortran": np.asfortranarray,
    "negative strides": lambda a: a[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "part of another": lambda a: np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3],
    "channels first in memory": lambda a: a.transpose(2, 0, 1).copy().transpose(1, 2, 0),
}


@pytest.mark.parametrize("layout", [*LAYOUTS, "read-only"])
@pytest.mark.parametrize("kind", ["u1", ">u2", "<u2", ">f4", "f2", ">f8", "g"])
def test_neither_layout_nor_order_of_bytes_matters(
    photo: np.ndarray, weights: Path, kind: str, layout: str
) -> None:
    white = {"u1": 255, "u2": 65535}.get(kind[-2:], 1)
    plain = (photo / 255 * white).astype(np.dtype(kind).newbyteorder("="))
    image = LAYOUTS.get(layout, np.copy)(plain.astype(kind))
    image.flags.writeable = layout != "read-only"
    before = image.copy()
    result = ppcn.enhance(image, weights=weights)
    assert (result.dtype, result.shape) == (np.dtype(kind), photo.shape)
    assert np.array_equal(result, ppcn.enhance(plain, weights=weights))
    assert np.array_equal(image, before)
    assert result.flags.writeable
    if layout == "negative strides":
        assert np.array_equal(ppcn.upscale(image), ppcn.upscale(plain))
        assert ppcn.upscale(image).dtype == np.dtype(kind)


@pytest.mark.parametrize("kind", ["u1", ">u2", "f4"])
def test_the_shape_stays(photo: np.ndarray, weights: Path, kind: str) -> None:
    white = {"u1": 1, ">u2": 257, "f4": 1 / 255}[kind]
    rgba = (np.dstack((photo, photo[..., :1])).astype(float) * white).astype(kind)
    grey = ppcn.enhance(rgba[..., 0], weights=weights)
    assert np.array_equal(ppcn.enhance(rgba[..., :1], weights=weights), grey[..., None])
    both = ppcn.enhance(rgba[..., [0, 3]], weights=weights)
    assert np.array_equal(both, np.dstack((grey, rgba[..., 3])))
    assert [ppcn.upscale(rgba[:5, :4, :n]).shape for n in (1, 2, 3, 4)] == [
        (20, 16, n) for n in (1, 2, 3, 4)
    ]
    assert ppcn.upscale(rgba[::-1, :, [0, 3]]).dtype == np.dtype(kind)


def test_one_pixel_is_a_photo(weights: Path) -> None:
    assert ppcn.enhance(np.zeros((1, 1, 3), np.uint8), weights=weights).shape == (1, 1, 3)
    assert ppcn.upscale(np.zeros((1, 1), np.uint8)).shape == (4, 4)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        *((mode, mode) for mode in ("RGB", "RGBA", "L", "LA")),
        *((mode, "RGB") for mode in ("P", "CMYK", "YCbCr", "HSV", "RGBX")),
        ("1", "L"),
        ("PA", "RGBA"),
    ],
)
def test_a_picture_gives_a_picture(
    photo: np.ndarray, weights: Path, mode: str, expected: str
) -> None:
    picture = Image.fromarray(photo)
    if mode in ("RGBA", "LA"):
        picture.putalpha(Image.fromarray(photo[..., 0]))
    picture = picture.convert("P" if mode == "PA" else mode).convert(mode)
    picture.info["dpi"] = (72, 72)
    result = ppcn.enhance(picture, weights=weights)
    assert (result.mode, result.size, result.info.get("dpi")) == (expected, (32, 24), (72, 72))
    plain = ppcn.enhance(np.asarray(picture.convert(expected)), weights=weights)
    assert np.array_equal(np.asarray(result), plain)
    larger = ppcn.upscale(picture)
    assert (larger.mode, larger.size) == (expected, (128, 96))


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_a_picture_of_16_bits_keeps_them(photo: np.ndarray, weights: Path, mode: str) -> None:
    pixels = photo[..., 0].astype(np.uint16) * 257
    data = pixels.astype(">u2" if mode == "I;16B" else "<u2").tobytes()
    result = ppcn.enhance(Image.frombytes(mode, (32, 24), data), weights=weights)
    assert result.mode.startswith("I;16")
    assert np.array_equal(np.asarray(result), ppcn.enhance(pixels, weights=weights))


def test_transparent_colours_become_an_alpha_channel(photo: np.ndarray, weights: Path) -> None:
    palette = Image.fromarray(photo).convert("P")
    palette.info["transparency"] = palette.getpixel((0, 0))
    grey = Image.fromarray(photo).convert("L")
    grey.info["transparency"] = grey.getpixel((0, 0))
    for picture, mode in ((palette, "RGBA"), (grey, "LA")):
        result = ppcn.enhance(picture, weights=weights)
        assert (result.mode, result.getchannel("A").getpixel((0, 0))) == (mode, 0)
        assert "transparency" not in result.info


def test_a_profile_is_applied_as_in_files(tmp_path: Path, photo: np.ndarray, weights: Path) -> None:
    p3 = bytes(pyvips.Operation.call("profile_load", "p3"))
    Image.fromarray(photo).save(tmp_path / "a.png", icc_profile=p3)
    with Image.open(tmp_path / "a.png") as picture:
        result = ppcn.enhance(picture, weights=weights)
    assert "icc_profile" not in result.info
    expected = ppcn.enhance(read_photo(tmp_path / "a.png"), weights=weights)
    assert np.abs(np.asarray(result).astype(int) - expected).mean() < 0.5
    with Image.open(tmp_path / "a.png") as picture:
        picture.info["icc_profile"] = b"broken"
        same = ppcn.enhance(photo, weights=weights)
        assert np.array_equal(np.asarray(ppcn.enhance(picture, weights=weights)), same)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_read_upright(
    tmp_path: Path, photo: np.ndarray, better: np.ndarray, weights: Path, kind: type
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.png"
    Image.fromarray(np.rot90(photo)).save(path, exif=exif)
    result = ppcn.enhance(kind(path), weights=weights)
    assert result.dtype == np.uint8
    assert np.array_equal(result, better)
    with pytest.raises(UserError, match=r"none\.jpg: no such photo"):
        ppcn.upscale(kind(tmp_path / "none.jpg"))


def test_other_things_are_refused(tmp_path: Path, photo: np.ndarray) -> None:
    for thing in (photo.tolist(), None, b"bytes"):
        with pytest.raises(UserError, match=f"{type(thing).__name__}: give an array of NumPy"):
            ppcn.enhance(thing)  # type: ignore[call-overload]
    for mode in ("I", "LAB"):
        with pytest.raises(UserError, match=f"a picture of mode {mode}: convert it"):
            ppcn.enhance(Image.new(mode, (8, 8)))
    Image.fromarray(textured(200, 200)).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:5000])
    with (
        Image.open(tmp_path / "a.jpg") as cut,
        pytest.raises(UserError, match=r"a\.jpg: damaged picture"),
    ):
        ppcn.enhance(cut)


IN_A_FORK = """
import multiprocessing, sys
import numpy as np
import ppcn
import torch

torch.set_num_threads(2)
image = np.random.default_rng(0).random((300, 400, 3)).astype(np.float32)
USED = {use}
before = ppcn.enhance(image) if USED == "ppcn" else torch.rand(512, 512) @ torch.rand(512, 512)

def work(queue):
    larger = ppcn.upscale(image[:40, :50])
    queue.put((ppcn.enhance(image), larger.shape))

context = multiprocessing.get_context("fork")
queue = context.Queue()
child = context.Process(target=work, args=(queue,), daemon=True)
child.start()
after, shape = queue.get(timeout=240)
child.join(30)
assert shape == (160, 200, 3) and child.exitcode == 0
assert USED != "ppcn" or np.abs(after - before).max() < 1e-5
ppcn.enhance(image)
assert torch.get_num_threads() == 2
print("both", flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("used", ["ppcn", "torch"])
def test_a_forked_process_computes_too(used: str) -> None:
    """It starts Python and torch anew, which takes some seconds."""
    command = [sys.executable, "-c", IN_A_FORK.format(use=json.dumps(used))]
    environment = {k: v for k, v in ENVIRONMENT.items() if k != "OMP_NUM_THREADS"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert done.stdout == "both\n", done.stderr


def test_a_fork_after_cuda_is_refused(
    photo: np.ndarray, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ppcn._PROCESS", -1)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda._is_in_bad_fork", lambda: True)
    with pytest.raises(UserError, match=r"forked after CUDA .*get_context\('spawn'\)"):
        ppcn.enhance(photo, weights=weights)
