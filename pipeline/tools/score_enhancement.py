"""Command `score-enhancement`: weights against folders of phone and reference patches."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.json_output import with_json
from pipeline.cli.scoring import baseline, from_weights, score_method
from ppcn.evaluation import protocols
from ppcn.evaluation.photo_folders import find_pairs, read_pairs

DO_NOTHING = "do-nothing"


@with_json
def score_enhancement(
    weights: Annotated[
        str,
        typer.Option(
            help="Weights file of an enhancement network, the name of weights that come with this "
            "program, or 'do-nothing' to score the phone's photos as they are."
        ),
    ],
    phone_dir: Annotated[
        Path, typer.Option("--phone-dir", help="Folder of the phone's patches or photos.")
    ],
    reference_dir: Annotated[
        Path,
        typer.Option(
            "--dslr-dir",
            help="Folder of the better camera's patches or photos, under the same file names.",
        ),
    ],
    protocol: Annotated[
        protocols.EnhancementProtocol,
        typer.Option(
            help="How scores are taken: 'pirm2018' gives PSNR, SSIM and MS-SSIM, 'dped_test' gives "
            "PSNR, SSIM and NIQE of the output rounded to 8 bits."
        ),
    ] = "pirm2018",
) -> dict[str, Any]:
    """Score an enhancement network on folders of patches.

    Each patch of the phone is enhanced and compared with the better camera's patch of that name.
    """
    pairs = find_pairs(phone_dir, reference_dir)
    if weights == DO_NOTHING:
        method = baseline(DO_NOTHING, protocols.do_nothing)
    else:
        method = from_weights(
            weights, "enhancement", DO_NOTHING, lambda name, network: protocols.run_network(network)
        )
    score = partial(protocols.score_enhancement, protocol=protocol)
    result = score_method(method, score, read_pairs(pairs), len(pairs))
    means = ", ".join(f"{n} {result[n]:.4f}" for n in ("psnr", "ssim", "ms_ssim") if n in result)
    identical = f", {result['identical']} identical" if result["identical"] else ""
    typer.echo(f"{result['network']}: {means} ({protocol}, {result['images']} images{identical})")
    return result
