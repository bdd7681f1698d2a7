"""What stands in for the colours of invisible pixels."""

from pathlib import Path

import numpy as np
import pytest
import pyvips
from conftest import textured

import ppcn.photos.hidden_pixels
from ppcn.photos.hidden_pixels import NEAR, ROWS, filled, hides_some
from ppcn.photos.raw_photo import RawPhoto


def disc(height: int, width: int, radius: int) -> np.ndarray:
    """True in a disc in the middle, (height, width)."""
    y, x = np.ogrid[:height, :width]
    return np.hypot(y - height // 2, x - width // 2) <= radius


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.float64])
def test_hidden_pixels_have_the_colour_of_a_visible_one_that_is_near(kind: type) -> None:
    visible = disc(60, 50, 12)
    places = np.dstack((*np.mgrid[0:60, 0:50], np.zeros((60, 50)))).astype(kind)
    if np.dtype(kind).kind == "f":
        places /= kind(64)
    result = filled(places, visible)
    assert result.dtype == kind
    assert np.array_equal(result[visible], places[visible])
    near = result[..., :2] * (64 if result.dtype.kind == "f" else 1)
    assert visible[near[..., 0].astype(int), near[..., 1].astype(int)].all()
    ys, xs = np.nonzero(visible)
    for y, x in zip(*np.nonzero(~visible), strict=True):
        nearest = np.hypot(ys - y, xs - x).min()
        assert np.hypot(*(near[y, x].astype(float) - (y, x))) <= 1.06 * nearest + 0.1


def test_far_away_they_have_the_mean() -> None:
    pixels, visible = textured(2 * ROWS + 90, 300), disc(2 * ROWS + 90, 300, 20)
    result = filled(pixels, visible)
    assert np.array_equal(result[0, 0], np.rint(pixels[visible].mean(axis=0)))
    y, x = visible.shape[0] // 2, 150
    assert np.array_equal(result[y, x + 20 + NEAR - 1], pixels[y, x + 20])


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2 * ROWS + 3, 7)], ids=str)
def test_what_is_hidden_has_no_effect(size: tuple[int, int]) -> None:
    visible = np.zeros(size, bool)
    visible[-1, -1] = True
    pixels = textured(*size)
    other = np.where(visible[..., None], pixels, 255 - pixels)
    assert np.array_equal(filled(pixels, visible), filled(other, visible))
    assert hides_some(visible) == (visible.size > 1)


@pytest.mark.parametrize("depth", [8, 16])
def test_a_photo_on_the_disk_is_filled_alike(
    tmp_path: Path, depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (ppcn.photos.hidden_pixels, ppcn.photos.raw_photo):
        monkeypatch.setattr(module, "ROWS", 16)
    pixels = textured(50, 40).astype(np.uint8 if depth == 8 else np.uint16)
    for alpha in (disc(50, 40, 9), np.ones((50, 40), bool), np.zeros((50, 40), bool)):
        raw = RawPhoto(tmp_path / "a.raw", 50, 40, depth)
        image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
        raw.save(image, pyvips.Image.new_from_array(alpha.astype(np.uint8)) > 0)
        visible = raw.read_visible(10, 30)
        if hides_some(alpha):
            assert np.array_equal(raw.read(0, 50), filled(pixels, alpha))
            assert np.array_equal(visible, alpha[10:30])
        else:
            assert np.array_equal(raw.read(0, 50), pixels)
            assert visible is None
            assert [path.name for path in tmp_path.iterdir()] == ["a.raw"]
        for path in tmp_path.iterdir():
            path.unlink()
