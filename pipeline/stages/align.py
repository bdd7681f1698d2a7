"""Stage `align`: the geometry of every photo pair of one phone."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

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
from ppcn.dataset.alignment_set import (
    OK,
    AlignmentWriter,
    create_alignments,
    open_alignments,
    status_of,
)
from ppcn.dataset.pairs import Pair, find_pairs, memory_of
from ppcn.errors import UserError
from ppcn.files.artifacts import write_csv, write_json
from ppcn.jobs.align_pair import Aligned, AlignTask, align_files
from ppcn.jobs.cache import scratch_for
from ppcn.jobs.pool import run_in_order
from ppcn.registration.alignment import Alignment


def align(
    phone: Phone,
    root: Root = None,
    reference: Reference = None,
    out: Annotated[Path | None, typer.Option(help="data/aligned/PHONE.h5 by default.")] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="metrics/align/PHONE.json by default.")
    ] = None,
    pair_by: Annotated[
        str | None, typer.Option(help="stem, time or a CSV file; data.pair_by by default.")
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(metavar="STEM", help="Only show how this pair is judged, as pictures."),
    ] = None,
    workers: Workers = None,
    cluster: Cluster = None,
    params_file: ParamsFile = None,
) -> None:
    """Find homography, local displacement and common crop of every photo pair."""
    params = load_params(params_file)
    check_phone(params, phone, root)
    root, reference = root or Path(params.data.root), reference or params.data.reference
    out = out or Path(f"data/aligned/{phone}.h5")
    if cluster:
        root, out = root.absolute(), out.absolute()
    data = params.data
    pairs, unpaired = find_pairs(
        root, phone, reference, pair_by or data.pair_by, data.pair_tolerance, data.clock_offset
    )
    if explain:
        from pipeline.cli.explain_pair import explain_pair

        explain_pair(explain, pairs, params, Path("report/explain") / phone)
        return
    metrics = metrics or Path(f"metrics/align/{phone}.json")
    check_outputs(out, metrics)
    attributes = {"phone": phone, "reference": reference, "params": params.align.model_dump()}
    rows = []
    earlier = 0
    with showing(f"align {phone}") as report, scratch_for(out) as scratch:
        tasks = [AlignTask(pair, root, params.align, scratch) for pair in pairs]
        processes = process_count(workers, cluster, memory_of(pairs))
        with (
            create_alignments(out, root, attributes) as writer,
            closing(run_in_order(align_files, tasks, processes, cluster)) as results,
        ):
            for pair, result in zip(pairs, results, strict=True):
                rows.append(_row(pair.stem, _take(result, pair, writer)))
                earlier += result.was_cached
                report(len(rows), len(pairs), {})
            refused = {row["stem"]: row["status"] for row in rows if row["status"] != OK}
            _tell(refused, unpaired, earlier)
            if len(refused) == len(pairs):
                raise UserError(
                    f"{root}: none of {len(pairs)} pairs could be aligned; see the reasons above"
                )
        write_csv(metrics.with_suffix(".csv"), rows)
        write_json(metrics, _summary(rows, refused, unpaired))
    typer.echo(f"aligned {len(pairs) - len(refused)} of {len(pairs)} pairs")


def _take(result: Aligned, pair: Pair, writer: AlignmentWriter) -> Alignment:
    """Store what became of a pair."""
    if result.shard is None:
        alignment, digests = Alignment((0, 0), (0, 0), rejection=result.rejection), ["", ""]
    else:
        with open_alignments(result.shard) as one:
            alignment, digests = one[pair.stem], one.digests(pair.stem)
    writer.add(pair, alignment, digests)
    return alignment


def _tell(refused: Mapping[str, str], unpaired: Mapping[str, str], earlier: int) -> None:
    if earlier:
        typer.echo(f"{earlier} pairs had been done by an earlier run")
    for stem, reason in refused.items():
        typer.echo(f"refused {stem}: {reason}")
    for file, reason in unpaired.items():
        typer.echo(f"unpaired {file}: {reason}")


def _row(stem: str, alignment: Alignment) -> dict[str, Any]:
    return {
        "stem": stem,
        "status": status_of(alignment),
        "matches": alignment.matches,
        "inliers": alignment.inliers,
        "residual_px": alignment.residual_px,
        "agreement": alignment.agreement,
        "overlap": alignment.overlap(),
    }


def _summary(
    rows: list[dict[str, Any]], refused: Mapping[str, str], unpaired: Mapping[str, str]
) -> dict[str, Any]:
    good = [row for row in rows if row["status"] == OK]
    figures = ("inliers", "residual_px", "agreement", "overlap")
    return {
        "pairs": len(rows),
        "aligned": len(good),
        "refused": refused,
        "unpaired": unpaired,
        **{f"median_{name}": float(np.median([row[name] for row in good])) for name in figures},
    }
