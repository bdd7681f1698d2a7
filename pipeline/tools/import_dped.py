"""Command `import-dped`: DPED's released patches as a patch set of this project."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, Phone, load_params
from pipeline.cli.progress import showing
from ppcn.dataset.dped import STEMS, find_released_pairs, read_released_patch
from ppcn.dataset.patch_set import PatchWriter
from ppcn.files.artifacts import create_hdf5
from ppcn.params import Params


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
    with showing(f"import {phone}") as report, create_hdf5(out, attributes) as file:
        writer = PatchWriter(file, STEMS, params.patches.size)
        for done, pair in enumerate(pairs, start=1):
            writer.add(pair.photo, pair.split, [read_released_patch(pair, params.patches.size)])
            report(done, len(pairs), {})
    typer.echo(
        f"{out}: {len(pairs)} pairs; train on them with '{_next_command(params, phone, out)}'"
    )


def _next_command(params: Params, phone: str, out: Path) -> str:
    """What trains on the result: all stages where DVC knows the phone, else the first one."""
    is_known = params.phones.get(phone) and out.name == f"{phone}.h5" and Path("dvc.yaml").is_file()
    if is_known:
        return f"dvc exp run -S data.patches={shlex.quote(str(out.parent))}"
    return f"ppcn-pipeline teacher --phone {phone} --patches {shlex.quote(str(out))}"
