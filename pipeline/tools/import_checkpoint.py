"""Command `import-checkpoint`: the authors' published weights as weights of this project."""

from pathlib import Path
from typing import Annotated

import typer

from ppcn.files.artifacts import provenance
from ppcn.weights import save_weights
from ppcn.weights.checkpoint_files import checkpoint_files
from ppcn.weights.tensorflow import SCOPES
from ppcn.weights.tensorflow import import_checkpoint as read_checkpoint


def import_checkpoint(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SRC",
            help="Prefix of a TensorFlow checkpoint (of format V1 or V2), a folder that holds one, "
            "or an .npz of its variables.",
        ),
    ],
    network: Annotated[
        str, typer.Option(help=f"Network that the weights are of: one of {', '.join(SCOPES)}.")
    ],
    out: Annotated[Path, typer.Option(help="Weights file to write, .safetensors.")],
    phone: Annotated[
        str | None,
        typer.Option(help="Phone that the weights were trained for, if any; recorded in the file."),
    ] = None,
) -> None:
    """Read the authors' published weights without TensorFlow.

    TensorFlow itself is not needed.
    """
    imported = read_checkpoint(source, network)
    files = {path.name: path for path in checkpoint_files(source)}
    facts = {"phone": phone, "training": "published by its authors", **provenance(None, files)}
    save_weights(out, network, imported, facts)
    count = sum(parameter.numel() for parameter in imported.parameters())
    typer.echo(f"{out}: {network}, {count:,} parameters")
