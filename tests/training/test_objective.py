from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from ppcn import losses
from ppcn.errors import UserError
from ppcn.networks.layers import Enhanced, EnhancementNetwork
from ppcn.networks.ppcn import Student, Teacher
from ppcn.networks.srcnn import SRCNN
from ppcn.networks.vgg import load_vgg
from ppcn.params import Engine, Params, Recipe, TermName
from ppcn.params.losses import Weights
from ppcn.training.batches import Batch
from ppcn.training.objective import TERMS, EnhancementObjective
from ppcn.training.sr_objective import SRObjective


@pytest.fixture
def objective_parts(vgg_file: Path, params: Params):
    weights = {"l1_weight": 1.0, "vgg_weight": 1.0, "mse_weight": 1.0}
    recipe = params.recipe("ppcn").model_copy(update=weights)
    torch.manual_seed(0)
    random = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, 2, 3, 100, 100, generator=random)
    return recipe, params.loss, load_vgg(vgg_file)[0], x, y, random


@pytest.mark.parametrize("formula", ["paper", "code"])
def test_every_term_of_equation_13_reaches_the_student(objective_parts, formula: str) -> None:
    recipe, loss, vgg, x, y, random = objective_parts
    names = ("contextual", "color_blur", "adversarial", "tv", "distillation")
    loss = loss.model_copy(update=dict.fromkeys(names, formula) | {"kd_output_weight": 1.0})
    objective = EnhancementObjective(recipe, loss, vgg, Teacher(), 100, warmup_steps=0)
    student = Student()
    terms = objective.terms(student, Batch(x, y, (0, 1)), 0, random)
    assert set(terms) == set(get_args(TermName))
    for name, term in terms.items():
        gradient = torch.autograd.grad(term, student.conv1.weight, retain_graph=True)[0]
        assert float(gradient.abs().max()) > 0, name
    assert torch.isfinite(objective.discriminator_loss())
    assert objective.weights["contextual"] == 40
    assert objective.weights["ssim"] == 250


def test_terms_of_weight_zero_are_left_out(objective_parts) -> None:
    recipe, loss, vgg, x, y, random = objective_parts
    recipe = recipe.without("texture").without("tv")
    loss = loss.model_copy(update={"kd_weight": 0.0})
    objective = EnhancementObjective(recipe, loss, vgg, Teacher(), 100, warmup_steps=0)
    terms = objective.terms(Student(), Batch(x, y, (0, 1)), 0, random)
    assert set(terms) == {"contextual", "ssim", "color", "l1", "vgg", "mse"}
    assert objective.discriminator is None and objective.discriminator_loss() is None


def test_warm_up_leaves_out_what_needs_another_network(objective_parts) -> None:
    recipe, loss, vgg, x, y, random = objective_parts
    objective = EnhancementObjective(recipe, loss, vgg, Teacher(), 100, warmup_steps=5)
    cheap = {"ssim", "color", "tv", "kd", "l1", "mse"}
    assert set(objective.terms(Student(), Batch(x, y, (0, 1)), 4, random)) == cheap
    assert "contextual" in objective.terms(Student(), Batch(x, y, (0, 1)), 5, random)


def test_terms_that_need_another_network_are_kept_when_there_are_no_others(
    objective_parts,
) -> None:
    recipe, loss, vgg, x, y, random = objective_parts
    without_kd = loss.model_copy(update={"kd_weight": 0.0})
    for term in ("color", "ssim", "tv", "l1", "mse"):
        recipe = recipe.without(term)
    objective = EnhancementObjective(recipe, loss, vgg, None, 100, warmup_steps=5)
    assert set(objective.terms(Student(), Batch(x, y, (0, 1)), 0, random)) == {
        "contextual",
        "texture",
        "vgg",
    }
    nothing = recipe.without("content").without("texture").without("vgg")
    with pytest.raises(UserError, match="nothing to train for"):
        EnhancementObjective(nothing, without_kd, vgg, None, 100, warmup_steps=5)


@pytest.mark.parametrize("size", [64, 100, 128])
def test_patches_of_any_size_can_be_trained_on(objective_parts, size: int) -> None:
    recipe, loss, vgg, *_, random = objective_parts
    x, y = torch.rand(2, 2, 3, size, size)
    objective = EnhancementObjective(recipe, loss, vgg, None, size, warmup_steps=0)
    assert torch.isfinite(objective.terms(Student(), Batch(x, y, (0, 1)), 0, random)["texture"])
    assert torch.isfinite(objective.discriminator_loss())


