"""One training loop for every network; everything random derives from (seed, step)."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import torch
from torch import nn

from ppcn import losses
from ppcn.errors import UserError
from ppcn.networks.devices import (
    choose_device,
    compile_in_place,
    has_tf32,
    place,
    tf32,
    used_megabytes,
)
from ppcn.params import Engine, Training
from ppcn.training import distributed
from ppcn.training.batches import Batch, Batches
from ppcn.training.checkpoint import RunDirectory
from ppcn.training.objective import Objective, Terms
from ppcn.training.train_state import Row, TrainState
from ppcn.training.validation import ValidationPairs

Report = Callable[[int, int, Mapping[str, float]], None]

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_CHECKPOINTS = 60


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained.

    Attributes:
        training: steps, batch, learning rate and its schedule.
        engine: precision and compilation.
        seed: of batches, losses and noise.
        discriminator_warmup: steps of the discriminator alone, before the network's first.
    """

    training: Training
    engine: Engine
    seed: int
    discriminator_warmup: int = 0


@dataclass(frozen=True)
class TrainResult:
    """What came of a training run.

    Attributes:
        rows: one every `log_every` steps: step, learning rate, loss, mean of each term, PSNR in dB
            and, where weights are kept by it, NIQE.
        kept: the row of the weights that the network ended with.
    """

    rows: list[Row]
    kept: Row


def train(
    network: nn.Module,
    objective: Objective,
    batches: Batches,
    validation: ValidationPairs,
    config: TrainConfig,
    report: Report,
    directory: RunDirectory | None = None,
) -> TrainResult:
    """Train a network in place with Adam(0.9, 0.999, 1e-8).

    Args:
        network: what is trained; ends with the weights that `training.keep` asks for.
        objective: its loss terms.
        batches: what it is trained on.
        validation: pairs of photos that are not trained on.
        config: how.
        report: called after every step with steps done, steps in all (those of the
            discriminator's warm-up too) and the latest figures.
        directory: where to go on from, and where checkpoint, log and pictures are kept; None keeps
            nothing.

    Raises:
        UserError: a loss term became NaN or infinite; its batch is kept in the directory.
    """
    loop = _Loop(network, objective, batches, validation, config, directory)
    loop.go_on()
    warmup = loop.warm_up(report)
    state, steps = loop.state, config.training.steps
    with closing(batches.from_step(state.step, steps)) as stream:
        for batch in stream:
            loop.step(batch)
            report(warmup + state.step, warmup + steps, state.rows[-1] if state.rows else {})
    return TrainResult(state.rows, state.end())


class _Loop:
    """Step, validate, save."""

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        batches: Batches,
        validation: ValidationPairs,
        config: TrainConfig,
        directory: RunDirectory | None,
    ) -> None:
        self.objective, self.batches, self.validation = objective, batches, validation
        self.config, self.directory = config, directory
        self.writes = bool(directory) and distributed.rank() == 0
        self.device = choose_device()
        self.state = TrainState(place(network), objective.discriminator, config.training)
        self._prepare(config.engine)
        self.speeds: list[Row] = []
        self.saved = self.logged = time.monotonic()
        self.logged_step = 0

    def _prepare(self, engine: Engine) -> None:
        if engine.precision == "tf32" and not has_tf32():
            logger.warning("engine.precision tf32: float32 here, where no GPU has TF32")
        if engine.compile != "none":
            compile_in_place(self.state.network, graphs=engine.compile == "step")
        self.objective.prepare(engine)

    def go_on(self) -> None:
        """Take up where an earlier attempt was interrupted, if there is a checkpoint."""
        checkpoint = self.directory.load() if self.directory else None
        if checkpoint:
            tensors, facts = checkpoint
            self.state.load(tensors, facts)
            self.speeds = facts["speeds"]
            if distributed.rank() == 0:
                logger.warning("goes on after step %d", self.state.step)
        self.logged_step = self.state.step
        step = torch.tensor(float(self.state.step), device=self.device)
        if distributed.average(step).item() != self.state.step:
            raise UserError("the processes see different checkpoints; write to shared storage")

    def warm_up(self, report: Report) -> int:
        """Train the discriminator alone, on batches that follow the network's last one.

        Returns:
            Number of steps that this takes.
        """
        state, steps = self.state, self.config.training.steps
        warmup = self.config.discriminator_warmup
        if warmup and not state.discriminator:
            logger.warning("nothing to warm up: the loss has no discriminator")
            return 0
        first = steps + state.warmup_step
        with closing(self.batches.from_step(first, steps + warmup)) as stream:
            for batch in stream:
                warmup_step(state, self.objective, batch, self.config)
                state.warmup_step += 1
                self._save_if_due()
                report(state.warmup_step, warmup + steps, {})
        return warmup

    def step(self, batch: Batch) -> None:
        """One optimiser step, and what is due after it."""
        state, training = self.state, self.config.training
        rate = training.learning_rate * decay(training, state.step)
        train_step(state, self.objective, batch, self.config)
        state.step += 1
        if state.step % training.log_every == 0 or state.step == training.steps:
            self._log(rate)
        self._save_if_due()

    def _save_if_due(self) -> None:
        if self.writes and time.monotonic() - self.saved >= SECONDS_BETWEEN_CHECKPOINTS:
            self._save()

    def _log(self, rate: float) -> None:
        """Add a row of means and scores."""
        state = self.state
        means = state.meter.means()
        if not (all(map(math.isfinite, means.values())) and state.is_finite()):
            self._stop()
        state.meter.clear()
        state.add({"step": state.step, "learning_rate": rate, **means, **self._scores()})
        if self.directory and self.writes:
            self.speeds.append(self._speed())
            rows = [{**r, **s} for r, s in zip(state.rows, self.speeds, strict=True)]
            self.directory.log(rows, self.validation.pictures(state.validated))

    def _scores(self) -> Row:
        """What validation gives: PSNR in dB and, where weights are kept by it, NIQE."""
        network = self.state.validated
        scores = {"psnr": self.validation.psnr(network)}
        if self.config.training.keep == "niqe":
            scores["niqe"] = self.validation.niqe(network)
        return scores

    def _speed(self) -> Row:
        before, before_step = self.logged, self.logged_step
        self.logged, self.logged_step = time.monotonic(), self.state.step
        steps = (self.logged_step - before_step) / max(self.logged - before, 1e-6)
        return {"steps_per_s": steps, "memory_mb": used_megabytes()}

    def _save(self) -> None:
        """Write a checkpoint unless a term or a weight is not finite; the next row stops then."""
        if self.state.meter.first_bad() or not self.state.is_finite():
            return
        tensors, facts = self.state.save()
        if self.directory:
            self.directory.save(tensors, {**facts, "speeds": self.speeds})
        self.saved = time.monotonic()

    def _stop(self) -> NoReturn:
        """Refuse to go on, naming the first term that was not finite and keeping its batch.

        Every process stops; the one whose term it was says so.
        """
        own = self.state.meter.first_bad()
        first = distributed.least(own[0] if own else math.inf, self.device)
        advice = "lower the learning rate or a term's weight"
        if not math.isfinite(first):
            raise UserError(f"weights became infinite before step {self.state.step}; {advice}")
        if not own or own[0] > first:
            raise UserError(f"another process met a loss that is no finite number; {advice}")
        step, term = own
        kept = ""
        if self.directory:
            batch = self.batches.at(step)
            path = self.directory.keep_for_inspection(f"step-{step}", {"x": batch.x, "y": batch.y})
            kept = f"; its batch is kept in {path}" if path else ""
        raise UserError(f"the {term} term was no finite number at step {step}{kept}; {advice}")


