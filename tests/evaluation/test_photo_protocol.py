"""Scores of whole photos: what is compared with what, and that every figure means what it says."""

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

from ppcn.errors import UserError
from ppcn.evaluation.photo_protocol import HeldOutPhoto, score_photos

SIDE = 40
CORNERS = np.array([(0, 0), (60, 10), (20, 50)])


@pytest.fixture
def held_out() -> HeldOutPhoto:
    """A dark photo, and windows as a brighter camera saw them, one of which it saw alike."""
    random = np.random.default_rng(0)
    photo = random.integers(0, 120, (100, 120, 3), np.uint8)
    references = [photo[y : y + SIDE, x : x + SIDE] for x, y in CORNERS]
    references = [references[0] + 60, references[1] + 60, references[2]]
    return HeldOutPhoto("a", photo, CORNERS, np.stack(references))


def brighter(levels: float):
    return lambda photo: photo / 255 + levels / 255


def test_doing_nothing_is_scored_as_outside_libraries_do(held_out: HeldOutPhoto) -> None:
    scores = score_photos({}, [held_out])
    assert (scores["protocol"], scores["images"], scores["photos"]) == ("photo", 3, 1)
    expected = []
    for (x, y), reference in zip(CORNERS[:2], held_out.references, strict=False):
        window = held_out.photo[y : y + SIDE, x : x + SIDE]
        expected.append(peak_signal_noise_ratio(reference, window))
    # The window that is the same in both is infinite, and left out.
    assert scores["do_nothing"]["psnr"] == pytest.approx(np.mean(expected))
    assert scores["do_nothing"]["color_error"] == pytest.approx(2 / 3 * 60**2)
    assert scores["do_nothing"]["detail_error"] == pytest.approx(0, abs=1e-6)
    assert scores["do_nothing"]["made_worse"] == 0


def test_a_window_that_needed_nothing_is_made_worse(held_out: HeldOutPhoto) -> None:
    scores = score_photos({"right": brighter(60), "wrong": brighter(-30)}, [held_out])
    assert scores["right"]["made_worse"] == pytest.approx(1 / 3)
    assert scores["wrong"]["made_worse"] == 1
    assert scores["right"]["color_error"] == pytest.approx(1 / 3 * 60**2)


def test_errors_split_into_colour_and_detail_add_up(held_out: HeldOutPhoto) -> None:
    random = np.random.default_rng(1)
    noise = random.normal(0, 8, held_out.photo.shape) / 255

    def noisy(photo: NDArray[np.uint8]) -> NDArray[np.float64]:
        return photo / 255 + 20 / 255 + noise

    scores = score_photos({"noisy": noisy}, [held_out])["noisy"]
    saved = np.rint(noisy(held_out.photo).clip(0, 1) * 255)
    errors, differences = [], []
    for (x, y), reference in zip(CORNERS, held_out.references, strict=True):
        window = saved[y : y + SIDE, x : x + SIDE]
        errors.append(mean_squared_error(window, reference.astype(float)))
        lab = rgb2lab(reference / 255.0), rgb2lab(window / 255)
        differences.append(deltaE_ciede2000(*lab).mean())
    assert scores["color_error"] + scores["detail_error"] == pytest.approx(np.mean(errors))
    assert scores["detail_error"] == pytest.approx(64, rel=0.15)
    assert scores["ciede2000"] == pytest.approx(np.mean(differences))


def test_a_method_sees_the_whole_photo_and_is_scored_as_it_is_saved(held_out: HeldOutPhoto) -> None:
    def of_its_mean(photo: NDArray[np.uint8]) -> NDArray[np.float64]:
        assert photo.shape == (100, 120, 3)
        return np.full(photo.shape, photo.mean() / 255 + 5)

    scores = score_photos({"white": of_its_mean}, [held_out])["white"]
    white = np.mean([(255 - r.astype(float)) ** 2 for r in held_out.references])
    assert scores["color_error"] + scores["detail_error"] == pytest.approx(white)


def test_values_that_are_not_finite_are_refused(held_out: HeldOutPhoto) -> None:
    with pytest.raises(UserError, match="broken: its output holds values that are not finite"):
        score_photos({"broken": lambda photo: np.full(photo.shape, np.nan)}, [held_out])
