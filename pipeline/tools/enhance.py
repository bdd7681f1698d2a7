"""Command `enhance`: photos as a better camera would have taken them."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.photo_jobs import (
    Compare,
    FileFormat,
    Memory,
    Out,
    Overwrite,
    Photos,
    Quality,
    Subsample,
    Wanted,
    find_jobs,
    megabytes,
    run_jobs,
)
from pipeline.cli.runtimes import Calibrate, PrecisionOption, RuntimeOption, calibration
from ppcn.inference.predictor import ENHANCES, Predictor
from ppcn.inference.runtimes import make_runtime
from ppcn.photos.formats import EncodeOptions


def enhance(
    photos: Photos,
    out: Out = Path("enhanced"),
    weights: Annotated[
        str, typer.Option(help="A weights file, or a name: ppcn_teacher, ppcn_student (faster).")
    ] = ENHANCES,
    strength: Annotated[
        float, typer.Option(min=0, max=1, help="0 keeps the photo, 1 is the network's.")
    ] = 1.0,
    file_format: FileFormat = "same",
    quality: Quality = 95,
    subsampling: Subsample = "auto",
    compare: Compare = False,
    overwrite: Overwrite = False,
    memory: Memory = None,
    runtime: RuntimeOption = "torch",
    precision: PrecisionOption = "float32",
    calibrate: Calibrate = None,
) -> None:
    """Enhance photos of any size; EXIF, XMP, colour profile, depth and transparency are kept."""
    jobs = find_jobs(photos, out, file_format)
    predictor = Predictor(
        weights,
        "enhance",
        megabytes(memory),
        make_runtime(runtime, precision),
        calibration(precision == "int8", calibrate),
    )
    options = EncodeOptions(quality, subsampling)
    run_jobs(jobs, predictor, Wanted(options, compare, overwrite, strength))