def train_step(state: TrainState, objective: Objective, batch: Batch, config: TrainConfig) -> None:
    """Move the network, and then the discriminator, by one step, and note the terms."""
    device = batch.x.device
    if device.type == "cuda" and config.engine.compile == "step":
        torch.compiler.cudagraph_mark_step_begin()
    with tf32(config.engine.precision == "tf32"):
        logged = _move(state, objective, batch, config)
    state.meter.add(logged, state.step)


def _move(state: TrainState, objective: Objective, batch: Batch, config: TrainConfig) -> Terms:
    device = batch.x.device
    decayed = decay(config.training, state.step)
    random = _random(config.seed, state.step, device)
    with _autocast(config.engine, device):
        computed = objective.terms(state.network, batch, state.step, random)
        terms = {name: computed[name] for name in objective.weights if name in computed}
        loss = losses.weighted_sum(terms, objective.weights)
    state.optimizer.step(loss, config.training.learning_rate * decayed)
    state.update_ema()
    logged = {"loss": loss, **terms}
    with _autocast(config.engine, device):
        adversarial = objective.discriminator_loss()
    if adversarial is not None and state.discriminator_optimizer:
        state.discriminator_optimizer.step(adversarial, objective.discriminator_rate * decayed)
        logged["discriminator"] = adversarial
    return logged


def warmup_step(state: TrainState, objective: Objective, batch: Batch, config: TrainConfig) -> None:
    """Move the discriminator alone by one step, at its full rate."""
    device = batch.x.device
    random = _random(config.seed, config.training.steps + state.warmup_step, device)
    with _autocast(config.engine, device):
        objective.show_inputs(batch, random)
        adversarial = objective.discriminator_loss()
    if adversarial is not None and state.discriminator_optimizer:
        state.discriminator_optimizer.step(adversarial, objective.discriminator_rate)


def _autocast(engine: Engine, device: torch.device) -> torch.autocast:
    half = engine.precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


def decay(training: Training, step: int) -> float:
    """What the learning rates are multiplied by at a step."""
    risen = min(1.0, (step + 1) / max(1, training.rate_warmup))
    if training.schedule == "cosine":
        return risen * (1 + math.cos(math.pi * step / training.steps)) / 2
    return risen * training.decay_factor ** (step // training.decay_every)


def _random(seed: int, step: int, device: torch.device) -> torch.Generator:
    """Generator for the losses; torch's own is set for networks that draw noise."""
    drawn = int(np.random.default_rng([seed, step, 1]).integers(2**62))
    torch.manual_seed(drawn)
    return torch.Generator(device).manual_seed(drawn)
