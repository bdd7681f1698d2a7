import copy
import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from ppcn.errors import UserError
from ppcn.networks.muxdemux import MuxNormal
from ppcn.networks.ppcn import Student
from ppcn.params import Engine, Training
from ppcn.training import trainer
from ppcn.training.batches import Batches, Pick
from ppcn.training.checkpoint import RunDirectory
from ppcn.training.trainer import TrainConfig, TrainResult, decay, train
from ppcn.training.validation import ValidationPairs

TRAINING = Training(
    steps=80,
    batch=4,
    learning_rate=1e-2,
    schedule="steps",
    decay_every=60,
    decay_factor=0.1,
    average=0,
    keep="last",
    log_every=20,
)
SHORT = TRAINING.model_copy(update={"steps": 3})


class _Warmer:
    """Patches that are to become darker and warmer."""

    held, size, targets = "in memory", 4, 0

    def __len__(self) -> int:
        return 1

    def pick(self, random: np.random.Generator) -> list[Pick]:
        return [Pick(int(row), (0, 0), 0) for row in random.integers(0, 2**31, self.size)]

    def read(self, picks: Sequence[Pick]) -> tuple[torch.Tensor, torch.Tensor]:
        random = np.random.default_rng([pick.row for pick in picks])
        y = random.integers(0, 255, (len(picks), 40, 40, 3), np.uint8) // 4
        y = y + random.integers(0, 190, (len(picks), 1, 1, 3), np.uint8)
        x = (y * np.array([0.5, 0.7, 0.9])).astype(np.uint8)
        return torch.from_numpy(x), torch.from_numpy(y)

    def prepare(self, x: torch.Tensor) -> torch.Tensor:
        return x


class _Absolute:
    discriminator, discriminator_rate = None, 0.0

    def __init__(self) -> None:
        self.weights = {"l1": 1.0}

    def prepare(self, engine):
        pass

    def terms(self, network, batch, step, random):
        return {"l1": (network(batch.x) - batch.y).abs().mean()}

    def discriminator_loss(self):
        return None


VALIDATION = ValidationPairs(
    *(images.numpy() for images in _Warmer().read(_Warmer().pick(np.random.default_rng(9))))
)


def _train(
    network: nn.Module,
    settings: Training = TRAINING,
    seed: int = 0,
    objective: Any = None,
    directory: RunDirectory | None = None,
    report: Any = lambda *figures: None,
) -> TrainResult:
    config = TrainConfig(settings, Engine(precision="float32", compile="none"), seed)
    batches = Batches(_Warmer(), seed)
    return train(network, objective or _Absolute(), batches, VALIDATION, config, report, directory)


def _run(seed: int = 0, settings: Training = TRAINING) -> tuple[nn.Module, TrainResult]:
    torch.manual_seed(seed)
    network = Student(initial_deviation=0.1)
    return network, _train(network, settings, seed)


def test_training_lowers_the_loss_and_follows_the_schedule() -> None:
    steps_done: list[int] = []
    torch.manual_seed(0)
    rows = _train(Student(0.1), report=lambda done, total, figures: steps_done.append(done)).rows
    assert steps_done == list(range(1, TRAINING.steps + 1))
    assert [row["step"] for row in rows] == [20, 40, 60, 80]
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-2, 1e-2, 1e-2, 1e-3])


def test_the_cosine_schedule_ends_at_nothing() -> None:
    cosine = TRAINING.model_copy(update={"schedule": "cosine"})
    assert [decay(cosine, step) for step in (0, 40, 80)] == pytest.approx([1, 0.5, 0])


def test_the_learning_rate_can_rise_first() -> None:
    rising = TRAINING.model_copy(update={"rate_warmup": 4})
    assert [decay(rising, step) for step in (0, 1, 3, 4)] == pytest.approx([0.25, 0.5, 1, 1])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    first, second, other = (_run(seed)[0].state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["conv0.weight"], other["conv0.weight"])


