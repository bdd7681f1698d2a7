"""Arrays and files through networks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ppcn
from ppcn.errors import UserError
from ppcn.evaluation.protocols import run_network, run_upscaler
from ppcn.inference.photo_rows import ArrayRows
from ppcn.inference.predictor import UPSCALES, Enlarged, Predictor
from ppcn.photos.decode import read_photo
from ppcn.photos.formats import EncodeOptions
from ppcn.photos.photo_file import PhotoFile
from ppcn.photos.resize import enlarge, imresize
from ppcn.weights import load_weights
from ppcn.weights.shipped import find_weights


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """Smooth, with edges, (60, 80, 3) uint8."""
    y, x = np.mgrid[0:60, 0:80]
    pixels = np.stack((x * 3, y * 4, (x + y) % 40 * 6), axis=-1)
    return pixels.astype(np.uint8)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.float64])
def test_enhance_is_what_the_network_gives(photo: np.ndarray, weights: Path, kind: type) -> None:
    network, _ = load_weights(weights)
    expected = run_network(network)(photo).clip(0, 1)
    white = {np.uint8: 255, np.uint16: 65535}.get(kind, 1)
    image = (photo / 255 * white).astype(kind)
    result = ppcn.enhance(image, weights=weights)
    assert result.dtype == kind
    assert np.abs(result / white - expected).max() <= 0.5 / 255 + 1e-5
    unchanged = ppcn.enhance(image, strength=0, weights=weights)
    assert np.allclose(unchanged, image, atol=1e-6)
    half = ppcn.enhance(image, strength=0.5, weights=weights)
    assert np.abs(half / white - (photo / 255 + expected) / 2).max() <= 0.51 / 255


def test_grey_and_transparency(photo: np.ndarray, weights: Path) -> None:
    alpha = (1 + np.arange(4800).reshape(60, 80) % 255).astype(np.uint8)
    result = ppcn.enhance(np.dstack((photo, alpha)), weights=weights)
    assert np.array_equal(result[..., 3], alpha)
    assert np.array_equal(result[..., :3], ppcn.enhance(photo, weights=weights))
    assert ppcn.enhance(photo[..., 0], weights=weights).shape == (60, 80)
    larger = ppcn.upscale(np.dstack((photo, np.full_like(alpha, 77))))
    assert larger.shape == (240, 320, 4)
    assert (larger[..., 3] == 77).all()


def test_upscale_is_what_the_shipped_network_gives(photo: np.ndarray) -> None:
    network, facts = load_weights(find_weights(UPSCALES))
    expected = run_upscaler(facts["network"], network)(photo)
    assert np.abs(ppcn.upscale(photo) / 255.0 - expected.clip(0, 1)).max() <= 0.5 / 255 + 1e-5


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 5), np.uint8), r"shape \(4, 4, 5\)"),
        (np.zeros((3, 40, 40), np.uint8), r"shape \(3, 40, 40\): give \(H, W\) or \(H, W, C\)"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
        (np.zeros((4, 4, 3), bool), "bool: give uint8"),
        (np.zeros((4, 4, 3), ">i4"), "int32|>i4: give uint8"),
        (np.zeros((4, 4, 3), complex), "complex128: give uint8"),
        (np.zeros((0, 4, 3), np.uint8), "shape"),
        (np.zeros((4, 4, 3), np.int64), "int64: give uint8, uint16, or floats"),
        (np.full((4, 4, 3), 200.0), "floats outside"),
        (np.full((4, 4, 3), np.nan), "NaN or infinite"),
        (np.dstack([np.zeros((4, 4, 3)), np.full((4, 4), np.inf)]), "NaN or infinite"),
    ],
)
def test_arrays_that_are_no_photo_are_refused(image: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ppcn.upscale(image)


def test_weights_for_another_task_are_refused(weights: Path) -> None:
    with pytest.raises(UserError, match="ppcn_student, for enhancement, not for super-res"):
        Predictor(weights, "upscale")
    with pytest.raises(UserError, match="holds ppcn_sr, for super-resolution, not for enh"):
        Predictor("ppcn_sr", "enhance")
    with pytest.raises(UserError, match="unknown weights 'typo'"):
        Predictor("typo", "enhance")


def test_cameras_that_weights_know(weights: Path) -> None:
    predictor = Predictor(weights, "enhance")
    assert predictor.knows("Apple iPhone 3GS")
    assert predictor.knows("IPHONE 3gs ")
    assert predictor.knows("")
    assert not predictor.knows("Apple iPhone 3G")
    assert not predictor.knows("Sony C6603")
    assert Predictor("ppcn_sr", "upscale").knows("Sony C6603")
    assert not Predictor("iphone-3gs-student", "enhance").knows("Sony C6603")
    assert Predictor("any", "enhance").knows("Sony C6603")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_strips_are_enlarged_like_the_whole(photo: np.ndarray, kind: type) -> None:
    pixels = photo if kind is np.uint8 else photo.astype(kind) * 257
    whole = Enlarged(ArrayRows(pixels)).read(0, 240)
    if kind is np.uint8:
        assert np.array_equal(whole, enlarge(photo))
    else:
        inner = (slice(8, -8), slice(8, -8))
        expected = imresize(photo / 255, 4.0).clip(0, 1)
        assert np.allclose(whole[inner], expected[inner], atol=1e-5)
    for top, bottom in ((0, 8), (4, 100), (37, 41), (200, 240)):
        assert np.array_equal(Enlarged(ArrayRows(pixels)).read(top, bottom), whole[top:bottom])


def test_a_file_becomes_what_the_array_becomes(
    tmp_path: Path, photo: np.ndarray, weights: Path
) -> None:
    Image.fromarray(photo).save(tmp_path / "a.png")
    predictor = Predictor(weights, "enhance")
    predictor.predict(
        PhotoFile(tmp_path / "a.png"),
        tmp_path / "out/b.png",
        EncodeOptions(),
        lambda done, total: None,
        comparison=tmp_path / "out/c.jpg",
    )
    expected = ppcn.enhance(photo, weights=weights)
    assert np.array_equal(read_photo(tmp_path / "out/b.png"), expected)
    assert read_photo(tmp_path / "out/c.jpg").shape == (60, 160, 3)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["b.png", "c.jpg"]


def test_importing_the_package_loads_no_torch() -> None:
    command = (
        "import sys, ppcn; assert 'torch' not in sys.modules; ppcn.enhance; print(len(dir(ppcn)))"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="has no attribute 'enhanse'"):
        _ = ppcn.enhanse
