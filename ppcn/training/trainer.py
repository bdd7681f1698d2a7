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
from ppcn.networks.devices import choose_device, compile_in_place, place, used_megabytes
from ppcn.params import Engine, Training
from ppcn.training import distributed
from ppcn.training.batches import Batch, Batches
from ppcn.training.checkpoint import Run
from ppcn.training.objective import Objective
from ppcn.training.train_state import Row, State
from ppcn.training.validation import ValidationPairs

Report = Callable[[int, int, Mapping[str, float]], None]

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_SAVEPOINTS = 60


@dataclass(frozen=True)
class Plan:
    """How a network is trained.

    Attributes:
        training: steps, batch, learning rate and its schedule.
        engine: precision and compilation.
        seed: of batches, losses and noise.
    """

    training: Training
    engine: Engine
    seed: int


@dataclass(frozen=True)
class Trained:
    """What came of a training run.

    Attributes:
        rows: one every `log_every` steps: step, learning rate, loss, mean of each term, PSNR in dB.
        kept: the row of the weights that the network ended with.
    """

    rows: list[Row]
    kept: Row


def train(
    network: nn.Module,
    objective: Objective,
    batches: Batches,
    validation: ValidationPairs,
    plan: Plan,
    report: Report,
    run: Run | None = None,
) -> Trained:
    """Train a network in place with Adam(0.9, 0.999, 1e-8).

    Args:
        network: what is trained; ends with the weights that `training.keep` asks for.
        objective: its loss terms.
        batches: what it is trained on.
        validation: pairs of photos that are not trained on.
        plan: how.
        report: called after every step with steps done, steps in all and the latest figures.
        run: where to go on from and to keep savepoints, log and pictures; None keeps nothing.

    Raises:
        UserError: a loss term became NaN or infinite; its batch is kept in the run's folder.
    """
    loop = _Loop(network, objective, batches, validation, plan, run)
    loop.go_on()
    state, steps = loop.state, plan.training.steps
    with closing(batches.from_step(state.step, steps)) as stream:
        for batch in stream:
            loop.step(batch)
            report(state.step, steps, state.rows[-1] if state.rows else {})
    return Trained(state.rows, state.end())


class _Loop:
    """Step, validate, save."""

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        batches: Batches,
        validation: ValidationPairs,
        plan: Plan,
        run: Run | None,
    ) -> None:
        self.objective, self.batches, self.validation = objective, batches, validation
        self.plan, self.run, self.writes = plan, run, bool(run) and distributed.rank() == 0
        self.device = choose_device()
        self.state = State(place(network), objective.discriminator, plan.training)
        if plan.engine.compile:
            compile_in_place(self.state.network)
        self.speeds: list[Row] = []
        self.saved = self.logged = time.monotonic()
        self.logged_step = 0

    def go_on(self) -> None:
        """Take up where an earlier attempt was interrupted, if there is a savepoint."""
        found = self.run.load() if self.run else None
        if found:
            self.state.load(*found)
            self.speeds = found[1]["speeds"]
            if distributed.rank() == 0:
                logger.warning("goes on after step %d", self.state.step)
        self.logged_step = self.state.step
        step = torch.tensor(float(self.state.step), device=self.device)
        if distributed.average(step).item() != self.state.step:
            raise UserError("the processes see different savepoints; write to shared storage")

    def step(self, batch: Batch) -> None:
        """One optimiser step, and what is due after it."""
        state, training = self.state, self.plan.training
        rate = training.learning_rate * decay(training, state.step)
        learn(state, self.objective, batch, self.plan)
        state.step += 1
        if state.step % training.log_every == 0 or state.step == training.steps:
            self._log(rate)
        if self.writes and time.monotonic() - self.saved >= SECONDS_BETWEEN_SAVEPOINTS:
            self._save()

    def _log(self, rate: float) -> None:
        """Add a row of means and scores."""
        state = self.state
        means = state.totals.means()
        if not (all(map(math.isfinite, means.values())) and state.is_finite()):
            self._stop()
        state.totals.clear()
        psnr = self.validation.psnr(state.judged)
        state.add({"step": state.step, "learning_rate": rate, **means, "psnr": psnr})
        if self.run and self.writes:
            self.speeds.append(self._speed())
            rows = [{**r, **s} for r, s in zip(state.rows, self.speeds, strict=True)]
            self.run.log(rows, self.validation.pictures(state.judged))

    def _speed(self) -> Row:
        before, before_step = self.logged, self.logged_step
        self.logged, self.logged_step = time.monotonic(), self.state.step
        steps = (self.logged_step - before_step) / max(self.logged - before, 1e-6)
        return {"steps_per_s": steps, "memory_mb": used_megabytes()}

    def _save(self) -> None:
        """Write a savepoint, unless it would be spoilt; then the next row stops the run."""
        if self.state.totals.first_spoilt() or not self.state.is_finite():
            return
        tensors, facts = self.state.save()
        if self.run:
            self.run.save(tensors, {**facts, "speeds": self.speeds})
        self.saved = time.monotonic()

    def _stop(self) -> NoReturn:
        """Refuse to go on, naming the first term that was spoilt and keeping its batch.

        Every process stops; the one whose term it was tells.
        """
        found = self.state.totals.first_spoilt()
        first = distributed.least(found[0] if found else math.inf, self.device)
        advice = "lower the learning rate or a term's weight"
        if not math.isfinite(first):
            raise UserError(f"weights became infinite before step {self.state.step}; {advice}")
        if not found or found[0] > first:
            raise UserError(f"another process met a loss that is no finite number; {advice}")
        step, term = found
        kept = ""
        if self.run:
            batch = self.batches.at(step)
            path = self.run.keep_for_inspection(f"step-{step}", {"x": batch.x, "y": batch.y})
            kept = f"; its batch is kept in {path}" if path else ""
        raise UserError(f"the {term} term was no finite number at step {step}{kept}; {advice}")


def learn(state: State, objective: Objective, batch: Batch, plan: Plan) -> None:
    """Move the network, and then its discriminator, by one step, and note the terms."""
    device = batch.x.device
    shrunk = decay(plan.training, state.step)
    random = _random(plan.seed, state.step, device)
    with _autocast(plan.engine, device):
        found = objective.terms(state.network, batch, state.step, random)
        terms = {name: found[name] for name in objective.weights if name in found}
        loss = losses.weighted_sum(terms, objective.weights)
    state.descent.step(loss, plan.training.learning_rate * shrunk)
    state.follow()
    logged = {"loss": loss, **terms}
    with _autocast(plan.engine, device):
        discriminator_loss = objective.discriminator_loss()
    if discriminator_loss is not None and state.discriminator_descent:
        state.discriminator_descent.step(discriminator_loss, objective.discriminator_rate * shrunk)
        logged["discriminator"] = discriminator_loss
    state.totals.add(logged, state.step)


def _autocast(engine: Engine, device: torch.device) -> torch.autocast:
    half = engine.precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


def decay(training: Training, step: int) -> float:
    """What the learning rates are multiplied by at a step."""
    if training.schedule == "cosine":
        return (1 + math.cos(math.pi * step / training.steps)) / 2
    return training.decay_factor ** (step // training.decay_every)


def _random(seed: int, step: int, device: torch.device) -> torch.Generator:
    """Generator for the losses; torch's own is set for networks that draw noise."""
    drawn = int(np.random.default_rng([seed, step, 1]).integers(2**62))
    torch.manual_seed(drawn)
    return torch.Generator(device).manual_seed(drawn)
