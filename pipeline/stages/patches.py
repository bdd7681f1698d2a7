"""Stage `patches`: matching windows of the aligned pairs of one phone."""

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import typer

from pipeline.cli.options import (
    ParamsFile,
    Phone,
    Root,
    check_outputs,
    check_phone,
    load_params,
)
from pipeline.cli.processes import Cluster, Workers, process_count
from pipeline.cli.progress import showing
from ppcn.dataset.alignment_set import open_alignments
from ppcn.dataset.gates import REJECTIONS, Outcome
from ppcn.dataset.pairs import memory_of
from ppcn.dataset.patch_set import PatchWriter, open_patches
from ppcn.dataset.splits import SPLIT_NAMES, assign_splits
from ppcn.errors import UserError
from ppcn.files.artifacts import create_hdf5, replacing, write_csv, write_json
from ppcn.jobs.cache import scratch_for
from ppcn.jobs.extract_pair import OUTCOMES, CutTask, cut_files
from ppcn.jobs.pool import run_in_order
from ppcn.params import Patches
from ppcn.photos.decode import camera_model

BINS = 20


def patches(
    phone: Phone,
    root: Root = None,
    reference: Annotated[
        str | None, typer.Option(help="Name of the better camera, checked against the alignment's.")
    ] = None,
    aligned: Annotated[Path | None, typer.Option(help="data/aligned/PHONE.h5 by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="data/patches/PHONE.h5 by default.")] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="metrics/patches/PHONE.json by default.")
    ] = None,
    quicklook: Annotated[
        Path | None, typer.Option(help="Folder of pictures; data/quicklook/PHONE by default.")
    ] = None,
    workers: Workers = None,
    cluster: Cluster = None,
    params_file: ParamsFile = None,
) -> None:
    """Cut matching windows by cross-correlation; refused ones are counted by reason."""
    params = load_params(params_file)
    check_phone(params, phone, root)
    root = root or Path(params.data.root)
    aligned = aligned or Path(f"data/aligned/{phone}.h5")
    out = out or Path(f"data/patches/{phone}.h5")
    quicklook = quicklook or Path(f"data/quicklook/{phone}")
    metrics = metrics or Path(f"metrics/patches/{phone}.json")
    check_outputs(out, metrics)
    if cluster:
        root, aligned, out = root.absolute(), aligned.absolute(), out.absolute()
    with open_alignments(aligned) as alignments:
        if reference not in (None, alignments.reference):
            raise UserError(f"{aligned}: its reference is {alignments.reference}, not {reference}")
        reference, stems = alignments.reference, alignments.aligned
        pairs = [alignments.pair(stem, root) for stem in stems]
    splits = assign_splits(stems, params.patches.split, params.seed)
    values = {"seed": params.seed, **params.patches.model_dump()}
    cameras = {
        "phone": sorted({camera_model(pair.phone) for pair in pairs} - {""}),
        "dslr": sorted({camera_model(pair.reference) for pair in pairs} - {""}),
    }
    attributes = {"phone": phone, "reference": reference, "cameras": cameras, "params": values}
    seen: set[bytes] = set()
    rows: list[dict[str, Any]] = []
    earlier = 0
    with showing(f"patches {phone}") as report, scratch_for(out) as scratch:
        tasks = [CutTask(stem, root, aligned, params.patches, scratch) for stem in stems]
        processes = process_count(workers, cluster, memory_of(pairs))
        with (
            create_hdf5(out, attributes) as file,
            closing(run_in_order(cut_files, tasks, processes, cluster)) as shards,
        ):
            writer = PatchWriter(file, stems, params.patches.size)
            for index, (stem, (shard, was_cached)) in enumerate(zip(stems, shards, strict=True)):
                row = {"stem": stem, "split": SPLIT_NAMES[splits[stem]]}
                rows.append(row | _take(shard, writer, index, splits[stem], seen, quicklook / stem))
                earlier += was_cached
                report(index + 1, len(tasks), {"kept": writer.count})
            counts = {reason.value: sum(row[reason] for row in rows) for reason in REJECTIONS}
            if not writer.count:
                raise UserError(f"{root}: {_why_none(counts, params.patches)}")
            file.attrs["refused"] = json.dumps(counts)
            summary = _summary(file, counts, params.patches)
        write_csv(metrics.with_suffix(".csv"), rows)
        write_json(metrics, summary)
    if earlier:
        typer.echo(f"{earlier} pairs had been done by an earlier run")
    typer.echo(f"kept {summary['kept']} of {summary['windows']} windows; refused: {counts}")


def _why_none(counts: Mapping[str, int], params: Patches) -> str:
    rejected = {reason: number for reason, number in counts.items() if number}
    if not rejected:
        return f"no window of {params.size} px fits on what both cameras see; reduce patches.size"
    return f"no window passed the gates {rejected}; see patches in params.yaml"


def _take(
    shard: Path, writer: PatchWriter, photo: int, split: int, seen: set[bytes], look: Path
) -> dict[str, int]:
    """Move a shard's patches and picture to their places; returns its windows by outcome."""
    with open_patches(shard) as found:
        duplicates = writer.copy(photo, split, found, seen)
        outcomes = Counter(OUTCOMES[window["outcome"]] for window in found.extra("windows"))
        with replacing(look.with_name(f"{look.name}.jpg")) as temporary:
            temporary.write_bytes(found.extra("quick_look").tobytes())
    outcomes[Outcome.KEPT] -= duplicates
    outcomes[Outcome.DUPLICATE] += duplicates
    return {outcome.value: outcomes[outcome] for outcome in OUTCOMES}


def _summary(file: h5py.File, refused: Mapping[str, int], params: Patches) -> dict[str, Any]:
    split, ncc = file["split"][()], file["ncc"][()].astype(float)
    distance = np.linalg.norm(file["shift"][()].astype(float), axis=1)
    return {
        "windows": len(split) + sum(refused.values()),
        "kept": len(split),
        "refused": dict(refused),
        "split": {name: int((split == kind).sum()) for kind, name in SPLIT_NAMES.items()},
        "ncc": {"min": float(ncc.min()), "median": float(np.median(ncc))},
        "shift_px": dict(zip(("median", "p95"), np.percentile(distance, [50, 95]), strict=True)),
        "histograms": {
            "ncc": _histogram(ncc, params.min_ncc, 1),
            "shift_px": _histogram(distance, 0, np.hypot(params.max_shift, params.max_shift)),
        },
    }


def _histogram(values: np.ndarray, low: float, high: float) -> dict[str, list[float]]:
    counts, edges = np.histogram(values, BINS, (low, max(high, low + 1e-3)))
    return {"edges": edges.tolist(), "counts": counts.tolist()}
