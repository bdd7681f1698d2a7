"""Stage `patches`: matching windows of the aligned pairs of one phone."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import h5py
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
from ppcn.alignments import load_alignments
from ppcn.artifacts import create_hdf5, write_csv, write_json
from ppcn.datasets import PatchWriter
from ppcn.errors import UserError
from ppcn.geometry import OK
from ppcn.pairs import CutTask, cut_files, find_pairs
from ppcn.patches import REASONS, drop_duplicates
from ppcn.splits import SPLIT_NAMES, assign_splits
from ppcn.workers import run_in_order


def patches(
    phone: Phone,
    root: Root = None,
    reference: Reference = None,
    aligned: Annotated[Path | None, typer.Option(help="data/aligned/PHONE.h5 by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="data/patches/PHONE.h5 by default.")] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="metrics/patches/PHONE.json by default.")
    ] = None,
    workers: Workers = None,
    params_file: ParamsFile = None,
) -> None:
    """Cut matching windows by cross-correlation; refused ones are counted by reason."""
    params = load_params(params_file)
    check_phone(params, phone, root)
    root, reference = root or Path(params.data.root), reference or params.data.reference
    aligned = aligned or Path(f"data/aligned/{phone}.h5")
    alignments = {s: a for s, a in load_alignments(aligned).items() if a.status == OK}
    photos = {pair.stem: pair for pair in find_pairs(root, phone, reference)[0]}
    if missing := sorted(alignments.keys() - photos.keys()):
        raise UserError(f"{root}: the aligned photo '{missing[0]}' is gone; run align again")
    splits = assign_splits(sorted(alignments), params.patches.split, params.seed)
    tasks = [CutTask(photos[stem], alignments[stem], params.patches) for stem in sorted(alignments)]
    values = {"seed": params.seed, **params.patches.model_dump()}
    attributes = {"phone": phone, "reference": reference, "params": values}
    totals: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    seen: set[bytes] = set()
    with (
        showing(f"patches {phone}") as report,
        create_hdf5(out or Path(f"data/patches/{phone}.h5"), attributes) as file,
    ):
        writer = PatchWriter(file, sorted(alignments), params.patches.size)
        results = run_in_order(cut_files, tasks, worker_count(workers))
        for index, (task, (found, refused)) in enumerate(zip(tasks, results, strict=True)):
            fresh = drop_duplicates(found, seen)
            refused["duplicate"] += len(found) - len(fresh)
            stem = task.pair.stem
            writer.add(index, splits[stem], fresh)
            totals += refused
            rows.append({"stem": stem, "split": SPLIT_NAMES[splits[stem]], "kept": len(fresh)})
            rows[-1] |= {reason: refused[reason] for reason in REASONS}
            report(index + 1, len(tasks), {"kept": writer.count})
        if not writer.count:
            raise UserError(
                f"{root}: no window passed the gates {dict(totals)}; see patches in params.yaml"
            )
        counts = {reason: totals[reason] for reason in REASONS}
        file.attrs["refused"] = json.dumps(counts)
        summary = _summary(file, counts)
    metrics = metrics or Path(f"metrics/patches/{phone}.json")
    write_csv(metrics.with_suffix(".csv"), rows)
    write_json(metrics, summary)
    typer.echo(f"kept {summary['kept']} of {summary['windows']} windows; refused: {counts}")


def _summary(file: h5py.File, refused: Mapping[str, int]) -> dict[str, Any]:
    split, ncc = file["split"][()], file["ncc"][()].astype(float)
    distance = np.linalg.norm(file["shift"][()].astype(float), axis=1)
    return {
        "windows": len(split) + sum(refused.values()),
        "kept": len(split),
        "refused": dict(refused),
        "split": {name: int((split == kind).sum()) for kind, name in SPLIT_NAMES.items()},
        "ncc": {"min": float(ncc.min()), "median": float(np.median(ncc))},
        "shift_px": dict(zip(("median", "p95"), np.percentile(distance, [50, 95]), strict=True)),
    }
