"""Stage `accuracy`: alignment against the rig's known geometry."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from pipeline.cli.options import ParamsFile, Phone, Root, check_phone, load_params
from ppcn.dataset.alignment_set import open_alignments
from ppcn.dataset.patch_set import open_patches
from ppcn.errors import FileKind, UserError
from ppcn.evaluation.alignment_error import crop_errors, patch_errors
from ppcn.files.artifacts import open_hdf5, write_json
from ppcn.rig.camera import load_pose


def accuracy(
    phone: Phone,
    root: Root = None,
    aligned: Annotated[Path | None, typer.Option(help="data/aligned/PHONE.h5 by default.")] = None,
    patches: Annotated[Path | None, typer.Option(help="data/patches/PHONE.h5 by default.")] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="metrics/accuracy/PHONE.json by default.")
    ] = None,
    params_file: ParamsFile = None,
) -> None:
    """Measure alignment error in pixels; real photos have no truth, and it says so."""
    params = load_params(params_file)
    check_phone(params, phone, root)
    truth_file = (root or Path(params.data.root)) / "truth.h5"
    metrics = metrics or Path(f"metrics/accuracy/{phone}.json")
    if not truth_file.is_file():
        typer.echo(f"{truth_file}: no such file, so the geometric error of these photos is unknown")
        write_json(metrics, {"truth": "unknown", "pairs": 0})
        return
    in_crop, in_patches = [], []
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
            in_crop.append(crop_errors(alignment, *poses))
            in_patches.append(patch_errors(alignment, cut.windows_of(stem), cut.size, *poses))
    crop, kept = np.concatenate(in_crop), np.concatenate(in_patches)
    summary = {
        "truth": "rig",
        "pairs": len(in_crop),
        "crop_error_px": _percentiles(crop),
        "patch_error_px": _percentiles(kept),
        "worst_pair_median_px": max(float(np.median(errors)) for errors in in_crop),
    }
    write_json(metrics, summary)
    typer.echo(
        f"median error {np.median(crop):.2f} px in the crop, {np.median(kept):.2f} px at patches"
    )


def _percentiles(errors: np.ndarray) -> dict[str, float]:
    return dict(zip(("median", "p95"), map(float, np.percentile(errors, [50, 95])), strict=True))
