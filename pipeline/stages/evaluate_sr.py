"""Stage `evaluate-sr`: the super-resolution network against bicubic on held-out photos."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, load_params
from pipeline.cli.progress import counted, showing
from ppcn.dataset.sr_set import count_photos, read_photos
from ppcn.evaluation.comparison import compare_sr
from ppcn.evaluation.protocols import bicubic, run_upscaler, score_sr
from ppcn.files.artifacts import provenance, write_json
from ppcn.networks.ppcn_sr import PPCNSR
from ppcn.photos.decode import write_photo
from ppcn.weights import load_network
from ppcn.weights.shipped import find_weights


def evaluate_sr(
    weights: Annotated[
        str,
        typer.Option(
            help="Weights file to score, or the name of weights that come with this program."
        ),
    ] = "data/models/sr/ppcn_sr.safetensors",
    valid_set: Annotated[
        Path, typer.Option("--valid", help="Set of held-out photos to score on.")
    ] = Path("data/sr/valid.h5"),
    metrics: Annotated[Path, typer.Option(help="Metrics file to write.")] = Path(
        "metrics/evaluate/sr.json"
    ),
    pictures: Annotated[
        Path, typer.Option(help="Folder for pictures of bicubic, network and original.")
    ] = Path("data/pictures/sr"),
    params_file: ParamsFile = None,
) -> None:
    """Score the super-resolution network beside bicubic.

    Held-out photos are scored on Y (protocol sr_y_shave4).
    """
    params = load_params(params_file)
    path = find_weights(weights)
    network, _ = load_network(path, PPCNSR)
    upscale = run_upscaler("ppcn_sr", network)
    with showing("evaluate-sr") as report:
        photos = ((hr, lr) for _, hr, lr in read_photos(valid_set))
        scores = score_sr(
            {"bicubic": bicubic, "ppcn_sr": upscale},
            counted(photos, count_photos(valid_set), report),
        )
    gain = scores["ppcn_sr"]["psnr"] - scores["bicubic"]["psnr"]
    recorded = provenance(params.seed, {"weights": path, "valid": valid_set})
    write_json(metrics, {**scores, "gain_db": gain, **recorded})
    for stem, hr, lr in read_photos(valid_set):
        write_photo(pictures / f"{stem}.png", compare_sr(hr, lr, upscale))
    typer.echo(f"sr: {gain:+.2f} dB against bicubic on {scores['images']} photos")
