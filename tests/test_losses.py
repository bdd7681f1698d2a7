from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from ppcn import losses
from ppcn.networks.ppcn import stretch_contrast

FORMULAS = ("paper", "code")


@pytest.fixture(scope="module")
def golden(reference: Path) -> dict[str, np.ndarray]:
    return dict(np.load(reference / "golden_losses.npz"))


def _nchw(array: np.ndarray) -> torch.Tensor:
    tensor = torch.from_numpy(array).permute(0, 3, 1, 2)
    return tensor / 255.0 if array.dtype == np.uint8 else tensor


@pytest.mark.reference
def test_the_authors_own_values(golden: dict[str, np.ndarray]) -> None:
    phone, canon = _nchw(golden["phone"]), _nchw(golden["canon"])
    found = {
        "cx": losses.contextual(
            _nchw(golden["cx_input_features"]), _nchw(golden["cx_target_features"]), "code"
        ),
        "color": losses.color(phone, canon, "code"),
        "tv": losses.total_variation(phone, "code"),
        "kd": losses.distillation(
            (_nchw(golden["kd_student_a"]), _nchw(golden["kd_student_b"])),
            (_nchw(golden["kd_teacher_a"]), _nchw(golden["kd_teacher_b"])),
            "code",
        ),
    }
    for name, value in found.items():
        assert float(value) == pytest.approx(float(golden[name]), rel=1e-4), name


@pytest.mark.reference
def test_the_authors_ssim_blur_and_contrast(golden: dict[str, np.ndarray]) -> None:
    phone, canon = _nchw(golden["phone"]), _nchw(golden["canon"])
    for index, expected in enumerate(golden["ssim"]):
        one = np.s_[index : index + 1]
        assert 1 - float(losses.structural(phone[one], canon[one])) == pytest.approx(
            float(expected), rel=1e-4
        )
    np.testing.assert_allclose(
        losses.color_blur_kernel("code"), golden["blur_kernel"].squeeze(), rtol=1e-4
    )
    np.testing.assert_allclose(
        stretch_contrast(phone), _nchw(golden["phone_contrast"]), rtol=1e-4, atol=1e-5
    )


def test_ssim_loss_against_scikit_image() -> None:
    random = np.random.default_rng(0)
    x = random.random((40, 50, 3), np.float32)
    y = np.clip(x + 0.1 * random.standard_normal(x.shape, np.float32), 0, 1)
    expected = structural_similarity(
        x,
        y,
        data_range=1,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    found = 1 - float(losses.structural(_nchw(x[None]), _nchw(y[None])))
    assert found == pytest.approx(expected, abs=1e-5)


def test_paper_blur_has_the_papers_constants() -> None:
    kernel = losses.color_blur_kernel("paper").double()
    assert float(kernel[10, 10]) == pytest.approx(0.053)
    assert float(kernel[10, 13]) == pytest.approx(0.053 * np.exp(-9 / 6))
    assert float(kernel.sum()) == pytest.approx(1, abs=2e-3)


def test_paper_total_variation_of_a_ramp() -> None:
    ramp = torch.arange(8.0).expand(1, 1, 8, 8) / 10
    expected = np.sqrt(8 * 7 * 0.1**2) / 64
    assert float(losses.total_variation(ramp)) == pytest.approx(expected)


def test_paper_total_variation_is_the_norm_of_the_sum_as_printed() -> None:
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    falling, rising = ((x - y) / 10).expand(1, 1, 8, 8), ((x + y) / 10).expand(1, 1, 8, 8)
    assert float(losses.total_variation(falling)) < 0.5 * float(losses.total_variation(rising))
    code = [float(losses.total_variation(image, "code")) for image in (falling, rising)]
    assert code == pytest.approx([0.02, 0.02])


def test_paper_distillation_of_orthogonal_maps() -> None:
    first, second = torch.zeros(2, 3, 4, 4), torch.zeros(2, 5, 4, 4)
    first[:, :, 0, 0], second[:, :, 1, 1] = 1, 1
    assert float(losses.distillation((first,), (second,))) == pytest.approx(np.sqrt(2))
    assert float(losses.distillation((first,), (second,), "code")) == pytest.approx(1)


def test_texture_and_discrimination_are_sums_of_log_probabilities() -> None:
    logits = torch.tensor([0.3, -2.0])
    probability = torch.sigmoid(logits)
    assert float(losses.texture(logits)) == pytest.approx(float(-probability.log().sum()))
    both = float(losses.discrimination(logits, logits))
    assert both == pytest.approx(float(-(probability.log() + (1 - probability).log()).sum()))


@pytest.mark.parametrize("formula", FORMULAS)
def test_contextual_is_near_zero_for_the_same_features(formula: str) -> None:
    x = torch.randn(2, 64, 13, 13, generator=torch.Generator().manual_seed(0))
    y = torch.randn(2, 64, 13, 13, generator=torch.Generator().manual_seed(1))
    same = float(losses.contextual(x, x, formula))
    assert abs(same) < 1e-3
    assert float(losses.contextual(x, y, formula)) > 1


@pytest.mark.parametrize("formula", FORMULAS)
def test_contextual_ignores_where_things_are(formula: str) -> None:
    x = torch.randn(1, 64, 8, 8, generator=torch.Generator().manual_seed(0))
    assert float(losses.contextual(x.flip(3), x, formula)) == pytest.approx(
        float(losses.contextual(x, x, formula)), abs=1e-4
    )


ODD_INPUTS = {
    "zero": torch.zeros(2, 3, 24, 24),
    "one": torch.ones(2, 3, 24, 24),
    "half": torch.full((2, 3, 24, 24), 0.5),
    "huge": torch.full((2, 3, 24, 24), 1e4),
}


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("first", ODD_INPUTS)
@pytest.mark.parametrize("second", ODD_INPUTS)
def test_no_loss_or_gradient_is_nan(formula: str, first: str, second: str) -> None:
    x, y = ODD_INPUTS[first].clone().requires_grad_(), ODD_INPUTS[second]
    total = (
        losses.contextual(x, y, formula)
        + losses.structural(x, y)
        + losses.color(x, y, formula)
        + losses.total_variation(x, formula)
        + losses.distillation((x,), (y,), formula)
        + losses.absolute(x, y)
        + losses.perceptual(x, y)
    )
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(x.grad).all()


def test_many_positions_are_sampled() -> None:
    x = torch.randn(1, 4, 80, 80)
    assert torch.isfinite(losses.contextual(x, x.flip(2)))