def test_averaged_weights_are_those_that_are_kept() -> None:
    """The average that Adam's plain weights give, worked out beside the loop."""
    averaged = TRAINING.model_copy(update={"average": 0.9})
    snapshots: list[torch.Tensor] = []
    torch.manual_seed(0)
    network = Student(0.1)
    mean = network.conv1.weight.detach().clone()
    kernel = network.conv1.weight
    result = _train(
        network, averaged, report=lambda *figures: snapshots.append(kernel.detach().clone())
    )
    for step, weights in enumerate(snapshots):
        mean.lerp_(weights, 1 - min(0.9, (1 + step) / (10 + step)))
    assert torch.allclose(network.conv1.weight, mean, rtol=0, atol=1e-6)
    assert result.kept["psnr"] == pytest.approx(VALIDATION.psnr(network), abs=1e-4)


def test_the_best_weights_can_be_kept() -> None:
    wild = TRAINING.model_copy(update={"keep": "best", "learning_rate": 0.2, "log_every": 5})
    network, result = _run(settings=wild)
    scores = [row["psnr"] for row in result.rows]
    assert max(scores) > scores[-1]
    assert result.kept["psnr"] == max(scores)
    assert VALIDATION.psnr(network) == pytest.approx(max(scores), abs=1e-4)


class _Scored(ValidationPairs):
    """Whose NIQE is lowest in the middle of a run, and not defined at its end."""

    def niqe(self, network: nn.Module) -> float:
        self.__dict__.setdefault("asked", []).append(network.conv1.weight.detach().clone())
        return [5.0, 3.0, 4.0, math.inf][len(self.__dict__["asked"]) - 1]


def test_the_most_natural_weights_can_be_kept() -> None:
    settings = TRAINING.model_copy(update={"keep": "niqe", "steps": 8, "log_every": 2})
    validation = _Scored(VALIDATION.inputs, VALIDATION.targets)
    torch.manual_seed(0)
    network = Student(initial_deviation=0.1)
    config = TrainConfig(settings, Engine(precision="float32", compile="none"), 0)
    batches = Batches(_Warmer(), 0)
    result = train(network, _Absolute(), batches, validation, config, lambda *figures: None)
    assert [row["niqe"] for row in result.rows] == [5, 3, 4, math.inf]
    assert result.kept == result.rows[1]
    assert torch.equal(network.conv1.weight, validation.__dict__["asked"][1])
    assert "niqe" not in _run(settings=SHORT)[1].rows[0]


def test_a_loss_that_is_not_a_number_stops_with_its_name_and_its_batch(tmp_path: Path) -> None:
    class Broken(_Absolute):
        def terms(self, network, batch, step, random):
            good = super().terms(network, batch, step, random)
            return good | {"tv": good["l1"] * (float("nan") if step == 33 else 1)}

    broken = Broken()
    broken.weights = {"l1": 1.0, "tv": 1.0}
    with pytest.raises(UserError, match="the tv term was no finite number at step 33"):
        _train(Student(), objective=broken, directory=RunDirectory(tmp_path, {}))
    kept = load_file(tmp_path / "step-33.safetensors")
    assert torch.equal(kept["y"], Batches(_Warmer(), 0).at(33).y)


def test_noise_of_a_training_run_follows_its_seed() -> None:
    torch.manual_seed(0)
    first = MuxNormal(noise_deviation=1.0)

    def run(earlier: int, seed: int) -> torch.Tensor:
        """Weights after training for a seed, whatever was drawn before."""
        network = copy.deepcopy(first)
        torch.manual_seed(earlier)
        config = TrainConfig(SHORT, Engine(precision="float32", compile="none"), seed)
        batches = Batches(_Warmer(), 0)
        train(network, _Absolute(), batches, VALIDATION, config, lambda *figures: None)
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    assert torch.equal(run(1, seed=3), run(2, seed=3))
    assert not torch.equal(run(1, seed=3), run(1, seed=4))


class _InterruptedError(Exception):
    pass


