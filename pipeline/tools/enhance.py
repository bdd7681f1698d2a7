"""Command `enhance`: photos as a better camera would have taken them."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.photo_jobs import Out, PhotoOptions, process_photos, with_photo_options
from ppcn.weights.shipped import AUTO, SMALL, SR, shipped_names

NAMES = [name for name in shipped_names() if not name.endswith(SR)]


@with_photo_options
def enhance(
    options: PhotoOptions,
    out: Out = Path("enhanced"),
    weights: Annotated[
        str,
        typer.Option(
            help="Name of weights that come with this program "
            f"({', '.join(NAMES)}), or weights file of an enhancement network, for all photos. "
            f"'{AUTO}' takes for each photo the weights that were trained on its camera, as far as "
            f"EXIF tells, and else 'any'. Those ending in {SMALL} are smaller and faster."
        ),
    ] = AUTO,
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

    EXIF, XMP, IPTC, colours, HDR gain maps, bit depth and transparency are kept; what a result
    leaves out is named at the end.
    """
    process_photos(options, out, "enhance", weights, strength)
