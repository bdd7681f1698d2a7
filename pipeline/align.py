"""Stage `align`: the geometry of every photo pair of one phone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from pipeline.options import (
    ParamsFile,
    Phone,
    Reference,
    Root,
    Workers,
    check_phone,
    load_params,
    worker_count,
)
from pipeline.progress import showing
from ppcn.alignments import save_alignments
from ppcn.artifacts import write_csv, write_json
from ppcn.errors import UserError
from ppcn.geometry import OK, Alignment
from ppcn.pairs import AlignTask, align_files, find_pairs
from ppcn.workers import run_in_order


def align(
    phone: Phone,
    root: Root = None,
    reference: Reference = None,
    out: Annotated[Path | None, typer.Option(help="data/aligned/PHONE.h5 by default.")] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="metrics/align/PHONE.json by default.")
    ] = None,
    workers: Workers = None,
    params_file: ParamsFile = None,
) -> None:
    """Find homography, local displacement and common crop of every photo pair."""
    params = load_params(params_file)
    check_phone(params, phone, root)
    root, reference = root or Path(params.data.root), reference or params.data.reference
    pairs, unpaired = find_pairs(root, phone, reference)
    tasks = [AlignTask(pair, params.align) for pair in pairs]
    alignments: dict[str, Alignment] = {}
    with showing(f"align {phone}") as report:
        for pair, found in zip(
            pairs, run_in_order(align_files, tasks, worker_count(workers)), strict=True
        ):
            alignments[pair.stem] = found
            report(len(alignments), len(pairs), {})
    refused = {stem: a.status for stem, a in alignments.items() if a.status != OK}
    for stem, reason in refused.items():
        typer.echo(f"refused {stem}: {reason}")
    for stem in unpaired:
        typer.echo(f"unpaired {stem}: only one camera has it")
    if len(refused) == len(pairs):
        raise UserError(
            f"{root}: none of {len(pairs)} pairs could be aligned; see the reasons above"
        )
    metrics = metrics or Path(f"metrics/align/{phone}.json")
    attributes = {"phone": phone, "reference": reference, "params": params.align.model_dump()}
    save_alignments(out or Path(f"data/aligned/{phone}.h5"), alignments, attributes)
    write_csv(metrics.with_suffix(".csv"), [_row(stem, a) for stem, a in alignments.items()])
    write_json(metrics, _summary(alignments, refused, unpaired))
    typer.echo(f"aligned {len(pairs) - len(refused)} of {len(pairs)} pairs")


def _row(stem: str, found: Alignment) -> dict[str, Any]:
    return {
        "stem": stem,
        "status": found.status,
        "matches": found.matches,
        "inliers": found.inliers,
        "residual_px": found.residual_px,
        "overlap": found.overlap(),
    }


def _summary(
    alignments: Mapping[str, Alignment], refused: Mapping[str, str], unpaired: list[str]
) -> dict[str, Any]:
    good = [found for found in alignments.values() if found.status == OK]
    return {
        "pairs": len(alignments),
        "aligned": len(good),
        "refused": refused,
        "unpaired": unpaired,
        "median_inliers": float(np.median([found.inliers for found in good])),
        "median_residual_px": float(np.median([found.residual_px for found in good])),
        "median_overlap": float(np.median([found.overlap() for found in good])),
    }
