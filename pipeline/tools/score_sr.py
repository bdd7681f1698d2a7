"""Command `score-sr`: super-resolution weights against folders of sharp photos."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from torch import nn

from pipeline.cli.json_output import with_json
from pipeline.cli.runtimes import Calibrate, PrecisionOption, RuntimeOption, calibration
from pipeline.cli.scoring import Method, baseline, from_weights, score_method
from ppcn.evaluation.photo_folders import find_sr_pairs, read_sr_pairs
from ppcn.evaluation.protocols import (
    BICUBIC,
    Bicubic,
    Enhance,
    SRProtocol,
    do_nothing,
    run_upscaler,
)
from ppcn.evaluation.protocols import score_sr as score_methods
from ppcn.files.artifacts import provenance
from ppcn.inference.example_inputs import enlarged_examples
from ppcn.inference.overlapped import overlapped
from ppcn.inference.runtimes import Runtime, make_runtime
from ppcn.inference.tiled import Tiled, run_tiled
from ppcn.networks import NETWORKS
from ppcn.photos.decode import Photo
from ppcn.photos.resize import SCALE
from ppcn.weights import read_facts, scale_of
from ppcn.weights.shipped import find_weights
from ppcn.weights.spandrel_models import is_foreign_model, load_foreign_model


@with_json
def score_sr(
    weights: Annotated[
        str,
        typer.Option(
            help="Weights file of a super-resolution network, the name of weights that come with "
            "this program, or 'bicubic' to score bicubic enlargement. Also a network of another "
            "program, as 'upscale' takes it."
        ),
    ],
    hr_dir: Annotated[Path, typer.Option("--hr-dir", help="Folder of sharp photos.")],
    lr_dir: Annotated[
        Path | None,
        typer.Option(
            "--lr-dir",
            help="Folder of the same photos at a quarter of the height and width, or at what the "
            "weights enlarge from; made by bicubic reduction by default.",
        ),
    ] = None,
    protocol: Annotated[
        SRProtocol | None,
        typer.Option(
            help="How small photos are made and enlarged bicubically: as Pillow does (sr_y_shave4, "
            "the default) or as MATLAB does (sr_y_shave4_matlab, the default with --lr-dir)."
        ),
    ] = None,
    runtime: RuntimeOption = "torch",
    precision: PrecisionOption = "float32",
    calibrate: Calibrate = None,
) -> dict[str, Any]:
    """Score a super-resolution network on folders of photos.

    PSNR and SSIM are taken on Y, with 4 px shaved off each side, or as many as weights of another
    scale enlarge.
    """
    pairs = find_sr_pairs(hr_dir, lr_dir)
    protocol = protocol or ("sr_y_shave4_matlab" if lr_dir else "sr_y_shave4")
    convention = BICUBIC[protocol]
    made = make_runtime(runtime, precision)
    photos = calibration(precision == "int8", calibrate)
    method, scale = _method(weights, convention, made, photos)
    score = partial(score_methods, protocol=protocol, scale=scale)
    result = score_method(method, score, read_sr_pairs(pairs, convention, scale), len(pairs))
    result["lr"] = "given" if lr_dir else "made"
    if (runtime, precision) != ("torch", "float32"):
        result |= {"runtime": runtime, "precision": precision}
    typer.echo(
        f"{result['network']}: psnr {result['psnr']:.3f}, ssim {result['ssim']:.4f} "
        f"({result['protocol']}, {result['images']} images)"
    )
    return result


def _method(
    weights: str, convention: Bicubic, runtime: Runtime, photos: NDArray[np.uint8] | None
) -> tuple[Method, int]:
    """What is scored, and its scale."""
    if weights == "bicubic":
        return baseline("bicubic", lambda lr: do_nothing(convention.enlarge(lr, SCALE))), SCALE
    path = find_weights(weights, ["bicubic"])
    if is_foreign_model(path):
        tiles = overlapped(path, load_foreign_model(path), None, runtime)
        facts = {"network": tiles.name, **provenance(None, {"weights": path})}
        return Method(run_tiled(tiles), facts), tiles.scale
    scale = scale_of(read_facts(path))

    def enlarge(photo: Photo) -> Photo:
        return convention.enlarge(photo, scale)

    def as_method(name: str, network: nn.Module) -> Enhance:
        if (runtime.name, runtime.precision) == ("torch", "float32"):
            return run_upscaler(name, network, enlarge)
        is_enlarged = NETWORKS[name].input != "lr"
        examples = photos
        if photos is not None and is_enlarged:
            examples = enlarged_examples(photos, scale)
        run = run_tiled(Tiled(network, None, runtime, examples))
        return (lambda lr: run(enlarge(lr))) if is_enlarged else run

    return from_weights(weights, "super-resolution", "bicubic", as_method), scale
