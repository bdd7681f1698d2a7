"""Stage `evaluate-sr`: super-resolution networks against bicubic on held-out photos."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from torch import nn

from pipeline.cli.options import ParamsFile, load_params
from pipeline.cli.progress import counted, showing
from ppcn.dataset.sr_set import HeldOutPhotos, open_held_out
from ppcn.errors import UserError
from ppcn.evaluation.comparison import compare_sr
from ppcn.evaluation.protocols import Enhance, bicubic, run_upscaler, score_sr
from ppcn.files.artifacts import provenance, write_json
from ppcn.networks import NETWORKS
from ppcn.photos.decode import write_photo
from ppcn.photos.resize import enlarge
from ppcn.weights import load_weights, scale_of
from ppcn.weights.shipped import find_weights

Weights = Annotated[
    str | None,
    typer.Option(
        help="Weights file to score, or the name of weights that come with this program; "
        "data/models/sr/NETWORK.safetensors by default, for sr.network."
    ),
]
BICUBIC = "bicubic"
Also = Annotated[
    list[str] | None,
    typer.Option(
        help="Further weights to score beside these, such as of a network trained on bicubic LR; a "
        "row each, named as the file. Can be repeated."
    ),
]
# Of so many photos at most are there pictures; patches are held out by the thousand.
MOST_PICTURES = 12


def evaluate_sr(
    weights: Weights = None,
    also: Also = None,
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

    Held-out photos are scored on Y (protocol sr_y_shave4), or, of a patch set of real pairs, the
    patches of its test photos.
    """
    params = load_params(params_file)
    own = str(params.sr.network)
    files = {own: find_weights(weights or f"data/models/sr/{own}.safetensors")}
    for name in also or ():
        path = find_weights(name)
        if path.stem in {BICUBIC, *files}:
            raise UserError(f"--also {name}: another row is called {path.stem}; rename the file")
        files[path.stem] = path
    networks = {name: _network(path) for name, path in files.items()}
    with open_held_out(valid_set) as held_out:
        methods = _methods(networks, held_out)
        names = held_out.names("test")
        with showing("evaluate-sr") as report:
            pairs = counted(held_out.read(names), len(names), report)
            scores = score_sr(methods, pairs, scale=held_out.scale)
        gain = scores[own]["psnr"] - scores[BICUBIC]["psnr"]
        recorded = provenance(params.seed, {**files, "valid": valid_set})
        write_json(metrics, {**scores, **held_out.lr, "gain_db": gain, **recorded})
        for name, picture in _pictures(held_out, names, methods):
            write_photo(pictures / f"{name}.png", picture)
    for name in files:
        gain = scores[name]["psnr"] - scores[BICUBIC]["psnr"]
        typer.echo(f"{name}: {gain:+.2f} dB against bicubic on {scores['images']} photos")


class _Network(NamedTuple):
    """A super-resolution network: its file, its name in `NETWORKS`, what it is, its scale."""

    path: Path
    name: str
    module: nn.Module
    scale: int


def _network(path: Path) -> _Network:
    """The network of a weights file.

    Raises:
        UserError: it does not enlarge.
    """
    module, facts = load_weights(path)
    architecture = NETWORKS[facts["network"]]
    if architecture.input == "image" and not architecture.also:
        raise UserError(f"{path}: holds {facts['network']}, which does not enlarge photos")
    return _Network(path, facts["network"], module, scale_of(facts))


def _methods(networks: Mapping[str, _Network], held_out: HeldOutPhotos) -> dict[str, Enhance]:
    """Bicubic enlargement and the networks, as functions from LR to HR.

    Raises:
        UserError: a network is of another scale than the photos.
    """
    larger = partial(enlarge, factor=held_out.scale)
    methods: dict[str, Enhance] = {BICUBIC: partial(bicubic, enlarge=larger)}
    for row, network in networks.items():
        if network.scale != held_out.scale:
            raise UserError(
                f"{network.path}: enlarges x{network.scale}, the photos of {held_out.path} are of "
                f"scale {held_out.scale}"
            )
        methods[row] = run_upscaler(network.name, network.module, larger)
    return methods


def _pictures(
    held_out: HeldOutPhotos, names: list[str], methods: Mapping[str, Enhance]
) -> Iterator[tuple[str, np.ndarray]]:
    """Name and picture of some photos, evenly spread."""
    chosen = names[:: -(-len(names) // MOST_PICTURES)]
    for name, (hr, lr) in zip(chosen, held_out.read(chosen), strict=True):
        yield name, compare_sr(hr, lr, methods)
