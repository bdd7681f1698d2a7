"""A training run from a fresh network to its files: weights, log and metrics."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ppcn.files.artifacts import write_csv, write_json
from ppcn.networks import NETWORKS
from ppcn.networks.layers import EnhancementNetwork
from ppcn.params import EnhancerTraining, Params, Training
from ppcn.training import distributed
from ppcn.training.batches import Batches, Source
from ppcn.training.checkpoint import RunDirectory
from ppcn.training.objective import Objective
from ppcn.training.train_state import Row
from ppcn.training.trainer import Report, TrainConfig, TrainResult, train
from ppcn.training.validation import ValidationPairs
from ppcn.weights import save_weights

Watch = Callable[[str], AbstractContextManager[Report]]
"""Shows a sentence on what begins, and gives the function that is called after every step."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What every training run is given.

    Attributes:
        title: what the run is called in messages.
        name: of the network in `NETWORKS`.
        network: freshly initialised.
        training: steps, batch, learning rate.
        out: weights to write. While the run goes on, a folder beside it, `<name>.training`, holds
            the log and sample pictures so far, and the checkpoint from which it can go on.
        metrics: metrics to write, .json; the log goes beside it, .csv.
    """

    title: str
    name: str
    network: nn.Module
    training: Training
    out: Path
    metrics: Path


@dataclass(frozen=True)
class Task:
    """What a network is trained on and for.

    Attributes:
        objective: the loss terms.
        source: the training pairs.
        validation: pairs of photos that are not trained on.
        settings: what the weights follow from beside `training`; stored with them.
        recorded: seed, versions, digests of inputs; stored with weights and metrics.
        color_augmentation: share of the pairs whose colours are changed, alike on both sides.
        discriminator_warmup: steps of the discriminator alone, before the network's first.
    """

    objective: Objective
    source: Source
    validation: ValidationPairs
    settings: Mapping[str, Any]
    recorded: Mapping[str, Any]
    color_augmentation: float = 0.0
    discriminator_warmup: int = 0


def fresh_network(name: str, seed: int, **options: Any) -> nn.Module:
    """A network of `NETWORKS` whose first weights, like all that is drawn next, follow the seed."""
    torch.manual_seed(seed)
    architecture = NETWORKS[name]
    return (architecture.train or architecture.make)(**options)


def fresh_enhancer(name: str, seed: int, training: EnhancerTraining, **options: Any) -> nn.Module:
    """A fresh enhancement network, with the first weights and the padding of a training run."""
    network = fresh_network(name, seed, initial_deviation=training.initial_deviation, **options)
    assert isinstance(network, EnhancementNetwork)
    network.padding = training.padding
    return network


def train_to_files(config: RunConfig, task: Task, params: Params, watch: Watch) -> Row | None:
    """Train, or go on training, and write weights, log and metrics.

    Args:
        config: what to train, and the files to write.
        task: what on and for.
        params: for engine and seed.
        watch: shows progress; called by the first of several processes only.

    Returns:
        The log's row of the weights that were written; None in all processes but the first.

    Raises:
        UserError: weights are to be kept by a score that the validation images do not have.
    """
    if config.training.keep == "niqe":
        task.validation.check_niqe()
    how = TrainConfig(config.training, params.engine, params.seed, task.discriminator_warmup)
    computing = {"training": config.training.model_dump(), "engine": params.engine.model_dump()}
    facts = {**task.settings, **computing, **task.recorded}
    distributed.join()
    directory = RunDirectory(config.out.with_suffix(".training"), {"network": config.name, **facts})
    first = distributed.rank() == 0
    with directory.reserved() if first else nullcontext():
        watching = watch(_introduction(config, task.source, directory)) if first else _quietly()
        with watching as report:
            batches = Batches(task.source, params.seed, task.color_augmentation)
            validation = task.validation
            result = train(
                config.network, task.objective, batches, validation, how, report, directory
            )
            distributed.leave()
            if not first:
                return None
            _write(config, task, facts, result)
            directory.finish()
    return result.kept


def _quietly() -> AbstractContextManager[Report]:
    return nullcontext(lambda done, total, figures: None)


def _write(config: RunConfig, task: Task, facts: Mapping[str, Any], result: TrainResult) -> None:
    save_weights(config.out, config.name, config.network, facts)
    write_csv(config.metrics.with_suffix(".csv"), result.rows)
    kept = result.kept
    figures = {name: kept[name] for name in ("step", "loss", "psnr", "niqe") if name in kept}
    write_json(config.metrics, {"validation": figures, **task.recorded})


def _introduction(config: RunConfig, source: Source, directory: RunDirectory) -> str:
    """What is trained on, where, and where to watch it."""
    among = f" among {distributed.count()} processes" if distributed.count() > 1 else ""
    return (
        f"{config.title}: {len(source)} training pairs {source.held}, {source.size} a step{among}; "
        f"log and pictures in {directory.folder}"
    )
