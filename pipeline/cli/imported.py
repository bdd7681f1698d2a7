"""What `import-dped` and `import-patches` share: a patch set of files, and what to do with it."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from pipeline.cli.progress import showing
from ppcn.dataset.patch_files import PatchFiles, PatchSides, write_patch_set
from ppcn.params import Params


def import_pairs(
    out: Path,
    attributes: Mapping[str, Any],
    stems: Sequence[str],
    pairs: Sequence[PatchFiles],
    sides: PatchSides,
) -> None:
    """Make one patch set of pairs of files, with progress shown."""
    with showing(f"import {attributes['phone']}") as report:
        write_patch_set(out, attributes, stems, pairs, sides, report)


def echo_next(params: Params, phone: str, out: Path, count: int) -> None:
    """Say how many pairs a patch set has and what trains on them."""
    typer.echo(f"{out}: {count} pairs; train on them with '{_next_command(params, phone, out)}'")


def _next_command(params: Params, phone: str, out: Path) -> str:
    """What trains on the result: all stages where DVC knows the phone, else the first one."""
    is_known = params.phones.get(phone) and out.name == f"{phone}.h5" and Path("dvc.yaml").is_file()
    if is_known:
        return f"dvc exp run -S data.patches={shlex.quote(str(out.parent))}"
    return f"ppcn-pipeline teacher --phone {phone} --patches {shlex.quote(str(out))}"
