"""Command `export`: weights as a model file of another runtime."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import typer

from pipeline.cli.options import parse_size
from pipeline.cli.runtimes import Calibrate, calibration
from ppcn.errors import UserError
from ppcn.export import FORMATS, FormatName
from ppcn.export import export as write
from ppcn.inference.example_inputs import enlarged_examples
from ppcn.networks import NETWORKS
from ppcn.weights import load_weights, scale_of
from ppcn.weights.shipped import find_weights

FIXED_SIZE = [name for name, row in FORMATS.items() if row.fixed_size]


def export(
    weights: Annotated[
        str, typer.Option(help="Weights file, or the name of weights that come with this program.")
    ],
    out: Annotated[
        Path, typer.Option(help="Model file to write; its suffix must be that of the format.")
    ],
    file_format: Annotated[FormatName, typer.Option("--format", help="Format of the model file.")],
    size: Annotated[
        str,
        typer.Option(
            help="Width and height in pixels of the photos that the model will take, such as "
            f"1280x720. It counts for {', '.join(FIXED_SIZE)}; models of the other formats take "
            "photos of any size."
        ),
    ] = "1280x720",
    precision: Annotated[
        Literal["float32", "int8"],
        typer.Option(help="Precision of the model's convolutions; int8 is for openvino alone."),
    ] = "float32",
    calibrate: Calibrate = None,
) -> None:
    """Write a network as a model file of another runtime.

    The model takes photos (1, 3, H, W) float32 RGB in [0, 1] and gives the same; values that it
    gives may lie a little outside and have to be clipped.
    """
    suffix = FORMATS[file_format].suffix
    if out.suffix != suffix:
        raise UserError(f"{out}: a file of {file_format} must end in {suffix}")
    if precision == "int8" and not FORMATS[file_format].takes_int8:
        able = " or ".join(name for name, row in FORMATS.items() if row.takes_int8)
        raise UserError(f"--precision int8 is for --format {able}; the others are float32")
    patches = calibration(precision == "int8", calibrate)
    network, facts = load_weights(find_weights(weights))
    if patches is not None and NETWORKS[facts["network"]].input == "lr_bicubic":
        patches = enlarged_examples(patches, scale_of(facts))
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}-") as folder:
        written = Path(folder) / out.name
        check = write(network, facts, file_format, written, parse_size(size), patches)
        _move_files(Path(folder), out.parent)
    if check.difference is None:
        typer.echo(f"{out}: written; it cannot be run on this machine, so try it on a device")
    else:
        typer.echo(
            f"{out}: differs from torch by {check.difference:.1e} at most, "
            f"{check.mean:.1e} in the mean"
        )


def _move_files(folder: Path, to: Path) -> None:
    """Move all files of a folder; a model may be several, or a folder itself."""
    for file in folder.iterdir():
        target = to / file.name
        if target.is_dir():
            shutil.rmtree(target)
        file.replace(target)
