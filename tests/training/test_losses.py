from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch.utils._python_dispatch import TorchDispatchMode

from ppcn import losses
from ppcn.networks.ppcn import ContrastStep

FORMULAS = ("paper", "code")


@pytest.fixture(scope="module")
def golden(reference: Path) -> dict[str, np.ndarray]:
    return dict(np.load(reference / "golden_losses.npz"))


def _nchw(array: np.ndarray) -> torch.Tensor:
    tensor = torch.from_numpy(array).permute(0, 3, 1, 2)
    return tensor / 255.0 if array.dtype == np.uint8 else tensor


@pytest.mark.reference
def test_the_authors_own_values(golden: dict[str, np.ndarray]) -> None:
    phone, target = _nchw(golden["phone"]), _nchw(golden["canon"])
    result = {
        "cx": losses.contextual(
            _nchw(golden["cx_input_features"]), _nchw(golden["cx_target_features"]), "code"
        ),
        "color": losses.color(phone, target, "code"),
        "tv": losses.total_variation(phone, "code"),
        "kd": losses.distillation(
            (_nchw(golden["kd_student_a"]), _nchw(golden["kd_student_b"])),
            (_nchw(golden["kd_teacher_a"]), _nchw(golden["kd_teacher_b"])),
            "code",
        ),
    }
    for name, value in result.items():
        assert float(value) == pytest.approx(float(golden[name]), rel=1e-4), name


@pytest.mark.reference
def test_the_authors_ssim_blur_and_contrast(golden: dict[str, np.ndarray]) -> None:
    phone, target = _nchw(golden["phone"]), _nchw(golden["canon"])
    for index, expected in enumerate(golden["ssim"]):
        one = np.s_[index : index + 1]
        assert 1 - float(losses.structural(phone[one], target[one])) == pytest.approx(
            float(expected), rel=1e-4
        )
    np.testing.assert_allclose(
        losses.color_blur_kernel("code"), golden["blur_kernel"].squeeze(), rtol=1e-4
    )
    kernel = losses.color_blur_kernel("code").float().expand(3, 1, 21, 21)
    blurred = torch.nn.functional.conv2d(phone, kernel, padding=10, groups=3)
    np.testing.assert_allclose(blurred, _nchw(golden["phone_blurred"]), rtol=1e-4)
    np.testing.assert_allclose(
        ContrastStep()(phone), _nchw(golden["phone_contrast"]), rtol=1e-4, atol=1e-5
    )


def test_ssim_loss_against_scikit_image() -> None:
    random = np.random.default_rng(0)
    x = random.random((40, 50, 3))
    y = np.clip(x + 0.1 * random.standard_normal(x.shape), 0, 1)
    expected = structural_similarity(
        x,
        y,
        data_range=1,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    result = 1 - float(losses.structural(_nchw(x[None]).double(), _nchw(y[None]).double()))
    assert result == pytest.approx(expected, abs=1e-9)


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
        + losses.absolute(x, y, "luma")
        + losses.squared(x, y)
        + losses.perceptual(x, y)
        + losses.perceptual(x, y, "norm")
    )
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(x.grad).all()


def test_logits_that_saturate_give_finite_losses_and_gradients() -> None:
    logits = torch.tensor([-1e4, -50.0, 0.0, 50.0, 1e4], requires_grad=True)
    is_real = torch.tensor([1, 0, 1, 0, 0])
    total = (
        losses.texture(logits)
        + losses.discrimination(logits, logits)
        + losses.swapped_discrimination(logits, is_real)
    )
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(logits.grad).all()


def _pair() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, 2, 3, 12, 13, generator=random, dtype=torch.float64)
    return x.requires_grad_(), y


IMAGE_LOSSES = {
    "contextual paper": losses.contextual,
    "contextual code": lambda x, y: losses.contextual(x, y, "code"),
    "structural": losses.structural,
    "color paper": losses.color,
    "color code": lambda x, y: losses.color(x, y, "code"),
    "total variation paper": lambda x, y: losses.total_variation(x),
    "total variation code": lambda x, y: losses.total_variation(x, "code"),
    "distillation paper": lambda x, y: losses.distillation((x,), (y,)),
    "distillation code": lambda x, y: losses.distillation((x,), (y,), "code"),
    "absolute": losses.absolute,
    "absolute luma": lambda x, y: losses.absolute(x, y, "luma"),
    "squared": losses.squared,
    "perceptual mean_squared": losses.perceptual,
    "perceptual norm": lambda x, y: losses.perceptual(x, y, "norm"),
    "perceptual sum_squared": lambda x, y: losses.perceptual(x, y, "sum_squared"),
    "texture": lambda x, y: losses.texture(x.mean((1, 2, 3))),
    "discrimination": lambda x, y: losses.discrimination(y.mean((1, 2, 3)), x.mean((1, 2, 3))),
    "swapped": lambda x, y: losses.swapped_discrimination(x.mean((1, 2, 3)), torch.tensor([0, 1])),
}


