"""Stage `align`: the geometry of every photo pair of one phone."""

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
    Reference,
    Root,
    check_outputs,
    check_phone,
    load_params,
)
from pipeline.cli.processes import Cluster, Workers, process_count
from pipeline.cli.progress import showing
from ppcn.dataset.alignment_set import create_alignments
from ppcn.dataset.decisions import Decisions
from ppcn.dataset.pairs import Pair, find_pairs, memory_of
from ppcn.errors import UserError
from ppcn.files.artifacts import write_csv, write_json
from ppcn.jobs.align_pair import AlignmentMerger, AlignTask, align_files
from ppcn.jobs.cache import scratch_for
from ppcn.jobs.pool import run_in_order
from ppcn.params import Align

Out = Annotated[
    Path | None, typer.Option(help="Alignment file to write; by default data/aligned/PHONE.h5.")
]
Metrics = Annotated[
    Path | None,
    typer.Option(
        help="Metrics file to write, and beside it a table of the pairs as .csv; "
        "by default metrics/align/PHONE.json."
    ),
]
PairBy = Annotated[
    str | None,
    typer.Option(
        help="How photos are paired: 'stem' by file name, 'time' by capture time, or a CSV file "
        "that lists the pairs; by default as data.pair_by says."
    ),
]
Explain = Annotated[
    str | None,
    typer.Option(
        metavar="STEM",
        help="Align only this pair, and show in pictures under report/explain why it is accepted "
        "or rejected.",
    ),
]


@with_json
def align(
    phone: Phone,
    root: Root = None,
    reference: Reference = None,
    out: Out = None,
    metrics: Metrics = None,
    pair_by: PairBy = None,
    decisions: DecisionsFile = None,
    explain: Explain = None,
    workers: Workers = None,
    cluster: Cluster = None,
    params_file: ParamsFile = None,
) -> Mapping[str, Any] | None:
    """Find homography, local displacement and common crop of every photo pair.

    A pair that cannot be aligned is rejected with the reason, and the run goes on. No pixels are
    stored, so that other stages read the photos themselves.
    """
    params = load_params(params_file)
    check_phone(params, phone, root)
    root, reference = root or Path(params.data.root), reference or params.data.reference
    out = out or Path(f"data/aligned/{phone}.h5")
    metrics = metrics or Path(f"metrics/align/{phone}.json")
    if cluster:
        root, out = root.absolute(), out.absolute()
    decided = load_decisions(params, phone, decisions)
    by, tolerance = pair_by or params.data.pair_by, params.data.pair_tolerance
    pairs, unpaired = find_pairs(root, phone, reference, by, tolerance, params.data.clock_offset)
    if explain:
        from pipeline.cli.explain_pair import explain_pair

        explain_pair(explain, pairs, params, Path("report/explain") / phone, decided)
        return None
    check_outputs(out, metrics)
    attributes = {"phone": phone, "reference": reference, "params": params.align.model_dump()}
    with scratch_for(out) as scratch:
        tasks = _tasks(pairs, root, params.align, scratch, decided)
        with create_alignments(out, root, attributes) as writer:
            merger = AlignmentMerger(writer, params.align)
            _align_all(tasks, merger, f"align {phone}", workers, cluster)
            _echo_what_is_not_used(merger, unpaired)
            if len(merger.rejections) == len(pairs):
                raise UserError(f"{root}: none of {len(pairs)} pairs could be aligned; see above")
            merger.find_scenes()
        summary = merger.summary(unpaired)
        write_csv(metrics.with_suffix(".csv"), merger.rows)
        write_json(metrics, summary)
    _echo_result(summary, decided, metrics.with_suffix(".csv"))
    return summary


def _tasks(
    pairs: list[Pair], root: Path, params: Align, scratch: Path, decided: Decisions
) -> list[AlignTask]:
    stems = [pair.stem for pair in pairs]
    echo_unknown(decided, stems)
    matched = decided.matched(stems)
    return [AlignTask(pair, root, params, scratch, matched.get(pair.stem)) for pair in pairs]


def _echo_result(summary: Mapping[str, Any], decided: Decisions, table: Path) -> None:
    if counts := summary.get("decisions"):
        typer.echo(
            f"{decided.path}: {counts['rejected']} pairs rejected by hand, {counts['accepted']} "
            f"accepted that would have been rejected, {counts['from_points']} aligned from points; "
            f"{counts['without_effect']} decisions changed nothing"
        )
    typer.echo(f"aligned {summary['aligned']} of {summary['pairs']} pairs")
    if summary["scenes"] < summary["aligned"]:
        typer.echo(f"they show {summary['scenes']} scenes, which go to one split each; see {table}")


def _align_all(
    tasks: list[AlignTask],
    merger: AlignmentMerger,
    title: str,
    workers: int | None,
    cluster: str | None,
) -> None:
    processes = process_count(workers, cluster, memory_of([task.pair for task in tasks]))
    with (
        showing(title) as report,
        closing(run_in_order(align_files, tasks, processes, cluster)) as results,
    ):
        for done, (task, result) in enumerate(zip(tasks, results, strict=True), start=1):
            merger.add(task.pair, result, task.decision)
            report(done, len(tasks), {})


def _echo_what_is_not_used(merger: AlignmentMerger, unpaired: Mapping[str, str]) -> None:
    if merger.cached:
        typer.echo(f"{merger.cached} pairs had been done by an earlier run")
    for stem, rejection in merger.rejections.items():
        typer.echo(f"rejected {stem}: {rejection.sentence}")
    for file, reason in unpaired.items():
        typer.echo(f"unpaired {file}: {reason}")
