"""One training loop for every network; everything random derives from (seed, step)."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from ppcn import losses
from ppcn.batches import Draw
from ppcn.devices import choose_device, place, to_tensor
from ppcn.errors import UserError
from ppcn.objectives import Objective
from ppcn.params import Training

Report = Callable[[int, int, Mapping[str, float]], None]


def train(
    network: nn.Module,
    objective: Objective,
    draw: Draw,
    validate: Callable[[nn.Module], dict[str, float]],
    training: Training,
    seed: int,
    report: Report,
) -> list[dict[str, float]]:
    """Train a network in place with Adam(0.9, 0.999, 1e-8).

    Args:
        network: what is trained.
        objective: its loss terms.
        draw: gives a batch of inputs and targets, (N, H, W, 3) uint8 each.
        validate: scores the network on photos that are not trained on.
        training: steps, learning rate and its decay.
        seed: of the batches.
        report: called after every step with steps done, steps in all and the latest figures.

    Returns:
        One row every `log_every` steps: step, learning rate, loss, mean of each term, scores.

    Raises:
        UserError: a loss term became NaN or infinite.
    """
    place(network)
    device = choose_device()
    optimiser = torch.optim.Adam(network.parameters(), lr=training.learning_rate, eps=1e-8)
    rows: list[dict[str, float]] = []
    recent: list[dict[str, Tensor]] = []
    latest: dict[str, float] = {}
    for step in range(training.steps):
        decay = training.decay_factor ** (step // training.decay_every)
        for group in optimiser.param_groups:
            group["lr"] = rate = training.learning_rate * decay
        streams = _streams(seed, step, device)
        recent.append(_step(network, objective, optimiser, draw, step, decay, streams))
        if (step + 1) % training.log_every == 0 or step + 1 == training.steps:
            means = _means(recent, step + 1)
            recent.clear()
            latest = {**means, **validate(network)}
            rows.append({"step": step + 1, "learning_rate": rate, **latest})
        report(step + 1, training.steps, latest)
    return rows


def _streams(
    seed: int, step: int, device: torch.device
) -> tuple[np.random.Generator, torch.Generator]:
    """Generators for batches and losses; torch's own one serves networks that draw noise."""
    numbers = np.random.default_rng([seed, step])
    drawn = int(numbers.integers(2**62))
    torch.manual_seed(drawn)
    return numbers, torch.Generator(device).manual_seed(drawn)


def _step(
    network: nn.Module,
    objective: Objective,
    optimiser: torch.optim.Optimizer,
    draw: Draw,
    step: int,
    decay: float,
    streams: tuple[np.random.Generator, torch.Generator],
) -> dict[str, Tensor]:
    """One optimiser step; returns the detached loss and terms."""
    inputs, targets = (to_tensor(images, streams[1].device) for images in draw(streams[0]))
    terms = objective.terms(network, inputs, targets, step, streams[1])
    loss = losses.weighted_sum(terms, objective.weights)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    logged = {"loss": loss, **terms, **objective.finish_step(decay)}
    return {name: value.detach() for name, value in logged.items()}


def _means(recent: list[dict[str, Tensor]], step: int) -> dict[str, float]:
    """Mean of each term over the last steps, checked to be finite."""
    names = dict.fromkeys(name for row in recent for name in row)
    means = {n: float(torch.stack([row[n] for row in recent if n in row]).mean()) for n in names}
    for name in reversed(means):
        if not np.isfinite(means[name]):
            raise UserError(
                f"the {name} term became {means[name]} before step {step}; "
                "lower the learning rate or that term's weight"
            )
    return means
