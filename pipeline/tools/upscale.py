"""Command `upscale`: larger photos, of four times the height and width."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.photo_jobs import Out, PhotoOptions, process_photos, with_photo_options
from ppcn.inference.predictor import UPSCALES
from ppcn.weights.shipped import SR, shipped_names

NAMES = [name for name in shipped_names() if name.endswith(SR)]


@with_photo_options
def upscale(
    options: PhotoOptions,
    out: Out = Path("upscaled"),
    weights: Annotated[
        str,
        typer.Option(
            help="Name of weights that come with this program "
            f"({', '.join(NAMES)}), or weights file of a super-resolution network. Also a .pth or "
            ".safetensors of another program's network, of an architecture that spandrel knows; "
            "spandrel is an extra."
        ),
    ] = UPSCALES,
) -> None:
    """Enlarge photos to four times their height and width.

    Weights that were trained for another scale enlarge by that. Networks of other programs are
    computed by torch, in tiles that overlap.

    EXIF, XMP, IPTC, colours, HDR gain maps, bit depth and transparency are kept; what a result
    leaves out is named at the end.
    """
    process_photos(options, out, "upscale", weights)
