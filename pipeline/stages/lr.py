"""Stage `lr`: sharp photos into training crops and held-out photos with their LR versions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, load_params
from pipeline.cli.progress import counted, showing
from ppcn.dataset.scenes import scenes_of_files
from ppcn.dataset.sr_photos import (
    ChosenPhotos,
    Photos,
    SharpPhotos,
    check_sizes,
    hold_photos_out,
)
from ppcn.dataset.sr_set import write_crops, write_photos, write_stems
from ppcn.files.artifacts import create_two_hdf5, write_json
from ppcn.params import SuperResolution


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
    chosen = check_sizes(hold_photos_out(*folders, sr.test, params.seed, _find_scenes), sr)
    photos = SharpPhotos(chosen, sr)
    _write(out, chosen, photos, sr)
    for path, reason in photos.left_out.items():
        typer.echo(f"left out {path}: {reason}")
    crops, held_out = sum(photos.crops.values()), len(photos.held_out)
    facts = {"crops": crops, "train_photos": len(photos.crops), "held_out_photos": held_out}
    if scenes := chosen.scenes:
        facts["train_scenes"] = len({scenes[stem] for stem in photos.crops})
        facts["held_out_scenes"] = len({scenes[stem] for stem in photos.held_out})
    details = {"crops_by_photo": photos.crops, "held_out": photos.held_out}
    write_json(metrics, {**facts, **details, "left_out": photos.left_out})
    typer.echo(f"lr: {crops} crops of {len(photos.crops)} photos, {held_out} photos held out")


def _find_scenes(photos: Photos) -> Mapping[str, str]:
    """The scene of each photo, by stem."""
    with showing("lr scenes") as report:
        return scenes_of_files(counted(photos.items(), len(photos), report))


def _write(out: Path, chosen: ChosenPhotos, photos: SharpPhotos, sr: SuperResolution) -> None:
    """Both sets, or neither; the held-out photos first, which no training photo may show."""
    with create_two_hdf5(out / "train.h5", out / "valid.h5") as (train, valid):
        with showing("lr photos") as report:
            items = counted(chosen.held_out.items(), len(chosen.held_out), report)
            write_photos(valid, photos.with_lr(items))
        with showing("lr crops") as report:
            items = counted(chosen.train.items(), len(chosen.train), report)
            write_crops(train, photos.cut_crops(items), list(chosen.train), sr.crop)
        if list(photos.crops) != list(chosen.train):
            write_stems(train, list(photos.crops))
