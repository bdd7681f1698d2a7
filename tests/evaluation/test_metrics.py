import numpy as np
import pytest
import torch
from conftest import ROOT
from pytorch_msssim import ms_ssim as torch_ms_ssim
from skimage.filters import gaussian
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ppcn.errors import UserError
from ppcn.evaluation.metrics import ms_ssim, niqe, pirm_ms_ssim, pirm_scores, psnr, ssim
from ppcn.evaluation.protocols import (
    do_nothing,
    luma,
    naturalness,
    score_enhancement,
    score_sr,
)
from ppcn.photos.decode import read_photo
from ppcn.photos.niqe import niqe_of_all


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = np.cumsum(random.random((256, 256, 1)), axis=0)
    x = 255 * x / x.max()
    return x, np.clip(x + 12 * random.standard_normal(x.shape), 0, 255)


def test_psnr_against_scikit_image(images) -> None:
    x, y = images
    assert psnr(x, y, 255) == pytest.approx(peak_signal_noise_ratio(y, x, data_range=255), abs=1e-9)
    assert psnr(x, x, 255) == float("inf")


def test_ssim_is_scikit_images_with_the_papers_window(images) -> None:
    x, y = (image[..., 0] for image in images)
    expected = structural_similarity(
        x, y, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(x, y, 255) == pytest.approx(expected, abs=1e-9)


def test_ms_ssim_equals_the_standard_one_where_both_are_defined(images) -> None:
    """At 256 px every scale is even and wider than the window, so the definitions agree."""
    x, y = (torch.from_numpy(image).permute(2, 0, 1)[None] for image in images)
    window = torch.exp(-(torch.arange(-5, 6, dtype=torch.float64) ** 2) / 4.5)
    window = (window / window.sum()).view(1, 1, 1, 11)
    expected = float(torch_ms_ssim(x, y, data_range=255, win=window))
    assert pirm_ms_ssim(*images) == pytest.approx(expected, abs=1e-9)


def test_standard_ms_ssim_of_colour_is_the_channels_mean() -> None:
    random = np.random.default_rng(0)
    x = np.cumsum(random.random((170, 203, 3)), axis=1) / 203
    y = x + 0.1 * random.standard_normal(x.shape)
    window = torch.exp(-(torch.arange(-5, 6, dtype=torch.float64) ** 2) / 4.5)
    window = (window / window.sum()).expand(3, 1, 1, 11)
    even = np.s_[:160, :192]
    with pytest.raises(ValueError, match="161 px or more"):
        ms_ssim(x[even], y[even], 1.0)
    x, y = np.pad(x, ((0, 6), (0, 5), (0, 0))), np.pad(y, ((0, 6), (0, 5), (0, 0)))
    tensors = (torch.from_numpy(image).permute(2, 0, 1)[None] for image in (x, y))
    expected = float(torch_ms_ssim(*tensors, data_range=1.0, win=window))
    assert ms_ssim(x, y, 1.0) == pytest.approx(expected, abs=1e-9)


def _ms_ssim_by_definition(x: np.ndarray, y: np.ndarray) -> float:
    """The challenge's MS-SSIM of one channel, with loops over windows."""
    score = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        side = min(11, *x.shape)
        offset = np.arange(side) - (side - 1) / 2
        row = np.exp(-(offset**2) / (2 * (1.5 * side / 11) ** 2))
        window = np.outer(row, row) / np.outer(row, row).sum()
        terms = []
        for top in range(x.shape[0] - side + 1):
            for left in range(x.shape[1] - side + 1):
                a, b = (image[top : top + side, left : left + side] for image in (x, y))
                mean_a, mean_b = (window * a).sum(), (window * b).sum()
                variances = (window * (a - mean_a) ** 2).sum() + (window * (b - mean_b) ** 2).sum()
                covariance = (window * (a - mean_a) * (b - mean_b)).sum()
                term = (2 * covariance + 58.5225) / (variances + 58.5225)
                if scale == 4:
                    term *= (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025)
                terms.append(term)
        score *= np.mean(terms) ** weight
        x, y = (
            np.array(
                [
                    [
                        image[[i, i, min(i + 1, h - 1), min(i + 1, h - 1)]][
                            range(4), [j, min(j + 1, w - 1)] * 2
                        ].mean()
                        for j in range(0, w, 2)
                    ]
                    for i in range(0, h, 2)
                ]
            )
            for image, (h, w) in ((x, x.shape), (y, y.shape))
        )
    return score


@pytest.mark.parametrize("size", [(100, 100), (37, 53)])
def test_the_challenges_ms_ssim_is_its_definition(size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    x = np.cumsum(random.random(size), axis=0) * 255 / size[0]
    y = x + 10 * random.standard_normal(size)
    expected = _ms_ssim_by_definition(x, y)
    assert pirm_ms_ssim(x[..., None], y[..., None]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("size", [(100, 100), (7, 100), (33, 21), (1, 1)])
def test_ms_ssim_of_small_images(size: tuple[int, int]) -> None:
    x = np.random.default_rng(0).random((*size, 3)) * 255
    assert pirm_ms_ssim(x, x) == pytest.approx(1)
    assert 0 <= pirm_ms_ssim(x, 255 - x) < (0.9 if min(size) > 1 else 1)


def test_luma_of_black_white_and_grey() -> None:
    values = luma(np.array([[[0.0, 0, 0], [1, 1, 1]]]))
    assert values == pytest.approx(np.array([[16, 235]]), abs=0.01)


def test_scores_leave_identical_pairs_out_of_do_nothing_only() -> None:
    random = np.random.default_rng(0)
    a, b = random.integers(0, 255, (2, 40, 40, 3), np.uint8)

    def worse(photo: np.ndarray) -> np.ndarray:
        return do_nothing(photo) * 0.5

    scores = score_enhancement({"do_nothing": do_nothing, "worse": worse}, [(a, a), (a, b)])
    assert scores["identical"] == 1
    assert scores["do_nothing"]["psnr"] == pytest.approx(psnr(a / 255, b / 255, 1))
    expected = np.mean([psnr(a / 510, target / 255, 1) for target in (a, b)])
    assert scores["worse"]["psnr"] == pytest.approx(expected)


def test_super_resolution_scores_shave_four_pixels() -> None:
    hr = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    damaged = hr.copy()
    damaged[:4] = damaged[-4:] = damaged[:, :4] = damaged[:, -4:] = 0
    scores = score_sr({"m": lambda lr: do_nothing(damaged)}, [(hr, hr[::4, ::4])])
    assert scores["m"]["ssim"] == pytest.approx(1)
    assert scores["m"]["psnr"] == float("inf")


# By BasicSR 1.4.2 (calculate_niqe on Y), which gives the official MATLAB release's value to 1e-5
# on its test image. Its resizing and MATLAB's differ by 1e-7, hence the tolerance.
NIQE_BY_BASICSR = {"roman-colosseum": 5.45210, "canyon-wren": 10.22126}


@pytest.mark.parametrize("stem", NIQE_BY_BASICSR)
def test_niqe_is_another_implementations(stem: str) -> None:
    photo = read_photo(ROOT / f"data/sample/{stem}.jpg")[:800, :800]
    assert naturalness(photo / 255) == pytest.approx(NIQE_BY_BASICSR[stem], abs=0.01)


def test_niqe_worsens_with_blur_and_noise_and_refuses_tiny_pictures(scene: np.ndarray) -> None:
    y = luma(scene / 255)
    noisy = y + 40 * np.random.default_rng(0).standard_normal(y.shape)
    assert niqe(y) < niqe(gaussian(y, 3, preserve_range=True)) - 0.5
    assert niqe(y) < niqe(noisy) - 0.5
    with pytest.raises(ValueError, match="two blocks"):
        niqe(y[:96, :191])


def test_pictures_have_one_niqe_together(scene: np.ndarray) -> None:
    """Far from its borders a picture's blocks do not know whether they were cut apart."""
    y = luma(scene[:384, :384] / 255)
    halves = niqe_of_all([y[:192], y[192:]])
    assert halves == pytest.approx(niqe(y), rel=0.1)
    assert halves == pytest.approx(niqe_of_all([y[192:], y[:50], y[:192]]))
    one_each = [
        y[row : row + 100, column : column + 100] for row in (0, 200) for column in (0, 200)
    ]
    assert np.isfinite(niqe_of_all(one_each))
    for too_few in ([], one_each[:1], [y[:95], y[:95]]):
        with pytest.raises(ValueError, match="two blocks"):
            niqe_of_all(too_few)


def test_pirm_scores_are_those_of_the_challenges_table() -> None:
    """PPCN Table 2, whose PSNR and MS-SSIM are rounded."""
    ours = pirm_scores("A", 28.13, 0.9632, 3239 / 654)
    assert list(ours.values()) == pytest.approx([12.84, 14.92, 13.91], abs=0.03)
    baseline = pirm_scores("A", 27.21, 0.9552, 1)
    assert list(baseline.values()) == pytest.approx([5.33, 7.77, 5.93], abs=0.04)
    assert pirm_scores("B", 22, 0.91, 9) == pytest.approx({"A": 13, "B": 13, "C": 15.6})


def test_the_dped_protocol_rounds_as_a_saved_photo_and_adds_niqe(scene: np.ndarray) -> None:
    small, large = scene[:100, :100], scene[:200, :300]

    def brighter(photo: np.ndarray) -> np.ndarray:
        return do_nothing(photo) + 0.3 / 255

    for photo in (small, large):
        scores = score_enhancement({"m": brighter}, [(photo, photo)], "dped_test")
        assert scores["protocol"] == "dped_test"
        assert scores["m"]["psnr"] == float("inf")
        assert scores["m"]["ssim"] == pytest.approx(1)
        assert ("niqe" in scores["m"]) == (photo is large)


def test_flat_pictures_have_no_niqe_and_are_counted(scene: np.ndarray) -> None:
    black = np.zeros((200, 300, 3), np.uint8)
    pairs = [(black, black), (scene[:200, :300], scene[:200, :300])]
    scores = score_enhancement({"m": do_nothing}, pairs, "dped_test")
    assert scores["m"]["niqe_images"] == 1
    assert scores["m"]["niqe"] == pytest.approx(naturalness(scene[:200, :300] / 255))


def test_outputs_that_are_not_numbers_are_refused(scene: np.ndarray) -> None:
    def broken(photo: np.ndarray) -> np.ndarray:
        return do_nothing(photo) * np.nan

    with pytest.raises(UserError, match="m: its output holds values that are not finite"):
        score_enhancement({"m": broken}, [(scene, scene)])
    with pytest.raises(UserError, match="m: its output holds values that are not finite"):
        score_sr({"m": broken}, [(scene, scene)])
