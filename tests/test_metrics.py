import numpy as np
import pytest
import torch
from pytorch_msssim import ms_ssim
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ppcn.metrics import pirm_ms_ssim, psnr, ssim
from ppcn.scoring import do_nothing, luma, score_enhancement, score_superres


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
    expected = float(ms_ssim(x, y, data_range=255, win=window))
    assert pirm_ms_ssim(*images) == pytest.approx(expected, abs=1e-9)


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
    scores = score_superres({"m": do_nothing}, [(hr, damaged)])
    assert scores["m"]["ssim"] == pytest.approx(1)
    assert scores["m"]["psnr"] == float("inf")