def test_the_teacher_learns_nothing_from_the_student(objective_parts) -> None:
    recipe, loss, vgg, x, y, random = objective_parts
    teacher = Teacher()
    objective = EnhancementObjective(recipe, loss, vgg, teacher, 100, warmup_steps=0)
    sum(objective.terms(Student(), Batch(x, y, (0, 1)), 0, random).values()).backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(parameter.grad is None for parameter in objective.discriminator.parameters())


def test_the_teachers_images_can_be_imitated(
    objective_parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside its maps or alone; what it costs is paid only where it counts."""
    recipe, loss, vgg, x, y, random = objective_parts
    teacher, student, batch = Teacher(), Student(), Batch(x, y, (0, 1))
    recipe = recipe.without("contextual").without("texture").without("vgg")
    on = loss.model_copy(update={"kd_weight": 0.0, "kd_output_weight": 3.0})
    objective = EnhancementObjective(recipe, on, vgg, teacher, 100, warmup_steps=9)
    term = objective.terms(student, batch, 0, random)["kd_output"]
    expected = (student(x) - teacher(x)).abs().mean()
    assert term.item() == pytest.approx(expected.item(), rel=1e-5)
    assert objective.weights["kd_output"] == 3
    alone = EnhancementObjective(recipe, on, vgg, None, 100, warmup_steps=0)
    assert "kd_output" not in alone.terms(student, batch, 0, random)
    off = on.model_copy(update={"kd_output_weight": 0.0})
    objective = EnhancementObjective(recipe, off, vgg, teacher, 100, warmup_steps=0)
    monkeypatch.delattr(Teacher, "compute")
    assert set(objective.terms(student, batch, 0, random)) == {"ssim", "color", "tv", "l1", "mse"}


class Unchanged(EnhancementNetwork):
    """Gives photos as they are."""

    def compute(self, x: torch.Tensor) -> Enhanced:
        return Enhanced(x)


@pytest.mark.parametrize("formula", ["paper", "code"])
def test_the_discriminator_can_be_shown_the_phones_photos(objective_parts, formula: str) -> None:
    """DPED 3.1.2, as a network that changes nothing would show them."""
    recipe, loss, vgg, x, y, random = objective_parts
    loss = loss.model_copy(update={"adversarial": formula})
    recipe = recipe.without("contextual").without("vgg")
    objective = EnhancementObjective(recipe, loss, vgg, None, 100, warmup_steps=0)
    state = random.get_state()
    objective.show_inputs(Batch(x, y), random)
    shown = objective.discriminator_loss()
    assert shown.requires_grad
    random.set_state(state)
    objective.terms(Unchanged(), Batch(x, y), 0, random)
    assert shown.item() == pytest.approx(objective.discriminator_loss().item())
    assert objective.discriminator_loss() is None


@pytest.mark.slow
@pytest.mark.parametrize("formula", ["paper", "code"])
def test_the_discriminator_learns_to_tell_them_apart(objective_parts, formula: str) -> None:
    recipe, loss, vgg, x, y, random = objective_parts
    loss = loss.model_copy(update={"adversarial": formula})
    recipe = recipe.without("contextual").without("vgg")
    objective = EnhancementObjective(recipe, loss, vgg, None, 100, warmup_steps=0)
    student, history = Student(), []
    learning = torch.optim.Adam(objective.discriminator.parameters(), lr=1e-4)
    for _ in range(30):
        objective.terms(student, Batch(x, y, (0, 1)), 0, random)
        loss_of_step = objective.discriminator_loss()
        learning.zero_grad()
        loss_of_step.backward()
        learning.step()
        history.append(loss_of_step.item())
    assert np.mean(history[-5:]) < 0.7 * np.mean(history[:5])


def test_every_term_has_a_row_and_a_weight() -> None:
    """The names of params/losses.py, its weights and the table of the objective."""
    assert [term.name for term in TERMS] == list(get_args(TermName))
    used = {name for term in TERMS for name in term.weights}
    assert used == {*Weights.model_fields, "kd_weight", "kd_output_weight"}
    assert all(f"{term.name}_weight" in term.weights for term in TERMS)


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_a_weight_turns_on_its_term_alone(objective_parts, term) -> None:
    """A recipe that gives nothing else, and the gradient of its only term."""
    _, loss, vgg, x, y, random = objective_parts
    loss = loss.model_copy(update={"kd_weight": 0.0})
    given = {name: 2.0 for name in term.weights if name in Weights.model_fields}
    if term.needs == "teacher":
        loss = loss.model_copy(update={f"{term.name}_weight": 2.0})
    objective = EnhancementObjective(Recipe(**given), loss, vgg, Teacher(), 100, warmup_steps=0)
    assert {n: w for n, w in objective.weights.items() if w} == {
        term.name: 2.0 ** len(term.weights)
    }
    assert (objective.discriminator is not None) == (term.needs == "discriminator")
    terms = objective.terms(Student(), Batch(x, y, (0, 1)), 0, random)
    assert set(terms) == {term.name}
    assert terms[term.name].requires_grad


RECIPES = {
    "ppcn": {"contextual": 40, "ssim": 250, "texture": 1, "color": 1, "tv": 2000, "kd": 75},
    "dped": {"vgg": 1, "texture": 0.4, "color": 0.1, "tv": 400, "kd": 75},
    "dped_code": {"vgg": 10, "texture": 1, "color": 0.5, "tv": 2000, "kd": 75},
    "boe": {
        "texture": 1,
        "l1": 5000,
        "vgg": 10,
        "contextual": 10,
        "color": 0.5,
        "tv": 2000,
        "kd": 75,
    },
    "srcnn": {"mse": 1, "kd": 75},
    "johnson": {"vgg": 1, "kd": 75},
}


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_have_the_papers_weights(objective_parts, params: Params, name: str) -> None:
    """PPCN eq. 13, DPED eq. 8, BOE-SBG eq. 10 with Table 1, multiplied out."""
    _, loss, vgg, *_ = objective_parts
    objective = EnhancementObjective(params.recipe(name), loss, vgg, Teacher(), 100, warmup_steps=0)
    weights = {term: weight for term, weight in objective.weights.items() if weight}
    assert weights == pytest.approx(RECIPES[name])


@pytest.mark.parametrize("name", [*RECIPES, "ppcn_l1_vgg"])
def test_every_recipe_trains_any_network(objective_parts, params: Params, name: str) -> None:
    _, loss, vgg, x, y, random = objective_parts
    objective = EnhancementObjective(params.recipe(name), loss, vgg, None, 100, warmup_steps=0)
    network = SRCNN()
    terms = objective.terms(network, Batch(x, y, (0, 1)), 0, random)
    assert set(terms) == {term for term, weight in objective.weights.items() if weight}
    losses.weighted_sum(terms, objective.weights).backward()
    assert torch.isfinite(network.conv1.weight.grad).all()
    assert float(network.conv1.weight.grad.abs().max()) > 0


def test_a_weight_under_loss_replaces_the_recipes(params: Params) -> None:
    loss = params.loss.model_copy(update={"recipe": "boe", "tv_weight": 0.0})
    changed = params.model_copy(update={"loss": loss})
    assert changed.recipe() == params.recipe("boe").without("tv")
    with pytest.raises(UserError, match="unknown recipe 'bow'; the nearest of recipes is 'boe'"):
        params.recipe("bow")


def test_super_resolution_is_equation_6(params: Params) -> None:
    x, y = torch.rand(2, 1, 3, 32, 32)
    objective = SRObjective(params.sr, params.sr.steps)
    terms = objective.terms(nn.Identity(), Batch(x, y), 0, torch.Generator())
    assert set(terms) == {"mae", "ssim"}
    assert float(terms["mae"]) == pytest.approx(255 * float((x - y).abs().mean()), rel=1e-5)
    assert objective.weights == {"mae": 1, "ssim": 25, "mse": 0}


def test_the_loss_with_kept_features_of_targets_is_the_loss(objective_parts) -> None:
    """Another batch in another order, some of whose targets were seen before."""
    recipe, loss, vgg, *_, random = objective_parts
    recipe = recipe.without("texture")
    targets = torch.rand(4, 3, 100, 100, generator=random)
    inputs = targets * 0.7
    objective = EnhancementObjective(recipe, loss, vgg, None, 100, warmup_steps=0, targets=4)
    without = EnhancementObjective(recipe, loss, vgg, None, 100, warmup_steps=0)
    student = Student(0.1)
    held = []
    for chosen in ([0, 1, 1], [2, 1, 0], [1, 2, 0], [3, 3, 2]):
        batch = Batch(inputs[chosen], targets[chosen], tuple(chosen))
        kept, expected = (o.terms(student, batch, 0, random) for o in (objective, without))
        assert {n: v.item() for n, v in kept.items()} == {n: v.item() for n, v in expected.items()}
        held.append(len(objective.target_features.rows))
    assert held == [2, 3, 3, 4]
    assert not without.target_features.rows


def _gradients(objective: EnhancementObjective, x, y) -> dict[str, torch.Tensor]:
    """Of a student and of the discriminator, and the terms, of one step."""
    torch.manual_seed(3)
    student = Student(0.1).to(x.dtype)
    terms = objective.terms(student, Batch(x, y, (0, 1)), 0, torch.Generator().manual_seed(5))
    losses.weighted_sum(terms, objective.weights).backward()
    discriminated = objective.discriminator_loss()
    discriminated.backward()
    values = {name: value.detach() for name, value in terms.items()}
    for network in (student, objective.discriminator):
        values |= {f"gradient of {n}": p.grad for n, p in network.named_parameters()}
        network.zero_grad()
    return values | {"discriminator": discriminated.detach()}


def _agree(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        tolerance = 1e-8 + 1e-7 * float(value.abs().max())  # before norms, biases have none
        assert torch.allclose(found[name], value, rtol=1e-6, atol=tolerance), name


def _in_float64(recipe, loss, vgg, x, y):
    """An objective and a batch, in which rounding turns no maximum into another."""
    torch.manual_seed(0)
    vgg, teacher, size = vgg.double(), Teacher(0.1).double(), x.shape[-1]
    objective = EnhancementObjective(recipe, loss, vgg, teacher, size, warmup_steps=0)
    objective.discriminator.double()
    return objective, x.double(), y.double()


@pytest.mark.parametrize("formula", ["paper", "code"])
def test_fewer_operators_give_the_same_step(
    objective_parts, formula: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a GPU computes: norms, discriminator and blurs in fewer operators."""
    recipe, loss, vgg, x, y, _ = objective_parts
    loss = loss.model_copy(update={"adversarial": formula})
    objective, x, y = _in_float64(recipe, loss, vgg, x, y)
    expected = _gradients(objective, x, y)
    monkeypatch.setattr("ppcn.machine.prefers_few_operators", lambda x: True)
    _agree(_gradients(objective, x, y), expected)


@pytest.mark.slow
def test_a_compiled_step_gives_the_same(objective_parts, caplog: pytest.LogCaptureFixture) -> None:
    """Slow for the C++ compiler: every network and term, forward and back."""
    recipe, loss, vgg, *_ = objective_parts
    objective, x, y = _in_float64(recipe, loss, vgg, *torch.rand(2, 2, 3, 32, 32))
    expected = _gradients(objective, x, y)
    objective.prepare(Engine(precision="float32", compile="step"))
    _agree(_gradients(objective, x, y), expected)
    assert "not compiled" not in caplog.text


@pytest.mark.slow
def test_a_compiled_step_computes_losses_as_wide_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Slow for the C++ compiler. Matrix products, as on a GPU, in bfloat16 training; flat images,
    on which SSIM's gradient is a small difference of large terms."""
    monkeypatch.setattr("ppcn.machine.prefers_few_operators", lambda x: True)
    torch.manual_seed(0)
    image = (0.5 + 0.002 * torch.randn(2, 3, 32, 32)).requires_grad_()
    target = 0.5 + 0.002 * torch.randn(2, 3, 32, 32)
    objective = SRObjective(Params.load(Path("params.yaml")).sr, steps=1)

    def gradient() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            batch = Batch(image, target, (0, 1))
            terms = objective.terms(nn.Identity(), batch, 0, torch.Generator())
        return torch.autograd.grad(terms["ssim"], image)[0]

    expected = gradient()
    objective.prepare(Engine(precision="bfloat16", compile="step"))
    assert torch.allclose(gradient(), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_bfloat16_holds_what_does_not_change(objective_parts) -> None:
    recipe, loss, vgg, x, y, _ = objective_parts
    torch.manual_seed(0)
    objective = EnhancementObjective(recipe, loss, vgg, Teacher(0.1), 100, warmup_steps=0)
    with torch.autocast("cpu", torch.bfloat16):
        expected = _gradients(objective, x, y)
        objective.prepare(Engine(precision="bfloat16", compile="none"))
        found = _gradients(objective, x, y)
    assert objective.teacher.conv1.weight.dtype == torch.bfloat16
    assert all(torch.equal(found[name], value) for name, value in expected.items())
