"""Stage `patches`: matching windows of the aligned pairs of one phone."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.decisions import DecisionsFile, echo_unknown, load_decisions
from pipeline.cli.json_output import with_json
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
from ppcn.dataset.aligned_pairs import open_aligned_pairs
from ppcn.dataset.decisions import Decisions, Verdict
from ppcn.dataset.pairs import Pair, memory_of
from ppcn.dataset.patch_set import camera_models
from ppcn.dataset.splits import TEST, assign_splits, count_splits
from ppcn.errors import UserError
from ppcn.files.artifacts import create_hdf5, write_csv, write_json
from ppcn.jobs.cache import scratch_for
from ppcn.jobs.extract_pair import CutTask, PatchMerger, cut_files
from ppcn.jobs.pool import run_in_order

Reference = Annotated[
    str | None,
    typer.Option(
        help="Folder name of the better camera, to make sure that the alignments are of it."
    ),
]
Aligned = Annotated[
    Path | None, typer.Option(help="Alignment file to read; by default data/aligned/PHONE.h5.")
]
Out = Annotated[
    Path | None, typer.Option(help="Patch set to write; by default data/patches/PHONE.h5.")
]
Metrics = Annotated[
    Path | None,
    typer.Option(
        help="Metrics file to write, and beside it a table of the photos as .csv; "
        "by default metrics/patches/PHONE.json."
    ),
]
QuickLook = Annotated[
    Path | None,
    typer.Option(
        help="Folder for a picture of every pair and its windows; by default data/quicklook/PHONE."
    ),
]


@with_json
def patches(
    phone: Phone,
    root: Root = None,
    reference: Reference = None,
    aligned: Aligned = None,
    out: Out = None,
    metrics: Metrics = None,
    decisions: DecisionsFile = None,
    quicklook: QuickLook = None,
    workers: Workers = None,
    cluster: Cluster = None,
    params_file: ParamsFile = None,
) -> Mapping[str, Any]:
    """Cut matching patches out of the aligned pairs.

    Where a window matches is searched by cross-correlation. A window that does not match well is
    rejected, and the rejected ones are counted by reason.
    """
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
    decided = load_decisions(params, phone, decisions)
    reference, pairs, scenes = _accepted_pairs(aligned, root, reference, decided)
    stems = [pair.stem for pair in pairs]
    splits = assign_splits(stems, params.patches.split, params.seed, scenes=scenes)
    values = {"seed": params.seed, **params.patches.model_dump()}
    cameras = camera_models(pairs)
    attributes = {"phone": phone, "reference": reference, "cameras": cameras, "params": values}
    with scratch_for(out) as scratch:
        tasks = [CutTask(pair.stem, root, aligned, params.patches, scratch) for pair in pairs]
        processes = process_count(workers, cluster, memory_of(pairs))
        with create_hdf5(out, attributes) as file:
            merger = PatchMerger(file, splits, params.patches, quicklook)
            _cut_all(tasks, merger, f"patches {phone}", processes, cluster)
            if not merger.kept:
                raise UserError(f"{root}: {merger.why_none()}")
            merger.check_splits()
            summary = merger.finish() | count_splits(splits, scenes)
        write_csv(metrics.with_suffix(".csv"), merger.rows)
        write_json(metrics, summary)
    _echo_result(merger, summary, splits)
    return summary


def _echo_result(
    merger: PatchMerger, summary: Mapping[str, Any], splits: Mapping[str, int]
) -> None:
    if merger.cached:
        typer.echo(f"{merger.cached} pairs had been done by an earlier run")
    counts = f"kept {summary['kept']} of {summary['windows']} windows"
    typer.echo(f"{counts}; rejected: {summary['refused']}")
    if TEST not in splits.values():
        typer.echo("patches.split.test holds no photo out, so evaluate will have none to score")


def _accepted_pairs(
    aligned: Path, root: Path, reference: str | None, decided: Decisions
) -> tuple[str, list[Pair], dict[str, str]]:
    """The better camera's folder name, the aligned pairs, and the scene of each by stem.

    Pairs that a person has rejected since they were aligned are left out, by name.

    Raises:
        UserError: the better camera is not the one that was named, or no pair is left.
    """
    with open_aligned_pairs(aligned) as alignments:
        stored = alignments.reference
        if reference not in (None, stored):
            raise UserError(f"{aligned}: its reference is {stored}, not {reference}")
        scenes = alignments.scenes()
        left_out = _rejected(decided, alignments.stems) & scenes.keys()
        for stem in sorted(left_out):
            typer.echo(f"left out {stem}: rejected by hand")
        if scenes and left_out == scenes.keys():
            raise UserError(f"{decided.path}: rejects every aligned pair; accept some")
        kept = [stem for stem in alignments.aligned if stem not in left_out]
        pairs = [alignments.pair(stem, root) for stem in kept]
        return stored, pairs, {stem: scenes[stem] for stem in kept}


def _rejected(decided: Decisions, stems: list[str]) -> set[str]:
    """The pairs that a person rejected, by stem."""
    echo_unknown(decided, stems)
    matched = decided.matched(stems).items()
    return {stem for stem, decision in matched if decision.verdict is Verdict.REJECT}


def _cut_all(
    tasks: list[CutTask], merger: PatchMerger, title: str, processes: int, cluster: str | None
) -> None:
    with (
        showing(title) as report,
        closing(run_in_order(cut_files, tasks, processes, cluster)) as shards,
    ):
        for done, (task, result) in enumerate(zip(tasks, shards, strict=True), start=1):
            merger.add(task.stem, *result)
            report(done, len(tasks), {"kept": merger.kept})
