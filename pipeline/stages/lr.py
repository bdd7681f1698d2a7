"""Stage `lr`: training crops and held-out photos of super-resolution, with their LR versions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import ParamsFile, load_params
from pipeline.cli.progress import counted, showing
from ppcn.dataset.lr_maker import LRMaker
from ppcn.dataset.patch_set import open_patches
from ppcn.dataset.scenes import scenes_of_files
from ppcn.dataset.sr_pairs import (
    check_scale,
    held_out_pairs,
    held_out_rows,
    training_crops,
    training_rows,
)
from ppcn.dataset.sr_photos import (
    ChosenPhotos,
    Photos,
    SharpPhotos,
    check_sizes,
    hold_photos_out,
)
from ppcn.dataset.sr_set import name_lr, write_crops, write_photos, write_stems
from ppcn.errors import UserError
from ppcn.files.artifacts import create_two_hdf5, write_json
from ppcn.params import Params, SuperResolution

Facts = dict[str, Any]
TRAIN, VALID = "train.h5", "valid.h5"
Pairs = Annotated[
    Path | None,
    typer.Option(
        help="Patch set of real pairs, cut with patches.scale 2, 3 or 4, to train on and to hold "
        "out photos of: the same as naming it twice, for --hr-train and --hr-valid."
    ),
]


def lr(
    hr_train: Annotated[
        Path | None,
        typer.Option(
            help="Folder of sharp photos to train on, or a patch set of real pairs; sr.hr_train by "
            "default."
        ),
    ] = None,
    hr_valid: Annotated[
        Path | None,
        typer.Option(
            help="Folder of sharp photos to hold out, or a patch set whose test photos are held "
            "out; sr.hr_valid by default. Where it is the folder to train on, a share of its "
            "photos is held out, sr.test."
        ),
    ] = None,
    pairs: Pairs = None,
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
    (LR) versions of both are made by bicubic reduction, or as random cameras record them (sr.lr).
    Of real pairs LR is the phone's patch. Photos of the folders of sr.exclude, their crops and
    copies are not trained on.
    """
    params = load_params(params_file)
    if pairs and (hr_train or hr_valid):
        raise UserError("--pairs names both sets; leave --hr-train and --hr-valid out")
    if pairs and pairs.is_dir():
        raise UserError(f"--pairs {pairs}: is a folder; name a patch set")
    train = pairs or hr_train or Path(params.sr.hr_train)
    valid = pairs or hr_valid or Path(params.sr.hr_valid)
    make = _from_pairs if pairs or _are_patch_sets(train, valid) else _from_photos
    facts = make(train, valid, out, params)
    write_json(metrics, facts)
    crops, photos, held_out = (facts[n] for n in ("crops", "train_photos", "held_out_photos"))
    typer.echo(f"lr: {crops} crops of {photos} photos, {held_out} photos held out")


def _are_patch_sets(train: Path, valid: Path) -> bool:
    """Whether both paths are patch sets, there or not, and not folders of photos.

    Raises:
        UserError: one is and the other is not.
    """
    train_is, valid_is = (path.suffix == ".h5" or path.is_file() for path in (train, valid))
    if train_is != valid_is:
        one, other = (train, valid) if train_is else (valid, train)
        raise UserError(
            f"{one}: is a file, {other} a folder; name patch sets for both or folders for both "
            "(sr.hr_train, sr.hr_valid)"
        )
    return train_is


def _from_pairs(train: Path, valid: Path, out: Path, params: Params) -> Facts:
    """Both sets, or neither, of patch sets of real pairs."""
    if params.sr.exclude:
        raise UserError(
            f"sr.exclude: photos cannot be looked for in patches ({train}); leave it empty, and "
            "leave their pairs out before the patches are cut"
        )
    with open_patches(train) as patches, open_patches(valid) as others:
        for one in (patches, others):
            check_scale(one)
        if others.scale != patches.scale:
            raise UserError(f"{valid}: is of scale {others.scale}, {train} of {patches.scale}")
        scale, rows, held_out = patches.scale, training_rows(patches), held_out_rows(others)
        with create_two_hdf5(out / TRAIN, out / VALID) as (crops, photos), showing("lr") as report:
            maker = LRMaker(params.sr, params.seed)
            pairs = training_crops(patches, counted(rows, len(rows), report), maker)
            name_lr(crops, params.sr.lr)
            write_crops(crops, pairs, patches.stems, scale * patches.size, scale)
            for use, indices in held_out.items():
                write_photos(photos, held_out_pairs(others, indices), scale, use)
        shown = {use: len({*others.photo[indices]}) for use, indices in held_out.items()}
        return {
            "scale": scale,
            "lr": params.sr.lr,
            "crops": len(rows),
            "train_photos": len({*patches.photo[rows]}),
            "held_out_photos": sum(shown.values()),
            "held_out_patches": {use: len(indices) for use, indices in held_out.items()},
        }


def _from_photos(train: Path, valid: Path, out: Path, params: Params) -> Facts:
    """Both sets, or neither, of folders of sharp photos."""
    sr = params.sr
    chosen = check_sizes(hold_photos_out(train, valid, sr, params.seed, _find_scenes), sr)
    photos = SharpPhotos(chosen, LRMaker(sr, params.seed))
    _write(out, chosen, photos, sr)
    for path, reason in photos.left_out.items():
        typer.echo(f"left out {path}: {reason}")
    crops, held_out = sum(photos.crops.values()), len(photos.held_out)
    facts: Facts = {"crops": crops, "train_photos": len(photos.crops), "held_out_photos": held_out}
    if sr.lr == "camera":
        facts["lr"] = sr.lr
    if scenes := chosen.scenes:
        facts["train_scenes"] = len({scenes[stem] for stem in photos.crops})
        facts["held_out_scenes"] = len({scenes[stem] for stem in photos.held_out})
    details = {"crops_by_photo": photos.crops, "held_out": photos.held_out}
    return {**facts, **details, "left_out": photos.left_out}


def _find_scenes(photos: Photos) -> Mapping[str, str]:
    """The scene of each photo, by stem."""
    with showing("lr scenes") as report:
        return scenes_of_files(counted(photos.items(), len(photos), report))


def _write(out: Path, chosen: ChosenPhotos, photos: SharpPhotos, sr: SuperResolution) -> None:
    """Both sets, or neither; the held-out photos first, of which there are fewer."""
    with create_two_hdf5(out / TRAIN, out / VALID) as (train, valid):
        for file in (train, valid):
            name_lr(file, sr.lr)
        with showing("lr photos") as report:
            items = counted(chosen.held_out.items(), len(chosen.held_out), report)
            write_photos(valid, photos.with_lr(items))
        with showing("lr crops") as report:
            items = counted(chosen.train.items(), len(chosen.train), report)
            write_crops(train, photos.cut_crops(items), list(chosen.train), sr.crop)
        if list(photos.crops) != list(chosen.train):
            write_stems(train, list(photos.crops))
