"""Command `import-patches`: folders of patches in BasicSR's layout as one patch set."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.imported import echo_next, import_pairs
from pipeline.cli.options import ParamsFile, Phone, load_params
from ppcn.dataset.patch_folder_reader import read_patch_folders


def import_patches(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Folder that holds lq and gt, or a folder with both for each of train, "
            "validation and test.",
        ),
    ],
    phone: Phone,
    out: Annotated[
        Path | None, typer.Option(help="Patch set to write; by default data/imported/PHONE.h5.")
    ] = None,
    params_file: ParamsFile = None,
) -> None:
    """Read folders of patches in BasicSR's layout into one patch set.

    The folders are what export-pairs --patches writes, which gives the same patch set again, or
    any others whose lq and gt have files of equal names.

    Patches of other folders are of unknown photos. Without a folder for validation, the last 2 %
    of their training pairs are held out.
    """
    params = load_params(params_file)
    folders = read_patch_folders(folder)
    unknown = {"params": {"size": folders.sides.size}, "refused": {}}
    attributes = {"reference": params.data.reference, **(folders.attributes or unknown)}
    out = out or Path(f"data/imported/{phone}.h5")
    attributes = {**attributes, "phone": phone}
    import_pairs(out, attributes, folders.stems, folders.pairs, folders.sides)
    if folders.missing:
        typer.echo(f"{folders.missing} listed patches are no longer there")
    echo_next(params, phone, out, len(folders.pairs))