class _Adversarial(_Absolute):
    """A discriminator and terms that differ during a warm-up, as the papers' losses have them."""

    discriminator_rate = 1e-3

    def __init__(self) -> None:
        self.weights = {"l1": 1.0, "texture": 0.1}
        torch.manual_seed(1)
        self.discriminator = nn.Sequential(nn.Conv2d(3, 4, 5, 4), nn.Flatten(), nn.Linear(324, 1))
        self.fake = None

    def terms(self, network, batch, step, random):
        output = network(batch.x)
        terms = {"l1": (output - batch.y).abs().mean()}
        if step < 15:
            return terms
        noise = torch.rand(output.shape, generator=random)
        self.discriminator.requires_grad_(False)
        self.fake, self.real = (output + noise / 99).detach(), batch.y
        return terms | {"texture": -self.discriminator(output).mean()}

    def discriminator_loss(self):
        if self.fake is None:
            return None
        self.discriminator.requires_grad_(True)
        return self.discriminator(self.fake).mean() - self.discriminator(self.real).mean()


class _Prepared(_Adversarial):
    """Which is shown what the network reads before the first step."""

    def show_inputs(self, batch, random):
        self.fake, self.real = batch.x, batch.y

    def discriminator_loss(self):
        loss, self.fake = super().discriminator_loss(), None
        return loss


def _with_warm_up(
    warmup: int, folder: Path | None = None, stop: int = -1, seed: int = 0
) -> tuple[nn.Module, nn.Module, list[tuple[int, int]]]:
    """Network and discriminator after three steps, and what was reported."""
    reports = []

    def report(done: int, total: int, figures: Any) -> None:
        reports.append((done, total))
        if done == stop:
            raise _InterruptedError

    torch.manual_seed(0)
    network, objective, batches = Student(0.1), _Prepared(), Batches(_Warmer(), seed)
    config = TrainConfig(SHORT, Engine(precision="float32", compile="none"), seed, warmup)
    directory = RunDirectory(folder, {}) if folder else None
    train(network, objective, batches, VALIDATION, config, report, directory)
    return network, objective.discriminator, reports


def _weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_a_discriminator_can_be_trained_beforehand_and_alone() -> None:
    network, fresh, reports = _with_warm_up(0)
    assert reports == [(1, 3), (2, 3), (3, 3)]
    same, prepared, reports = _with_warm_up(4)
    assert reports == [(done, 7) for done in range(1, 8)]
    assert torch.equal(_weights(same), _weights(network))
    assert torch.equal(_weights(fresh), _weights(_Prepared().discriminator))
    discriminator = _Prepared().discriminator
    moments = torch.optim.Adam(discriminator.parameters(), lr=1e-3)
    for step in range(SHORT.steps, SHORT.steps + 4):
        batch = Batches(_Warmer(), 0).at(step)
        moments.zero_grad()
        (discriminator(batch.x).mean() - discriminator(batch.y).mean()).backward()
        moments.step()
    assert torch.allclose(_weights(prepared), _weights(discriminator), rtol=0, atol=1e-6)


