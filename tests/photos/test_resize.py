from pathlib import Path

import numpy as np
import pytest

from ppcn.photos.decode import read_photo
from ppcn.photos.resize import (
    crop_to_multiple,
    enlarge,
    imresize,
    matlab_enlarge,
    matlab_shrink,
    shrink,
)


@pytest.mark.reference
@pytest.mark.parametrize("number", range(1, 6))
def test_reduction_is_matlabs_in_every_pixel(reference: Path, number: int) -> None:
    """Set5's LR images, whose release treats the outermost three pixels by another rule."""
    name = f"img_{number:03d}_SRF_4"
    hr = crop_to_multiple(read_photo(reference / f"set5/{name}_HR.png"))
    expected = read_photo(reference / f"set5/{name}_LR.png")
    inside = np.s_[3:-3, 3:-3]
    assert np.array_equal(matlab_shrink(hr)[inside], expected[inside])


def test_both_conventions_agree_away_from_the_borders(scene: np.ndarray) -> None:
    inside, far_inside = np.s_[4:-4, 4:-4], np.s_[12:-12, 12:-12]
    small = shrink(scene)
    for ours, pillows in (
        (matlab_shrink(scene)[inside], small[inside]),
        (matlab_enlarge(small)[far_inside], enlarge(small)[far_inside]),
    ):
        difference = np.abs(ours.astype(int) - pillows)
        assert difference.max() <= 2
        assert (difference > 0).mean() < 0.25


@pytest.mark.parametrize("scale", [0.25, 0.5, 2.0, 3.0, 4.0])
def test_constants_and_ramps_survive(scale: float) -> None:
    ramp = np.linspace(0, 1, 80)[None].repeat(60, axis=0)
    resized = imresize(ramp, scale)
    assert resized.shape == (np.ceil(60 * scale), np.ceil(80 * scale))
    middle = resized[:, 10:-10] if scale >= 1 else resized[:, 4:-4]
    np.testing.assert_allclose(np.diff(middle, axis=1), 1 / 79 / scale, rtol=1e-6)
    flat = np.full((30, 31, 3), 0.4)
    np.testing.assert_allclose(imresize(flat, scale), 0.4, rtol=1e-12)
