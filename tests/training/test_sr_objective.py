"""What super-resolution networks are trained for, beyond eq. 6."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import PARAMS, fresh
from ruamel.yaml import YAML
from torch import nn

from ppcn import losses
from ppcn.errors import UserError
from ppcn.networks.plain_sr import BranchedSR
from ppcn.params import Engine, Params, SRLoss
from ppcn.training.batches import Batch
from ppcn.training.sr_objective import SRObjective
from ppcn.training.sr_teacher import SRTeacher
from ppcn.weights import SHIPPED, save_weights

RANDOM = torch.Generator()


class Repeated(nn.Module):
    """Every pixel 4x4 times, by a factor."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.9))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x.repeat_interleave(4, 2).repeat_interleave(4, 3)


@pytest.fixture
def batch() -> Batch:
    random = torch.Generator().manual_seed(0)
    return Batch(
        torch.rand(2, 3, 8, 8, generator=random), torch.rand(2, 3, 32, 32, generator=random)
    )


def _photos(images: torch.Tensor) -> np.ndarray:
    return images.permute(0, 2, 3, 1).numpy()


def loss(**values: object) -> SRLoss:
    return SRLoss(**{"mae_weight": 1, "ssim_weight": 0, "mse_weight": 0, **values})


def test_a_share_of_luma_compares_brightness(batch: Batch) -> None:
    out = Repeated()(batch.x).detach()
    terms = SRObjective(loss(luma=0.25), 10).terms(Repeated(), batch, 0, RANDOM)
    grey = [cv2.cvtColor(i, cv2.COLOR_RGB2GRAY) for i in _photos(out - batch.y)]
    luma = np.abs(grey).mean()
    expected = 255 * (0.75 * (out - batch.y).abs().mean() + 0.25 * luma)
    assert float(terms["mae"]) == pytest.approx(float(expected), rel=1e-5)


def test_squares_replace_the_loss_at_the_end(batch: Batch) -> None:
    objective = SRObjective(loss(ssim_weight=25, mse_from=0.8), 10)
    assert set(objective.terms(Repeated(), batch, 7, RANDOM)) == {"mae", "ssim"}
    terms = objective.terms(Repeated(), batch, 8, RANDOM)
    squares = (255 * (Repeated()(batch.x) - batch.y)).square().mean() / 10
    assert set(terms) == {"squares"}
    assert float(terms["squares"]) == pytest.approx(float(squares), rel=1e-5)


def test_squares_pull_as_absolute_errors_do_at_five_levels() -> None:
    y = torch.full((1, 3, 32, 32), 0.5)
    gradients = []
    for mse_from in (1.0, 0.0):
        network = Repeated()
        x = torch.full((1, 3, 8, 8), (0.5 + 5 / 255) / 0.9)
        objective = SRObjective(loss(mse_from=mse_from), 10)
        terms = objective.terms(network, Batch(x, y), 5, RANDOM)
        losses.weighted_sum(terms, objective.weights).backward()
        gradients.append(float(network.factor.grad))
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-3)


@pytest.fixture
def teacher_file(tmp_path: Path) -> Path:
    save_weights(tmp_path / "teacher.safetensors", "plain_sr", fresh("plain_sr"), {})
    return tmp_path / "teacher.safetensors"


def test_a_share_of_the_teacher(batch: Batch, teacher_file: Path) -> None:
    values = loss(teacher=str(teacher_file), teacher_weight=0.25, mse_from=0.5)
    teacher = SRTeacher(teacher_file)
    objective = SRObjective(values, 10, teacher)
    assert objective.weights["mae"] == 0.75 and objective.weights["teacher"] == 0.25
    terms = objective.terms(Repeated(), batch, 0, RANDOM)
    with torch.no_grad():
        taught = fresh("plain_sr")(batch.x).clamp(0, 1)
    out = Repeated()(batch.x)
    assert float(terms["teacher"]) == pytest.approx(255 * float((out - taught).abs().mean()), 1e-5)
    terms = objective.terms(network := Repeated(), batch, 5, RANDOM)
    assert set(terms) == {"squares", "teacher_squares"}
    losses.weighted_sum(terms, objective.weights).backward()
    assert network.factor.grad is not None
    assert not any(p.requires_grad for p in teacher._network.parameters())


def test_a_teacher_that_reads_enlarged_photos_has_lr_enlarged() -> None:
    """Whatever the student reads, the published network's photo is that of `upscale`."""
    import ppcn

    lr = torch.randint(0, 256, (1, 3, 12, 16), generator=torch.Generator().manual_seed(0))
    taught = SRTeacher(SHIPPED / "ppcn_sr.safetensors")(lr / 255)
    expected = ppcn.upscale(lr[0].permute(1, 2, 0).byte().numpy().copy(), "ppcn_sr")
    difference = (255 * taught[0].permute(1, 2, 0) - torch.from_numpy(expected).float()).abs()
    assert float(difference.mean()) < 0.4


def test_the_teacher_computes_in_the_engines_precision(teacher_file: Path, batch: Batch) -> None:
    teacher = SRTeacher(teacher_file)
    expected = teacher(batch.x)
    teacher.prepare(Engine(precision="bfloat16", compile="none"))
    with torch.autocast("cpu", torch.bfloat16):
        taught = teacher(batch.x)
    assert taught.dtype == torch.float32
    assert 0 < float((taught - expected).abs().max()) < 0.05
    assert next(teacher._network.parameters()).dtype == torch.bfloat16


REFUSED = [
    ({"teacher": "t.pth"}, "sr.teacher and sr.teacher_weight belong together"),
    ({"teacher_weight": 0.5}, "belong together"),
    ({"luma": 0.5, "mae_weight": 0, "mse_weight": 1}, "mae_weight, which is 0"),
    ({"mse_from": 1.5}, "sr.mse_from"),
]


@pytest.mark.parametrize(("values", "sentence"), REFUSED)
def test_shares_that_change_nothing_are_refused(values: dict, sentence: str) -> None:
    changed = YAML(typ="safe").load(PARAMS.read_text())
    changed["sr"] |= values
    with pytest.raises(UserError, match=sentence):
        Params.of(changed, PARAMS)


def test_branches_are_folded_in_full_precision() -> None:
    """The network that is stored folded is then the one that was trained."""
    torch.manual_seed(0)
    conv = BranchedSR(8, 1).convs[1]
    kernel, bias = conv.fold()
    with torch.autocast("cpu", torch.bfloat16):
        again = conv.fold()
    assert torch.equal(kernel, again[0]) and torch.equal(bias, again[1])
