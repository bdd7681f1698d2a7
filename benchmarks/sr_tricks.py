"""What each trick of super-resolution's training gives, at one small budget.

Usage: python benchmarks/sr_tricks.py [--steps 3000] [--teacher ppcn/weights/ppcn_sr.safetensors]

`plain_sr` is trained on what `lr` has made in this checkout, data/sr, once with the values of the
base and once more for each trick, which is switched on alone or, with --without, off alone while
all others are on. All trainings of a seed begin with the same weights and draw the same crops, but
for `detail`. The table has the validation PSNR of the last weights, mean and spread over seeds.
"""

import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from torch import nn

from pipeline.cli.progress import Report, showing
from ppcn.networks.plain_sr import PlainSR
from ppcn.params import Params
from ppcn.training.base_run import fresh_network
from ppcn.training.sr_run import SRConfig, train_sr

NETWORK = "plain_sr"
# The base: the plain network for the mean absolute error, at a rate that suits it.
BASE = {
    "mae_weight": 1,
    "ssim_weight": 0,
    "mse_weight": 0,
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "keep": "last",
    "average": 0,
    "luma": 0,
    "mse_from": 1,
    "detail": 0,
    "teacher": "",
    "teacher_weight": 0,
}
BRANCHES = "branches"
Values = dict[str, Any]


def tricks(teacher: Path) -> dict[str, Values]:
    """What each trick changes in the `sr` group; branches change the network instead."""
    return {
        BRANCHES: {},
        "EMA 0.999": {"average": 0.999},
        "luma 0.5": {"luma": 0.5},
        "detail 0.5": {"detail": 0.5},
        "teacher 0.5": {"teacher": str(teacher), "teacher_weight": 0.5},
        "squares from 0.8": {"mse_from": 0.8},
    }


def rows_of(changes: Mapping[str, Values], without: bool) -> dict[str, list[str]]:
    """The tricks of every row of the table, by its name."""
    if without:
        return {"all": list(changes)} | {
            f"without {name}": [other for other in changes if other != name] for name in changes
        }
    return {"none": []} | {name: [name] for name in changes}


def train_row(
    used: list[str], changes: Mapping[str, Values], params: Params, folder: Path, title: str
) -> float:
    """Train with some tricks; returns the validation PSNR of the weights, dB."""
    values = params.sr.model_dump()
    for name in used:
        values |= changes[name]
    training = type(params.sr).model_validate(values)
    branched = fresh_network(NETWORK, params.seed)
    network: nn.Module = branched
    if BRANCHES not in used:
        network = plain = PlainSR()
        plain.load_state_dict(branched.fold().state_dict())
    config = SRConfig(
        title=title,
        name=NETWORK,
        network=network,
        training=training,
        loss=training,
        train_set=Path("data/sr/train.h5"),
        valid_set=Path("data/sr/valid.h5"),
        out=folder / f"{title}.safetensors",
        metrics=folder / f"{title}.json",
    )

    @contextmanager
    def watch(introduction: str) -> Iterator[Report]:
        with showing(title) as report:
            yield report

    row = train_sr(config, params, watch)
    assert row is not None
    return row["psnr"]


def main(
    steps: Annotated[int, typer.Option(help="Of each training.")] = 3000,
    batch: Annotated[int, typer.Option(help="Parts of crops in a step.")] = 16,
    teacher: Annotated[Path, typer.Option(help="Weights file of the teacher.")] = Path(
        "ppcn/weights/ppcn_sr.safetensors"
    ),
    seeds: Annotated[list[int], typer.Option(help="Of the trainings; can be repeated.")] = [14],  # noqa: B006
    without: Annotated[bool, typer.Option(help="Switch each trick off alone.")] = False,
    precision: Annotated[str, typer.Option(help="engine.precision.")] = "float32",
) -> None:
    """Train every row and print the table."""
    params = Params.load(Path("params.yaml"))
    size = {"network": NETWORK, "steps": steps, "batch": batch, "log_every": max(steps // 4, 1)}
    sr = type(params.sr).model_validate(params.sr.model_dump() | BASE | size)
    engine = params.engine.model_copy(update={"precision": precision})
    params = params.model_copy(update={"sr": sr, "engine": engine})
    changes = tricks(teacher)
    typer.echo(f"| {steps} steps of {batch} | PSNR, dB | spread | against the first |")
    typer.echo("|---|---:|---:|---:|")
    first = None
    with tempfile.TemporaryDirectory() as folder:
        for title, used in rows_of(changes, without).items():
            found = []
            for seed in seeds:
                seeded = params.model_copy(update={"seed": seed})
                found.append(train_row(used, changes, seeded, Path(folder), f"{title} {seed}"))
            mean = statistics.mean(found)
            spread = f"{statistics.stdev(found):.3f}" if len(found) > 1 else ""
            first = mean if first is None else first
            typer.echo(f"| {title} | {mean:.3f} | {spread} | {mean - first:+.3f} |")


if __name__ == "__main__":
    typer.run(main)
