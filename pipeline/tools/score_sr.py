"""Command `score-sr`: super-resolution weights against folders of sharp photos."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.progress import counted, showing
from ppcn.errors import UserError
from ppcn.evaluation.protocols import (
    BICUBIC,
    SMALLEST_SSIM,
    Bicubic,
    Enhance,
    SRProtocol,
    bicubic,
    run_upscaler,
)
from ppcn.evaluation.protocols import score_sr as score_methods
from ppcn.files.artifacts import provenance, write_json
from ppcn.networks import NETWORKS
from ppcn.photos.decode import Photo, list_photos, read_photo
from ppcn.photos.resize import SCALE, crop_to_multiple
from ppcn.weights import load_weights

# How test sets mark the two versions of a photo: img_001_SRF_4_HR.png, 0801x4.png.
HR_MARK = re.compile(r"[_-]HR$")
LR_MARK = re.compile(r"([_-]LR|x4)$")
SMALLEST = SMALLEST_SSIM + 2 * SCALE


def score_sr(
    weights: Annotated[str, typer.Option(help="Weights file, or 'bicubic'.")],
    hr_dir: Annotated[Path, typer.Option(help="Sharp photos.")],
    json: Annotated[Path, typer.Option(help="Scores to write.")],
    lr_dir: Annotated[
        Path | None, typer.Option(help="Their x1/4 versions; made by bicubic reduction if absent.")
    ] = None,
    protocol: Annotated[
        SRProtocol | None,
        typer.Option(help="sr_y_shave4 by default, sr_y_shave4_matlab with --lr-dir."),
    ] = None,
) -> None:
    """Score a x4 super-resolution network on Y (protocols sr_y_shave4, sr_y_shave4_matlab)."""
    photos = _find(hr_dir, lr_dir)
    protocol = protocol or ("sr_y_shave4_matlab" if lr_dir else "sr_y_shave4")
    method, facts = _method(weights, BICUBIC[protocol])
    with showing("score") as report:
        read = counted(_read(photos, BICUBIC[protocol]), len(photos), report)
        scores = score_methods({"method": method}, read, protocol)
    result = {**scores, **scores["method"], **facts, "lr": "given" if lr_dir else "made"}
    result.pop("method")
    write_json(json, result)
    typer.echo(
        f"{result['network']}: psnr {result['psnr']:.3f}, ssim {result['ssim']:.4f} "
        f"({protocol}, {result['images']} images)"
    )


def _method(weights: str, convention: Bicubic) -> tuple[Enhance, dict[str, object]]:
    if weights == "bicubic":
        return lambda lr: bicubic(lr, convention.enlarge), {
            "network": "bicubic",
            **provenance(None, {}),
        }
    path = Path(weights)
    network, facts = load_weights(path)
    name = facts["network"]
    if NETWORKS[name].input == "image" and NETWORKS[name].also is None:
        raise UserError(f"{path}: holds {name}, for enhancement; use score-enhancement")
    upscale = run_upscaler(name, network, convention.enlarge)
    return upscale, {"network": name, **provenance(None, {"weights": path})}


def _find(hr_dir: Path, lr_dir: Path | None) -> list[tuple[Path, Path | None]]:
    """HR photos, each with its LR version where a folder of these is given.

    Where some names end in HR, as in folders that hold both versions, only these are HR photos.
    """
    sharp = _by_name(list_photos(hr_dir), HR_MARK, LR_MARK)
    if lr_dir is None:
        return [(path, None) for path in sharp.values()]
    small = _by_name(list_photos(lr_dir), LR_MARK, HR_MARK)
    lonely = [path for name, path in sharp.items() if name not in small]
    if lonely:
        raise UserError(
            f"{lonely[0]}: {lr_dir} has no photo of that name "
            f"({len(lonely)} such photos); add it or leave --lr-dir out"
        )
    return [(path, small[name]) for name, path in sharp.items()]


def _by_name(
    photos: dict[str, Path], mark: re.Pattern[str], other: re.Pattern[str]
) -> dict[str, Path]:
    """Photos by their stem without the mark; where some have it, the rest must have the other.

    Raises:
        UserError: a photo has neither mark though others have, or two have one name.
    """
    marked: dict[str, Path] = {}
    for stem, path in photos.items():
        name = mark.sub("", stem)
        if name in marked:
            raise UserError(f"{path}: is {marked[name].name} by another name; remove one of them")
        if name != stem:
            marked[name] = path
    if not marked:
        return photos
    for stem, path in photos.items():
        if path not in marked.values() and not other.search(stem):
            raise UserError(f"{path}: marked neither HR nor LR, as other photos of its folder are")
    return marked


def _read(
    photos: list[tuple[Path, Path | None]], convention: Bicubic
) -> Iterator[tuple[Photo, Photo]]:
    for hr_path, lr_path in photos:
        hr = crop_to_multiple(read_photo(hr_path))
        if min(hr.shape[:2]) < SMALLEST:
            raise UserError(f"{hr_path}: is smaller than {SMALLEST} px; leave it out")
        lr = read_photo(lr_path) if lr_path else convention.shrink(hr)
        if (lr.shape[0] * SCALE, lr.shape[1] * SCALE) != hr.shape[:2]:
            raise UserError(
                f"{lr_path}: is not a quarter of the size of {hr_path}; check the scale"
            )
        yield hr, lr
