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
from ppcn.weights import load_weights
from ppcn.weights.shipped import find_weights


def export(
    weights: Annotated[str, typer.Option(help="A weights file, or a name that ships.")],
    out: Annotated[Path, typer.Option(help="Model file to write.")],
    file_format: Annotated[FormatName, typer.Option("--format", help="Kind of model file.")],
    size: Annotated[
        str, typer.Option(help="WIDTHxHEIGHT, px, of litert, coreml and executorch.")
    ] = ("1280x720"),
    precision: Annotated[
        Literal["float32", "int8"], typer.Option(help="int8 is openvino's alone.")
    ] = "float32",
    calibrate: Calibrate = None,
) -> None:
    """Write a network for onnx, openvino, litert, coreml or executorch, and check it by running it.

    The model takes (1, 3, H, W) float32 RGB in [0, 1], and gives the like; clip what it gives.
    """
    suffix = FORMATS[file_format].suffix
    if out.suffix != suffix:
        raise UserError(f"{out}: a file of {file_format} must end in {suffix}")
    if precision == "int8" and file_format != "openvino":
        raise UserError("--precision int8 is for --format openvino; the others are float32")
    patches = calibration(precision == "int8", calibrate)
    path = find_weights(weights)
    network, facts = load_weights(path)
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}-") as folder:
        written = Path(folder) / out.name
        checked = write(network, facts, file_format, written, parse_size(size), patches)
        for file in Path(folder).iterdir():
            target = out.with_name(file.name)
            if target.is_dir():
                shutil.rmtree(target)
            file.replace(target)
    if checked.difference is None:
        typer.echo(f"{out}: written; it cannot be run on this machine, so try it on a device")
    else:
        typer.echo(
            f"{out}: differs from torch by {checked.difference:.1e} at most, "
            f"{checked.mean:.1e} in the mean"
        )
