"""Stage `accuracy`: alignment against the rig's known geometry."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, Phone, Root, check_phone, load_params
from ppcn.dataset.alignment_set import open_alignments
from ppcn.dataset.patch_set import open_patches
from ppcn.errors import FileKind, UserError
from ppcn.evaluation.alignment_error import crop_errors, patch_errors, summarise_errors
from ppcn.files.artifacts import open_hdf5, write_json
from ppcn.rig.camera import load_pose


def accuracy(
    phone: Phone,
    root: Root = None,
    aligned: Annotated[
        Path | None, typer.Option(help="Alignment file to read; by default data/aligned/PHONE.h5.")
    ] = None,
    patches: Annotated[
        Path | None, typer.Option(help="Patch set to read; by default data/patches/PHONE.h5.")
    ] = None,
    metrics: Annotated[
        Path | None,
        typer.Option(help="Metrics file to write; by default metrics/accuracy/PHONE.json."),
    ] = None,
    params_file: ParamsFile = None,
) -> None:
    """Measure the alignment error in pixels where the truth is known.

    It is known of the pairs that `rig` rendered. Of other photos the error is stored as unknown.
    """
    params = load_params(params_file)
    check_phone(params, phone, root)
    truth_file = (root or Path(params.data.root)) / "truth.h5"
    metrics = metrics or Path(f"metrics/accuracy/{phone}.json")
    if not truth_file.is_file():
        typer.echo(f"{truth_file}: no such file, so the geometric error of these photos is unknown")
        write_json(metrics, {"truth": "unknown", "pairs": 0})
        return
    crops, windows = [], []
    with (
        open_alignments(aligned or Path(f"data/aligned/{phone}.h5")) as alignments,
        open_hdf5(truth_file, FileKind.RIG_TRUTH) as truth,
        open_patches(patches or Path(f"data/patches/{phone}.h5")) as cut,
    ):
        for stem in alignments.aligned:
            alignment = alignments[stem]
            names = (f"{phone}/{stem}", f"{truth.attrs['reference']}/{stem}")
            if not all(name in truth for name in names):
                raise UserError(f"{truth_file}: knows no {names[0]}; run rig and align again")
            poses = (load_pose(truth[names[0]]), load_pose(truth[names[1]]))
            crops.append(crop_errors(alignment, *poses))
            windows.append(patch_errors(alignment, cut.windows_of(stem), cut.size, *poses))
    summary = {"truth": "rig", **summarise_errors(crops, windows)}
    write_json(metrics, summary)
    in_crop, at_patches = (summary[name]["median"] for name in ("crop_error_px", "patch_error_px"))
    typer.echo(f"median error {in_crop:.2f} px in the crop, {at_patches:.2f} px at patches")
