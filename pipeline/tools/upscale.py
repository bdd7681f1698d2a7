"""Command `upscale`: photos of four times the height and width."""

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
from ppcn.inference.predictor import UPSCALES, Predictor
from ppcn.inference.runtimes import make_runtime
from ppcn.photos.formats import EncodeOptions


def upscale(
    photos: Photos,
    out: Out = Path("upscaled"),
    weights: Annotated[str, typer.Option(help="A weights file, or a name: ppcn_sr.")] = UPSCALES,
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
    """Enlarge photos x4; EXIF, XMP, colour profile, depth and transparency are kept."""
    jobs = find_jobs(photos, out, file_format)
    predictor = Predictor(
        weights,
        "upscale",
        megabytes(memory),
        make_runtime(runtime, precision),
        calibration(precision == "int8", calibrate),
    )
    run_jobs(jobs, predictor, Wanted(EncodeOptions(quality, subsampling), compare, overwrite))
