from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from ppcn import losses
from ppcn.batches import crop_batches, dihedral, patch_batches, validation_photos
from ppcn.datasets import open_crops, open_patches, read_photos, save_crops, save_photos
from ppcn.errors import UserError
from ppcn.networks.baselines import SRCNN
from ppcn.networks.muxdemux import MuxNormal
from ppcn.networks.ppcn import Student, Teacher
from ppcn.networks.superres import SuperResolver
from ppcn.objectives import Enhancement, Sharpening
from ppcn.params import Params, Training
from ppcn.resize import enlarge, shrink
from ppcn.tensors import save_tensors
from ppcn.training import train
from ppcn.vgg import load_vgg
from ppcn.weights import load_network, load_weights, save_weights

TRAINING = Training(
    steps=80, batch=4, learning_rate=1e-2, decay_every=60, decay_factor=0.1, log_every=20
)
SHORT = TRAINING.model_copy(update={"steps": 3})


def _draw(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Patches that are to become darker and warmer."""
    y = random.integers(0, 255, (4, 100, 100, 3), np.uint8)
    y = (y // 4 + random.integers(0, 190, (4, 1, 1, 3), np.uint8)).astype(np.uint8)
    return (y * np.array([0.5, 0.7, 0.9])).astype(np.uint8), y


class _Absolute:
    def __init__(self) -> None:
        self.weights = {"l1": 1.0}

    def terms(self, network, x, y, step, random):
        return {"l1": (network(x) - y).abs().mean()}

    def finish_step(self, decay):
        return {}


def _run(seed: int = 0, training: Training = TRAINING) -> tuple[nn.Module, list[dict[str, float]]]:
    torch.manual_seed(seed)
    network = Student(initial_deviation=0.1)
    seen: list[int] = []
    rows = train(
        network,
        _Absolute(),
        _draw,
        lambda network: {"psnr": 1.0},
        training,
        seed,
        lambda done, total, figures: seen.append(done),
    )
    assert seen == list(range(1, training.steps + 1))
    return network, rows


def test_training_lowers_the_loss_and_follows_the_schedule() -> None:
    _, rows = _run()
    assert [row["step"] for row in rows] == [20, 40, 60, 80]
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-2, 1e-2, 1e-2, 1e-3])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    first, second, other = (_run(seed)[0].state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["conv0.weight"], other["conv0.weight"])


def test_a_loss_that_is_not_a_number_stops_with_its_name() -> None:
    class Broken(_Absolute):
        def terms(self, network, x, y, step, random):
            return {"l1": (network(x) - y).abs().mean() * (float("nan") if step > 30 else 1)}

    with pytest.raises(UserError, match="the l1 term became nan before step 40"):
        train(Student(), Broken(), _draw, lambda n: {}, TRAINING, 0, lambda *a: None)


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
    loss = loss.model_copy(update=dict.fromkeys(names, formula))
    objective = Enhancement(recipe, loss, vgg, Teacher(), 100, warmup_steps=0)
    student = Student()
    terms = objective.terms(student, x, y, 0, random)
    names = {"contextual", "ssim", "texture", "color", "tv", "kd", "l1", "vgg", "mse"}
    assert set(terms) == names
    for name, term in terms.items():
        gradient = torch.autograd.grad(term, student.conv1.weight, retain_graph=True)[0]
        assert float(gradient.abs().max()) > 0, name
    assert set(objective.finish_step()) == {"discriminator"}
    assert objective.weights["contextual"] == 40
    assert objective.weights["ssim"] == 250


def test_terms_of_weight_zero_are_left_out(objective_parts) -> None:
    recipe, loss, vgg, x, y, random = objective_parts
    recipe = recipe.without("texture").without("tv")
    loss = loss.model_copy(update={"kd_weight": 0.0})
    objective = Enhancement(recipe, loss, vgg, Teacher(), 100, warmup_steps=0)
    terms = objective.terms(Student(), x, y, 0, random)
    assert set(terms) == {"contextual", "ssim", "color", "l1", "vgg", "mse"}
    assert objective.finish_step() == {}


def test_warm_up_leaves_out_what_needs_another_network(objective_parts) -> None:
    recipe, loss, vgg, x, y, random = objective_parts
    objective = Enhancement(recipe, loss, vgg, Teacher(), 100, warmup_steps=5)
    cheap = {"ssim", "color", "tv", "kd", "l1", "mse"}
    assert set(objective.terms(Student(), x, y, 4, random)) == cheap
    assert "contextual" in objective.terms(Student(), x, y, 5, random)


def test_terms_that_need_another_network_are_kept_when_there_are_no_others(
    objective_parts,
) -> None:
    recipe, loss, vgg, x, y, random = objective_parts
    without_kd = loss.model_copy(update={"kd_weight": 0.0})
    for term in ("color", "ssim", "tv", "l1", "mse"):
        recipe = recipe.without(term)
    objective = Enhancement(recipe, loss, vgg, None, 100, warmup_steps=5)
    assert set(objective.terms(Student(), x, y, 0, random)) == {"contextual", "texture", "vgg"}
    nothing = recipe.without("content").without("texture").without("vgg")
    with pytest.raises(UserError, match="nothing to train for"):
        Enhancement(nothing, without_kd, vgg, None, 100, warmup_steps=5)


@pytest.mark.parametrize("size", [64, 100, 128])
def test_patches_of_any_size_can_be_trained_on(objective_parts, size: int) -> None:
    recipe, loss, vgg, *_, random = objective_parts
    x, y = torch.rand(2, 2, 3, size, size)
    objective = Enhancement(recipe, loss, vgg, None, size, warmup_steps=0)
    assert torch.isfinite(objective.terms(Student(), x, y, 0, random)["texture"])
    assert torch.isfinite(objective.finish_step()["discriminator"])


def test_the_teacher_learns_nothing_from_the_student(objective_parts) -> None:
    recipe, loss, vgg, x, y, random = objective_parts
    teacher = Teacher()
    objective = Enhancement(recipe, loss, vgg, teacher, 100, warmup_steps=0)
    sum(objective.terms(Student(), x, y, 0, random).values()).backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(parameter.grad is None for parameter in objective.discriminator.parameters())


@pytest.mark.parametrize("formula", ["paper", "code"])
def test_the_discriminator_learns_to_tell_them_apart(objective_parts, formula: str) -> None:
    recipe, loss, vgg, x, y, random = objective_parts
    loss = loss.model_copy(update={"adversarial": formula, "discriminator_rate": 1e-4})
    recipe = recipe.without("contextual").without("vgg")
    objective = Enhancement(recipe, loss, vgg, None, 100, warmup_steps=0)
    student, found = Student(), []
    for _ in range(30):
        objective.terms(student, x, y, 0, random)
        found.append(objective.finish_step()["discriminator"].item())
    assert np.mean(found[-5:]) < 0.7 * np.mean(found[:5])


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
    objective = Enhancement(params.recipe(name), loss, vgg, Teacher(), 100, warmup_steps=0)
    weights = {term: weight for term, weight in objective.weights.items() if weight}
    assert weights == pytest.approx(RECIPES[name])


@pytest.mark.parametrize("name", [*RECIPES, "ppcn_l1_vgg"])
def test_every_recipe_trains_any_network(objective_parts, params: Params, name: str) -> None:
    _, loss, vgg, x, y, random = objective_parts
    objective = Enhancement(params.recipe(name), loss, vgg, None, 100, warmup_steps=0)
    network = SRCNN()
    terms = objective.terms(network, x, y, 0, random)
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


def test_sharpening_is_equation_6(params: Params) -> None:
    x, y = torch.rand(2, 1, 3, 32, 32)
    objective = Sharpening(params.sr)
    terms = objective.terms(nn.Identity(), x, y, 0, torch.Generator())
    assert set(terms) == {"mae", "ssim"}
    assert float(terms["mae"]) == pytest.approx(255 * float((x - y).abs().mean()), rel=1e-5)
    assert objective.weights == {"mae": 1, "ssim": 25, "mse": 0}


def test_noise_of_a_training_run_follows_its_seed() -> None:
    def run() -> torch.Tensor:
        torch.manual_seed(0)
        network = MuxNormal(noise_deviation=1.0)
        train(network, _Absolute(), _draw, lambda n: {"psnr": 0.0}, SHORT, 3, lambda *a: None)
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    assert torch.equal(run(), run())


def test_the_eight_turns_are_distinct_and_keep_pixels() -> None:
    image = np.arange(48).reshape(4, 4, 3)
    turned = {dihedral(image, turn).tobytes() for turn in range(8)}
    assert len(turned) == 8
    assert all(set(dihedral(image, t).ravel()) == set(range(48)) for t in range(8))


def test_pairs_are_turned_together(tmp_path: Path) -> None:
    from ppcn.artifacts import create_hdf5
    from ppcn.datasets import Patch, PatchWriter

    random = np.random.default_rng(0)
    with create_hdf5(tmp_path / "p.h5", {}) as file:
        writer = PatchWriter(file, ["a"], 100)
        for split in (0, 0, 0, 2):
            phone = random.integers(0, 200, (100, 100, 3), np.uint8)
            writer.add(0, split, [Patch(phone, phone + 10 + split, (0, 0), (0, 0), 0, 1)])
    with open_patches(tmp_path / "p.h5") as patches:
        phone, dslr = patch_batches(patches, 16)(np.random.default_rng(1))
    assert phone.shape == (16, 100, 100, 3)
    assert (dslr == phone + 10).all()
    assert len({image.tobytes() for image in phone}) > 8


def test_sr_batches_hold_the_right_part(tmp_path: Path, params: Params, scene: np.ndarray) -> None:
    crops = [(0, scene[:192, :192], shrink(scene[:192, :192]))]
    assert save_crops(tmp_path / "c.h5", crops, ["a"], 192) == 1
    sr = params.sr.model_copy(update={"train_crop": 64, "batch": 8})
    with open_crops(tmp_path / "c.h5") as found:
        inputs, targets = crop_batches(found, sr, enlarged=True)(np.random.default_rng(0))
        small, same = crop_batches(found, sr, enlarged=False)(np.random.default_rng(0))
    assert small.shape == (8, 16, 16, 3)
    assert np.array_equal(same, targets)
    assert np.array_equal(enlarge(small[0]), inputs[0])
    assert inputs.shape == targets.shape == (8, 64, 64, 3)
    difference = np.abs(inputs[:, 8:-8, 8:-8].astype(int) - targets[:, 8:-8, 8:-8]).mean()
    unrelated = np.abs(inputs.astype(int) - np.roll(targets, 1, axis=0)).mean()
    assert difference < 0.6 * unrelated


def test_validation_photos_are_the_middle_of_held_out_photos(
    tmp_path: Path, scene: np.ndarray
) -> None:
    assert save_photos(tmp_path / "v.h5", [("a", scene, shrink(scene))]) == 1
    small = validation_photos(read_photos(tmp_path / "v.h5"), enlarged=False)
    assert np.array_equal(small.inputs[0], shrink(scene)[68:132, 118:182])
    pairs = validation_photos(read_photos(tmp_path / "v.h5"), enlarged=True)
    assert pairs.inputs.shape == (1, 256, 256, 3)
    assert np.array_equal(pairs.targets[0], scene[272:528, 472:728])
    assert np.array_equal(pairs.inputs[0], enlarge(shrink(scene))[272:528, 472:728])
    assert 20 < pairs(nn.Identity())["psnr"] < 60


def test_weights_say_what_they_are(tmp_path: Path) -> None:
    network = SuperResolver()
    save_weights(tmp_path / "w.safetensors", "ppcn_sr", network, {"phone": "iphone", "seed": 1})
    loaded, facts = load_weights(tmp_path / "w.safetensors", "make")
    assert facts == {"network": "ppcn_sr", "phone": "iphone", "seed": 1}
    x = torch.rand(1, 3, 16, 16)
    assert torch.equal(loaded(x), network(x))
    with pytest.raises(UserError, match="holds ppcn_sr"):
        load_network(tmp_path / "w.safetensors", Student, "ppcn-pipeline student")


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    state = {"w": torch.arange(6.0).view(2, 3), "b": torch.ones(2)}
    metadata = {name: f'{name} "quoted" µ' for name in "network phone facts seed".split()}
    files = [tmp_path / f"{i}.safetensors" for i in range(12)]
    for file in files:
        save_tensors(file, state, metadata)
    assert len({file.read_bytes() for file in files}) == 1
    with safe_open(files[0], "pt") as opened:
        assert opened.metadata() == metadata
        assert torch.equal(opened.get_tensor("w"), state["w"])


def test_damaged_and_missing_weights_are_named(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"damaged")
    for name in ("w.safetensors", "none.safetensors"):
        with pytest.raises(UserError, match=f"{name}.*'make'"):
            load_weights(tmp_path / name, "make")
