"""Command `enhance`: photos as a better camera would have taken them."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.photo_jobs import Out, PhotoOptions, process_photos, with_photo_options
from ppcn.inference.predictor import ENHANCES


@with_photo_options
def enhance(
    options: PhotoOptions,
    out: Out = Path("enhanced"),
    weights: Annotated[
        str,
        typer.Option(
            help="Weights file of an enhancement network, or the name of weights that come with "
            "this program: any, or any-student, which is faster."
        ),
    ] = ENHANCES,
    strength: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="How far to go from the photo, 0, to what the network makes of it, 1.",
        ),
    ] = 1.0,
) -> None:
    """Enhance photos of any size.

    EXIF, XMP, colour profile, bit depth and transparency are kept.
    """
    process_photos(options, out, "enhance", weights, strength)