@pytest.mark.parametrize("name", IMAGE_LOSSES)
def test_gradients_are_the_losses_derivatives(name: str) -> None:
    x, y = _pair()
    assert torch.autograd.gradcheck(lambda image: IMAGE_LOSSES[name](image, y), x)


@pytest.mark.parametrize("name", IMAGE_LOSSES)
def test_losses_keep_full_precision_inside_autocast(name: str) -> None:
    x, y = (image.detach().float() for image in _pair())
    expected = IMAGE_LOSSES[name](x, y)
    with torch.autocast("cpu", torch.bfloat16):
        result = IMAGE_LOSSES[name](x, y)
    assert result.dtype == torch.float32
    assert torch.equal(result, expected)
    assert IMAGE_LOSSES[name](x.bfloat16(), y.bfloat16()).dtype == torch.float32


def _contextual_by_definition(x: np.ndarray, y: np.ndarray) -> float:
    """PPCN eq. 1-2 for one image, position by position, without any trick."""
    x, y = (f.reshape(len(f), -1).T for f in (x, y))
    affinity = np.empty((len(x), len(y)))
    for i, feature in enumerate(x):
        norms = np.linalg.norm(feature) * np.linalg.norm(y, axis=1)
        distance = 1 - y @ feature / norms
        weight = np.exp((1 - distance / (distance.min() + 1e-5)) / 0.5)
        affinity[i] = weight / weight.sum()
    return float(-np.log(affinity.max(axis=0).mean()))


def test_contextual_is_the_papers_definition() -> None:
    x, y = torch.randn(2, 1, 16, 6, 7, generator=torch.Generator().manual_seed(0)).double()
    expected = _contextual_by_definition(x[0].numpy(), y[0].numpy())
    assert float(losses.contextual(x, y)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("formula", FORMULAS)
def test_chunks_do_not_change_the_contextual_loss(
    formula: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 2, 8, 9, 11, generator=random, dtype=torch.float64)
    x.requires_grad_()
    whole = losses.contextual(x, y, formula)
    gradient = torch.autograd.grad(whole, x)[0]
    monkeypatch.setattr(losses, "CHUNK", 10)
    parts = losses.contextual(x, y, formula)
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(torch.autograd.grad(parts, x)[0], gradient)


class _Largest(TorchDispatchMode):
    """Remembers the most numbers that any tensor had."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.numbers = max(self.numbers, result.numel())
        return result


def test_contextual_memory_is_bounded_beyond_the_sampling_limit() -> None:
    result = []
    for side in (66, 132):
        x = torch.randn(1, 4, side, side, requires_grad=True)
        with _Largest() as largest:
            losses.contextual(x, torch.randn(1, 4, side, side)).backward()
        assert torch.isfinite(x.grad).all()
        result.append(largest.numbers)
    assert result == [losses.CHUNK * losses.MAX_POSITIONS] * 2


def test_weighted_absolute_error_is_boe_equation_2() -> None:
    x, y = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    y[:, 0], y[:, 1], y[:, 2] = 0.1, 0.2, 0.4
    expected = 0.299 * 0.1 + 0.587 * 0.2 + 0.114 * 0.4
    assert float(losses.absolute(x, y, "luma")) == pytest.approx(expected)
    assert float(losses.absolute(x, y)) == pytest.approx(0.7 / 3)


def test_perceptual_distances_are_those_of_the_papers() -> None:
    x, y = torch.zeros(2, 4, 5, 5), torch.zeros(2, 4, 5, 5)
    y[0, 0, 0, :2] = torch.tensor([3.0, 4.0])
    result = {d: float(losses.perceptual(x, y, d)) for d in ("sum_squared", "norm", "mean_squared")}
    assert result == pytest.approx(
        {"sum_squared": 25 / 2, "norm": 5 / 100 / 2, "mean_squared": 25 / 100 / 2}
    )


@pytest.mark.parametrize("size", [(40, 32), (100, 100)])
@pytest.mark.parametrize("name", ["structural", "color paper", "color code"])
def test_fewer_operators_give_the_same(
    name: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a GPU computes by matrix products, in float64."""
    function, *formula = name.split()
    x, y = torch.rand(2, 2, 3, *size, dtype=torch.float64)
    x.requires_grad_()

    def value_and_gradient() -> tuple[torch.Tensor, torch.Tensor]:
        value = getattr(losses, function)(x, y, *formula)
        return value.detach(), torch.autograd.grad(value, x)[0]

    expected = value_and_gradient()
    monkeypatch.setattr("ppcn.machine.prefers_few_operators", lambda x: True)
    for found, wanted in zip(value_and_gradient(), expected, strict=True):
        assert torch.allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_a_weighted_sum_is_one() -> None:
    terms = {"a": torch.tensor(0.1, requires_grad=True), "b": torch.tensor(3.0)}
    total = losses.weighted_sum(terms, {"b": 0.3, "a": 40, "c": 9.0})
    assert total.detach() == terms["a"].detach() * 40 + terms["b"] * 0.3
    assert torch.autograd.grad(total, terms["a"])[0] == 40
