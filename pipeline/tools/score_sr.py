"""Command `score-sr`: super-resolution weights against folders of sharp photos."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.json_output import with_json
from pipeline.cli.scoring import Method, baseline, from_weights, score_method
from ppcn.evaluation.photo_folders import find_sr_pairs, read_sr_pairs
from ppcn.evaluation.protocols import (
    BICUBIC,
    Bicubic,
    SRProtocol,
    bicubic,
    run_upscaler,
)
from ppcn.evaluation.protocols import score_sr as score_methods
from ppcn.photos.decode import Photo
from ppcn.photos.resize import SCALE
from ppcn.weights import read_facts, scale_of
from ppcn.weights.shipped import find_weights


@with_json
def score_sr(
    weights: Annotated[
        str,
        typer.Option(
            help="Weights file of a super-resolution network, the name of weights that come with "
            "this program, or 'bicubic' to score bicubic enlargement."
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
) -> dict[str, Any]:
    """Score a super-resolution network on folders of photos.

    PSNR and SSIM are taken on Y, with 4 px shaved off each side, or as many as weights of another
    scale enlarge.
    """
    pairs = find_sr_pairs(hr_dir, lr_dir)
    protocol = protocol or ("sr_y_shave4_matlab" if lr_dir else "sr_y_shave4")
    convention = BICUBIC[protocol]
    is_bicubic = weights == "bicubic"
    scale = SCALE if is_bicubic else scale_of(read_facts(find_weights(weights, ["bicubic"])))
    method = _method(weights, convention, scale)
    score = partial(score_methods, protocol=protocol, scale=scale)
    result = score_method(method, score, read_sr_pairs(pairs, convention, scale), len(pairs))
    result["lr"] = "given" if lr_dir else "made"
    typer.echo(
        f"{result['network']}: psnr {result['psnr']:.3f}, ssim {result['ssim']:.4f} "
        f"({result['protocol']}, {result['images']} images)"
    )
    return result


def _method(weights: str, convention: Bicubic, scale: int) -> Method:
    def enlarge(photo: Photo) -> Photo:
        return convention.enlarge(photo, scale)

    if weights == "bicubic":
        return baseline("bicubic", partial(bicubic, enlarge=enlarge))
    as_method = partial(run_upscaler, enlarge=enlarge)
    return from_weights(weights, "super-resolution", "bicubic", as_method)
