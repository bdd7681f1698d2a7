"""Command-line options and checks that several commands share."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from ppcn.errors import UserError, nearest
from ppcn.params import Params

ParamsFile = Annotated[
    Path | None,
    typer.Option("--params", help="Parameter file to read; by default params.yaml of this folder."),
]
Phone = Annotated[
    str, typer.Option(help="Name of the phone, which names its folder of photos and its results.")
]
Root = Annotated[
    Path | None,
    typer.Option(
        help="Folder that holds a folder of photos for each camera; data.root by default."
    ),
]
PatchesFile = Annotated[
    Path | None,
    typer.Option(help="Patch set to read; by default PHONE.h5 in the folder data.patches."),
]
AlsoPatches = Annotated[
    list[Path] | None,
    typer.Option(
        "--also",
        help="One more patch set to train on, each as often as another; can be repeated. "
        "color_augmentation leaves its pairs as they are.",
    ),
]
AlignedFile = Annotated[
    Path | None,
    typer.Option(
        "--aligned",
        help="Alignments that the patches were cut by, which name the photos; "
        "data/aligned/PHONE.h5 by default.",
    ),
]
Reference = Annotated[
    str | None, typer.Option(help="Folder name of the better camera; data.reference by default.")
]


def load_params(path: Path | None) -> Params:
    """Read the parameter file that was named, or this folder's, or the one that was installed.

    Raises:
        UserError: the file is refused.
    """
    if path and not path.is_file():
        raise UserError(f"{path}: no such parameter file; name one with --params")
    if path is None:
        path = Path("params.yaml")
        if not path.exists():
            # Inside the installed package, or at the top of the checkout it was installed from.
            package = Path(__file__).parents[1]
            places = (package / "params.yaml", package.parent / "params.yaml")
            path = next((place for place in places if place.exists()), path)
            typer.echo(f"no params.yaml here; using {path}")
    return Params.load(path)


def usual_patches(params: Params, phone: str) -> Path:
    """The patch set that stages read for a phone."""
    return Path(params.data.patches) / f"{phone}.h5"


def check_phone(params: Params, phone: str, root: Path | None) -> None:
    """Refuse a phone of whose photos params.yaml knows nothing, unless their folder was named.

    Raises:
        UserError: naming the nearest known phone, or the key that should name the photos' folder.
    """
    if root is None:
        params.check_photos_of(phone)
    if phone not in params.phones and root is None:
        near = nearest(phone, params.phones)
        raise UserError(
            f"unknown phone '{phone}'; the nearest of params.yaml is '{near}' "
            f"(add it under phones:, or name its photos' folder with --root)"
        )


def check_outputs(out: Path, metrics: Path) -> None:
    """Refuse places that cannot be written, before the work and not after it.

    Raises:
        UserError: `out` is a folder, or `metrics` is no .json beside which a .csv can lie.
    """
    if out.is_dir():
        raise UserError(f"{out}: is a folder; name a file")
    if metrics.suffix != ".json":
        raise UserError(f"{metrics}: must end in .json; a .csv of that name is written beside it")
    for folder in (out.parent, metrics.parent):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder}: cannot be made: {error.strerror}") from None
        if not os.access(folder, os.W_OK):
            raise UserError(f"{folder}: cannot be written to")


def parse_size(size: str) -> tuple[int, int]:
    """Height and width of WIDTHxHEIGHT, px.

    Raises:
        UserError: it is none, or too small to be a photo's.
    """
    match = re.fullmatch(r"(\d+)x(\d+)", size)
    width, height = (int(group) for group in match.groups()) if match else (0, 0)
    if min(width, height) < 16:
        raise UserError(f"--size {size}: give WIDTHxHEIGHT in px, 16x16 or more, such as 1280x720")
    return height, width
