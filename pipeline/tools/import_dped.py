"""Command `import-dped`: DPED's released patches as a patch set of this project."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.imported import echo_next, import_pairs
from pipeline.cli.options import ParamsFile, Phone, load_params
from ppcn.dataset.dped import STEMS, find_released_pairs
from ppcn.dataset.patch_files import PatchSides


def import_dped(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="DPED's folder of this phone, or the folder above it."),
    ],
    phone: Phone,
    out: Annotated[
        Path | None, typer.Option(help="Patch set to write; by default data/dped/PHONE.h5.")
    ] = None,
    params_file: ParamsFile = None,
) -> None:
    """Read DPED's released patches into one patch set.

    Its folders training_data and test_data are read. Train on the result with:
    ppcn-pipeline teacher --phone PHONE --patches FILE
    """
    params = load_params(params_file)
    pairs = find_released_pairs(folder, phone, params.data.reference)
    attributes = {
        "phone": phone,
        "reference": params.data.reference,
        "params": {"size": params.patches.size},
        "refused": {},
    }
    out = out or Path(f"data/dped/{phone}.h5")
    import_pairs(out, attributes, STEMS, pairs, PatchSides(params.patches.size, 1, "patches.size"))
    echo_next(params, phone, out, len(pairs))
