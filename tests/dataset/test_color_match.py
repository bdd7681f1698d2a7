import numpy as np
import pytest

from ppcn.dataset.color_match import Match, match_colors

MIXING = np.array([[0.7, 0.2, 0.05], [0.1, 0.6, 0.1], [0.0, 0.15, 0.7]])


def _patches(
    scene: np.ndarray, matrix: np.ndarray, noise: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """The better camera's patch, and what the phone made of its colours."""
    reference = scene[300:400, 500:600]
    random = np.random.default_rng(0).normal(0, noise, reference.shape)
    phone = reference @ matrix.T + 12 + random
    return reference, np.rint(phone.clip(0, 255)).astype(np.uint8)


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first.astype(float) - second).mean())


@pytest.mark.parametrize(("match", "most"), [("luminance", 1.0), ("color", 1.0)])
def test_a_darker_and_flatter_phone_is_matched(
    scene: np.ndarray, match: Match, most: float
) -> None:
    reference, phone = _patches(scene, 0.6 * np.eye(3))
    large = scene[600:800, 1000:1200]
    assert np.array_equal(match_colors(large, reference, phone, "none"), large)
    assert _distance(match_colors(reference, reference, phone, match), phone) < most
    assert _distance(reference, phone) > 10
    # The fit is of the patch at the phone's size; what it says holds for one of any size.
    expected = (large * 0.6 + 12).clip(0, 255)
    assert _distance(match_colors(large, reference, phone, match), expected) < 1.5


def test_colours_that_are_mixed_take_a_matrix(scene: np.ndarray) -> None:
    reference, phone = _patches(scene, MIXING)
    by_tone, by_color = (
        _distance(match_colors(reference, reference, phone, match), phone)
        for match in ("luminance", "color")
    )
    assert by_color < 1.5 < by_tone


def test_noise_does_not_lower_the_contrast(scene: np.ndarray) -> None:
    reference, phone = _patches(scene, 0.6 * np.eye(3), noise=12)
    clean = (reference * 0.6 + 12).clip(0, 255)
    for match in ("luminance", "color"):
        matched = match_colors(reference, reference, phone, match)
        assert matched.std() == pytest.approx(clean.std(), rel=0.03)


def test_a_patch_of_one_colour_stays_finite() -> None:
    grey = np.full((100, 100, 3), 90, np.uint8)
    phone = np.full((100, 100, 3), [60, 70, 80], np.uint8)
    rising = np.repeat(np.arange(100, dtype=np.uint8)[:, None, None], 100, 1).repeat(3, 2)
    assert match_colors(grey, grey, phone, "color")[0, 0].tolist() == [60, 70, 80]
    assert match_colors(grey, grey, phone, "luminance").min() > 50
    # Grey ramps do not say how colours change: the luminance's slope holds.
    matched = match_colors(rising, rising, (rising // 2).astype(np.uint8), "color")
    assert _distance(matched, rising / 2) < 1
