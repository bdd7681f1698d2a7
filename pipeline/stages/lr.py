"""Stage `lr`: sharp photos into training crops and held-out photos with their LR versions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, load_params
from pipeline.cli.progress import counted, showing
from ppcn.dataset.scenes import scenes_of_files
from ppcn.dataset.sr_set import (
    Photos,
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
    train, valid, scenes = hold_photos_out(*folders, sr.test, params.seed, _find_scenes)
    with showing("lr crops") as report:
        paths = counted(train.values(), len(train), report)
        crops = save_crops(out / "train.h5", cut_crops(paths, sr), list(train), sr.crop)
    with showing("lr photos") as report:
        items = counted(valid.items(), len(valid), report)
        photos = save_photos(out / "valid.h5", read_with_lr(items, sr))
    counts = {"crops": crops, "train_photos": len(train), "held_out_photos": photos}
    if scenes:
        counts["train_scenes"] = len({scenes[stem] for stem in train})
        counts["held_out_scenes"] = len({scenes[stem] for stem in valid})
    write_json(metrics, counts)
    typer.echo(f"lr: {crops} crops of {len(train)} photos, {photos} photos held out")


def _find_scenes(photos: Photos) -> Mapping[str, str]:
    """The scene of each photo, by stem."""
    with showing("lr scenes") as report:
        return scenes_of_files(counted(photos.items(), len(photos), report))