@pytest.mark.parametrize("stop", [2, 5])
def test_an_interrupted_warm_up_goes_on(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    expected = _with_warm_up(4)
    with pytest.raises(_InterruptedError):
        _with_warm_up(4, tmp_path, stop)
    again = _with_warm_up(4, tmp_path)
    assert again[2][0] == (stop + 1, 7)
    for module, other in zip(again[:2], expected[:2], strict=True):
        assert torch.equal(_weights(module), _weights(other))


def test_without_a_discriminator_there_is_nothing_to_warm_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = TrainConfig(SHORT, Engine(precision="float32", compile="none"), 0, 5)
    batches, totals = Batches(_Warmer(), 0), set()
    train(
        Student(), _Absolute(), batches, VALIDATION, config, lambda done, n, figures: totals.add(n)
    )
    assert totals == {3}
    assert caplog.messages == ["nothing to warm up: the loss has no discriminator"]


EVERYTHING = TRAINING.model_copy(update={"average": 0.9, "keep": "best", "steps": 60})


@pytest.mark.parametrize(
    "stops, keep",
    [([1], "best"), ([14, 15, 16], "best"), ([20], "best"), ([37, 59], "best"), ([45], "niqe")],
)
def test_an_interrupted_run_ends_as_if_nothing_had_happened(
    stops: list[int], keep: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = EVERYTHING.model_copy(update={"keep": keep})
    # Of images this small NIQE is not defined; any score that follows from weights will do.
    monkeypatch.setattr(ValidationPairs, "niqe", lambda _, network: -VALIDATION.psnr(network))
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_CHECKPOINTS", 0)

    def attempt(folder: Path | None, stop: int | None) -> tuple[dict[str, Any], TrainResult]:
        def report(done: int, total: int, figures: Any) -> None:
            if done == stop:
                raise _InterruptedError

        torch.manual_seed(0)
        network = MuxNormal(noise_deviation=0.1)
        directory = RunDirectory(folder, {"training": settings.model_dump()}) if folder else None
        result = _train(network, settings, 0, _Adversarial(), directory, report)
        return network.state_dict(), result

    expected, result = attempt(None, None)
    for stop in stops:
        with pytest.raises(_InterruptedError):
            attempt(tmp_path, stop)
    weights, again = attempt(tmp_path, None)
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert again == result
    with (tmp_path / "log.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [20, 40, 60]


def test_nothing_is_saved_that_is_spoilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_CHECKPOINTS", 0)

    class Spoilt(_Absolute):
        def terms(self, network, batch, step, random):
            return {"l1": (network(batch.x) - batch.y).abs().mean() * (math.inf if step > 6 else 1)}

    with pytest.raises(UserError, match="l1 term was no finite number at step 7"):
        _train(Student(), objective=Spoilt(), directory=RunDirectory(tmp_path, {}))
    checkpoint = RunDirectory(tmp_path, {}).load()
    assert checkpoint and checkpoint[1]["step"] == 7


@pytest.mark.parametrize(
    "steps, sentence", [(8, "weights became infinite before step 8"), (20, "number at step 8")]
)
def test_weights_that_a_finite_loss_has_spoilt_are_not_saved(
    steps: int, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The root of 0 is finite, and its derivative is not."""
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_CHECKPOINTS", 0)

    class Spoilt(_Absolute):
        def terms(self, network, batch, step, random):
            good = super().terms(network, batch, step, random)["l1"]
            nothing = network.conv1.weight.sum() * 0
            return {"l1": good + nothing.sqrt() if step > 6 else good}

    settings = TRAINING.model_copy(update={"steps": steps})
    with pytest.raises(UserError, match=sentence):
        _train(Student(), settings, objective=Spoilt(), directory=RunDirectory(tmp_path, {}))
    checkpoint = RunDirectory(tmp_path, {}).load()
    assert checkpoint and checkpoint[1]["step"] == 7


def test_tf32_is_float32_where_no_gpu_has_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    weights = []
    for precision in ("float32", "tf32"):
        torch.manual_seed(0)
        network = Student(0.1)
        config = TrainConfig(SHORT, Engine(precision=precision, compile="none"), 0)
        batches = Batches(_Warmer(), 0)
        train(network, _Absolute(), batches, VALIDATION, config, lambda *figures: None)
        weights.append(network.conv1.weight)
    assert torch.equal(*weights)
    assert caplog.messages == ["engine.precision tf32: float32 here, where no GPU has TF32"]


def test_a_step_allows_tf32_and_validation_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ppcn.networks.devices.has_tf32", lambda: True)
    monkeypatch.setattr("torch.backends.cudnn.allow_tf32", False)
    monkeypatch.setattr("torch.backends.cuda.matmul.allow_tf32", False)
    allowed: dict[bool, set[bool]] = {True: set(), False: set()}

    class Watched(Student):
        def forward(self, x):
            allowed[self.training].add(torch.backends.cudnn.allow_tf32)
            return super().forward(x)

    config = TrainConfig(SHORT, Engine(precision="tf32", compile="none"), 0)
    batches = Batches(_Warmer(), 0)
    train(Watched(), _Absolute(), batches, VALIDATION, config, lambda *figures: None)
    assert allowed == {True: {True}, False: {False}}
