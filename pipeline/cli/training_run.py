"""What all stages that train share: a run that can be interrupted, and what it leaves behind."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from torch import nn

from pipeline.cli.options import check_outputs
from pipeline.cli.progress import showing
from ppcn.files.artifacts import write_csv, write_json
from ppcn.params import Params, Training
from ppcn.training import distributed
from ppcn.training.batches import Batches, Source
from ppcn.training.checkpoint import RunDirectory
from ppcn.training.objective import Objective
from ppcn.training.trainer import TrainConfig, train
from ppcn.training.validation import ValidationPairs
from ppcn.weights import save_weights


@dataclass(frozen=True)
class Result:
    """What a training run is to leave behind.

    Attributes:
        title: shown to the user.
        name: of the network in `NETWORKS`.
        out: weights to write.
        metrics: metrics to write, .json; the log goes beside it, .csv.
        settings: what it follows from beside the training's parameters; stored with the weights.
        recorded: seed, versions, digests of inputs; stored with weights and metrics.
    """

    title: str
    name: str
    out: Path
    metrics: Path
    settings: Mapping[str, Any]
    recorded: Mapping[str, Any]


def run_training(
    result: Result,
    network: nn.Module,
    objective: Objective,
    source: Source,
    validation: ValidationPairs,
    training: Training,
    params: Params,
) -> None:
    """Train, or go on training, and write weights, log and metrics.

    While it goes on, a folder beside the weights, `<name>.training`, holds the log and sample
    pictures so far, and the checkpoint from which an interrupted run goes on.
    """
    check_outputs(result.out, result.metrics)
    computing = {"training": training.model_dump(), "engine": params.engine.model_dump()}
    facts = {**result.settings, **computing, **result.recorded}
    plan = TrainConfig(training, params.engine, params.seed)
    distributed.join()
    run = RunDirectory(result.out.with_suffix(".training"), {"network": result.name, **facts})
    first = distributed.rank() == 0
    place = run.reserved() if first else nullcontext()
    with place, showing(result.title, quiet=not first) as report:
        if first:
            _introduce(result, source, run)
        batches = Batches(source, params.seed)
        trained = train(network, objective, batches, validation, plan, report, run)
        distributed.leave()
        if not first:
            return
        save_weights(result.out, result.name, network, facts)
        write_csv(result.metrics.with_suffix(".csv"), trained.rows)
        figures = {name: trained.kept[name] for name in ("step", "loss", "psnr")}
        write_json(result.metrics, {"validation": figures, **result.recorded})
        run.finish()
    psnr, step = trained.kept["psnr"], trained.kept["step"]
    typer.echo(f"{result.title}: validation PSNR {psnr:.2f} dB at step {step}")


def _introduce(result: Result, source: Source, run: RunDirectory) -> None:
    """Say what is trained on, where, and where to watch it."""
    among = f" among {distributed.count()} processes" if distributed.count() > 1 else ""
    typer.echo(
        f"{result.title}: {len(source)} training pairs {source.held}, {source.size} a step{among}; "
        f"log and pictures in {run.folder}"
    )
