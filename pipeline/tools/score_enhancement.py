"""Command `score-enhancement`: weights against folders of phone and camera patches."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.patch_folders import find_pairs, read_pairs
from pipeline.cli.progress import counted, showing
from ppcn.errors import UserError
from ppcn.evaluation.protocols import (
    Enhance,
    EnhancementProtocol,
    do_nothing,
    run_network,
)
from ppcn.evaluation.protocols import (
    score_enhancement as score,
)
from ppcn.files.artifacts import provenance, write_json
from ppcn.networks import NETWORKS
from ppcn.weights import load_weights

DO_NOTHING = "do-nothing"


def score_enhancement(
    weights: Annotated[str, typer.Option(help="Weights file, or 'do-nothing'.")],
    phone_dir: Annotated[Path, typer.Option(help="The phone's patches or photos.")],
    dslr_dir: Annotated[Path, typer.Option(help="The camera's, under the same file names.")],
    json: Annotated[Path, typer.Option(help="Scores to write.")],
    protocol: Annotated[EnhancementProtocol, typer.Option(help="What is measured.")] = "pirm2018",
) -> None:
    """Score an enhancement network on pairs of patches (protocol pirm2018)."""
    pairs = find_pairs(phone_dir, dslr_dir)
    method, facts = _method(weights)
    with showing("score") as report:
        scores = score({"method": method}, counted(read_pairs(pairs), len(pairs), report), protocol)
    result = {**scores, **scores["method"], **facts}
    result.pop("method")
    write_json(json, result)
    shown = ", ".join(f"{n} {result[n]:.4f}" for n in ("psnr", "ssim", "ms_ssim") if n in result)
    identical = f", {result['identical']} identical" if result["identical"] else ""
    typer.echo(f"{result['network']}: {shown} ({protocol}, {result['images']} images{identical})")


def _method(weights: str) -> tuple[Enhance, dict[str, object]]:
    if weights == DO_NOTHING:
        return do_nothing, {"network": DO_NOTHING, **provenance(None, {})}
    path = Path(weights)
    network, facts = load_weights(path)
    if NETWORKS[facts["network"]].input != "image":
        raise UserError(f"{path}: holds {facts['network']}, for super-resolution; use score-sr")
    return run_network(network), {
        "network": facts["network"],
        **provenance(None, {"weights": path}),
    }
