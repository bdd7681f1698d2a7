"""What all stages that train share: options, and progress on the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from pipeline.cli.options import check_outputs
from pipeline.cli.progress import Report, showing
from ppcn.params import Params
from ppcn.training.base_run import RunConfig, Watch
from ppcn.training.train_state import Row

Config = TypeVar("Config", bound=RunConfig)

Features = Annotated[
    Path, typer.Option(help="VGG-19 weights, which some terms of the losses compare images by.")
]
FEATURES = Path("data/features/vgg19.safetensors")
TrainSet = Annotated[Path, typer.Option("--train", help="Set of crops to train on.")]
ValidSet = Annotated[Path, typer.Option("--valid", help="Set of held-out photos to validate on.")]
TRAIN_SET = Path("data/sr/train.h5")
VALID_SET = Path("data/sr/valid.h5")


def run_training(
    train: Callable[[Config, Params, Watch], Row | None], config: Config, params: Params
) -> None:
    """Train with progress on the terminal, and say how good the result is."""
    check_outputs(config.out, config.metrics)

    @contextmanager
    def watch(introduction: str) -> Iterator[Report]:
        with showing(config.title) as report:
            typer.echo(introduction)
            yield report

    row = train(config, params, watch)
    if row:
        psnr, step = row["psnr"], row["step"]
        natural = f", NIQE {row['niqe']:.2f}" if "niqe" in row else ""
        typer.echo(f"{config.title}: validation PSNR {psnr:.2f} dB{natural} at step {step}")
