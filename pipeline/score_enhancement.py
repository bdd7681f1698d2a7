"""Command `score-enhancement`: weights against folders of phone and camera patches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from pipeline.progress import counted, showing
from ppcn.artifacts import provenance, write_json
from ppcn.errors import UserError
from ppcn.images import Photo, list_photos, read_photo
from ppcn.networks import NETWORKS
from ppcn.scoring import (
    SMALLEST_SSIM,
    Enhance,
    EnhancementProtocol,
    do_nothing,
    run_network,
)
from ppcn.scoring import (
    score_enhancement as score,
)
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
    pairs = _pairs(phone_dir, dslr_dir)
    method, facts = _method(weights)
    with showing("score") as report:
        scores = score({"method": method}, counted(_read(pairs), len(pairs), report), protocol)
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
    network, facts = load_weights(path, "ppcn-pipeline student")
    if NETWORKS[facts["network"]].reads != "photo":
        raise UserError(f"{path}: holds {facts['network']}, for super-resolution; use score-sr")
    return run_network(network), {
        "network": facts["network"],
        **provenance(None, {"weights": path}),
    }


def _pairs(phone_dir: Path, dslr_dir: Path) -> list[tuple[Path, Path]]:
    """Photos of the same name; every photo must have its twin."""
    phone, dslr = list_photos(phone_dir), list_photos(dslr_dir)
    for ours, theirs, folder in ((phone, dslr, dslr_dir), (dslr, phone, phone_dir)):
        lonely = [path for stem, path in ours.items() if stem not in theirs]
        if lonely:
            raise UserError(
                f"{lonely[0]}: {folder} has no photo of that name "
                f"({len(lonely)} such photos); add it or remove this one"
            )
    return [(phone[stem], dslr[stem]) for stem in phone]


def _read(pairs: list[tuple[Path, Path]]) -> Iterator[tuple[Photo, Photo]]:
    for first, second in pairs:
        phone, dslr = read_photo(first), read_photo(second)
        if phone.shape != dslr.shape:
            raise UserError(f"{second}: is not of the size of {first}; cut both alike")
        if min(phone.shape[:2]) < SMALLEST_SSIM:
            raise UserError(f"{first}: is smaller than {SMALLEST_SSIM} px; leave it out")
        yield phone, dslr
