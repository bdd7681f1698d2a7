"""Stage `features`: VGG-19's weights for the perceptual losses."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, load_params
from pipeline.cli.progress import showing
from ppcn.downloads.fetching import FetchOptions
from ppcn.downloads.vgg19 import fetch_vgg
from ppcn.files.artifacts import write_json


def features(
    out: Annotated[Path, typer.Option(help="Weights file of VGG-19 to write.")] = Path(
        "data/features/vgg19.safetensors"
    ),
    metrics: Annotated[
        Path, typer.Option(help="Metrics file to write, with source and digest of the weights.")
    ] = Path("metrics/features/vgg19.json"),
    params_file: ParamsFile = None,
) -> None:
    """Fetch VGG-19's weights, which the perceptual losses need.

    They come from where features.source of params.yaml says, and their digest is checked.
    """
    params = load_params(params_file)
    typer.echo(f"features: VGG-19 from {params.features.source}")
    options = FetchOptions(Path("data"), None, showing, typer.echo)
    write_json(metrics, fetch_vgg(params.features, out, options))
