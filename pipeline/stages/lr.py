"""Stage `lr`: sharp photos into training crops and held-out photos with their LR versions."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, load_params
from pipeline.cli.progress import Report, showing
from ppcn.dataset.splits import TEST, assign_splits
from ppcn.dataset.sr_set import save_crops, save_photos
from ppcn.errors import UserError
from ppcn.files.artifacts import sha256, write_json
from ppcn.params import Split, SuperResolution
from ppcn.photos.decode import Photo, list_photos, read_photo
from ppcn.photos.resize import crop_to_multiple, shrink, tile


def lr(
    hr_train: Annotated[
        Path | None, typer.Option(help="Folder of sharp photos; sr.hr_train by default.")
    ] = None,
    hr_valid: Annotated[
        Path | None, typer.Option(help="Folder of held-out photos; sr.hr_valid by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for train.h5 and valid.h5.")] = Path("data/sr"),
    metrics: Annotated[Path, typer.Option(help="Counts to write.")] = Path(
        "metrics/lr/photos.json"
    ),
    params_file: ParamsFile = None,
) -> None:
    """Cut HR crops, hold photos out, and make LR versions by bicubic reduction."""
    params = load_params(params_file)
    hr_train, hr_valid = hr_train or Path(params.sr.hr_train), hr_valid or Path(params.sr.hr_valid)
    train, valid = list_photos(hr_train), list_photos(hr_valid)
    if hr_train.resolve() == hr_valid.resolve():
        held_out = assign_splits(
            list(train), Split(validation=0, test=params.sr.test), params.seed, "sr.test"
        )
        train = {stem: path for stem, path in train.items() if held_out[stem] != TEST}
        valid = {stem: path for stem, path in valid.items() if held_out[stem] == TEST}
    else:
        _check_no_photo_is_shared(train, valid)
    if not valid:
        raise UserError("sr.test holds no photo out; raise it or name another sr.hr_valid")
    with showing("lr crops") as report:
        crops = save_crops(
            out / "train.h5", _crops(train, params.sr, report), list(train), params.sr.crop
        )
    with showing("lr photos") as report:
        photos = save_photos(out / "valid.h5", _photos(valid, params.sr, report))
    write_json(metrics, {"crops": crops, "train_photos": len(train), "held_out_photos": photos})
    typer.echo(f"lr: {crops} crops of {len(train)} photos, {photos} photos held out")


def _check_no_photo_is_shared(train: Mapping[str, Path], valid: Mapping[str, Path]) -> None:
    """A photo that is trained on must not be scored."""
    sizes = {path.stat().st_size for path in valid.values()}
    held_out = {sha256(path): path for path in valid.values()}
    for path in train.values():
        if path.stat().st_size in sizes and (twin := held_out.get(sha256(path))):
            raise UserError(f"{path}: is the held-out photo {twin} too; remove one of them")


def _read_sharp(path: Path, sr: SuperResolution) -> Photo:
    """A photo shrunk by sr.reduce and cut to a multiple of the scale."""
    photo = crop_to_multiple(read_photo(path), sr.reduce)
    return crop_to_multiple(shrink(photo, sr.reduce) if sr.reduce > 1 else photo)


def _crops(
    photos: Mapping[str, Path], sr: SuperResolution, report: Report
) -> Iterator[tuple[int, Photo, Photo]]:
    for index, path in enumerate(photos.values()):
        for crop in tile(_read_sharp(path, sr), sr.crop):
            yield index, crop, shrink(crop)
        report(index + 1, len(photos), {})


def _photos(
    photos: Mapping[str, Path], sr: SuperResolution, report: Report
) -> Iterator[tuple[str, Photo, Photo]]:
    for index, (stem, path) in enumerate(photos.items()):
        photo = _read_sharp(path, sr)
        yield stem, photo, shrink(photo)
        report(index + 1, len(photos), {})
