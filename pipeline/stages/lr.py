"""Stage `lr`: sharp photos into training crops and held-out photos with their LR versions."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, load_params
from pipeline.cli.progress import counted, showing
from ppcn.dataset.sr_set import (
    cut_crops,
    hold_photos_out,
    read_with_lr,
    save_crops,
    save_photos,
)
from ppcn.files.artifacts import write_json


def lr(
    hr_train: Annotated[
        Path | None,
        typer.Option(help="Folder of sharp photos to train on; sr.hr_train by default."),
    ] = None,
    hr_valid: Annotated[
        Path | None,
        typer.Option(
            help="Folder of sharp photos to hold out; sr.hr_valid by default. Where it is the "
            "folder to train on, a share of its photos is held out, sr.test."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder to write the files train.h5 and valid.h5 to.")
    ] = Path("data/sr"),
    metrics: Annotated[
        Path, typer.Option(help="Metrics file to write, with the number of crops and photos.")
    ] = Path("metrics/lr/photos.json"),
    params_file: ParamsFile = None,
) -> None:
    """Make training crops and low-resolution photos for super-resolution.

    Sharp photos are cut into crops to train on, some photos are held out, and the low-resolution
    (LR) versions of both are made by bicubic reduction.
    """
    params = load_params(params_file)
    sr = params.sr
    folders = (hr_train or Path(sr.hr_train), hr_valid or Path(sr.hr_valid))
    train, valid = hold_photos_out(*folders, sr.test, params.seed)
    with showing("lr crops") as report:
        paths = counted(train.values(), len(train), report)
        crops = save_crops(out / "train.h5", cut_crops(paths, sr), list(train), sr.crop)
    with showing("lr photos") as report:
        items = counted(valid.items(), len(valid), report)
        photos = save_photos(out / "valid.h5", read_with_lr(items, sr))
    write_json(metrics, {"crops": crops, "train_photos": len(train), "held_out_photos": photos})
    typer.echo(f"lr: {crops} crops of {len(train)} photos, {photos} photos held out")
