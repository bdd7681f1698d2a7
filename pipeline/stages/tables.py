"""Stage `tables`: networks and losses that were trained alike, side by side with the papers'."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import (
    AlignedFile,
    ParamsFile,
    PatchesFile,
    Root,
    load_params,
    usual_patches,
)
from pipeline.cli.progress import counted, showing
from ppcn.dataset.patch_set import PatchSet, open_equal_patches
from ppcn.dataset.splits import TEST
from ppcn.dataset.sr_set import open_held_out
from ppcn.evaluation.protocols import (
    Enhance,
    bicubic,
    do_nothing,
    run_network,
    run_upscaler,
    score_enhancement,
    score_sr,
)
from ppcn.evaluation.table_rows import (
    DO_NOTHING,
    Row,
    enhancement_rows,
    enhancement_table,
    mean_naturalness,
    read_costs,
    runs_of,
    sr_table,
)
from ppcn.evaluation.tables import enhancement_markdown, sr_markdown
from ppcn.evaluation.whole_photos import stems_of_test, whole_photos
from ppcn.files.artifacts import provenance, read_json, replacing, write_json
from ppcn.params import Params
from ppcn.weights import load_weights


class Kind(StrEnum):
    """Which table."""

    ENHANCEMENT = "enhancement"
    SR = "sr"


ModelsFolder = Annotated[
    Path | None,
    typer.Option(
        help="Folder with the weights file of every row; data/models/baseline/PHONE, or "
        "data/models/baseline-sr, by default; those of further seeds lie in a folder of the row."
    ),
]
ValidSet = Annotated[
    Path, typer.Option("--valid", help="Set of held-out photos that upscaling is scored on.")
]
TimesFile = Annotated[
    Path, typer.Option(help="Metrics file of the benchmark, with the time of every network.")
]
MetricsFile = Annotated[
    Path | None,
    typer.Option(
        help="Metrics file to write, with the table as .md beside it; "
        "metrics/tables/KIND.json by default."
    ),
]


def tables(
    kind: Annotated[Kind, typer.Argument(help="Which table to make.")],
    models: ModelsFolder = None,
    patches: PatchesFile = None,
    aligned: AlignedFile = None,
    root: Root = None,
    valid_set: ValidSet = Path("data/sr/valid.h5"),
    times: TimesFile = Path("metrics/benchmark/networks.json"),
    metrics: MetricsFile = None,
    params_file: ParamsFile = None,
) -> None:
    """Score every row of a table of the papers.

    The table is written as JSON, and as Markdown beside the papers' numbers.
    """
    params = load_params(params_file)
    metrics = metrics or Path(f"metrics/tables/{kind}.json")
    costs = read_costs(times)
    if kind is Kind.ENHANCEMENT:
        phone = params.tables.phone
        models = models or Path(f"data/models/baseline/{phone}")
        patches = patches or usual_patches(params, phone)
        aligned = aligned or Path(f"data/aligned/{phone}.h5")
        root = root or Path(params.data.root)
        table = _enhancement(params, models, patches, aligned, root, costs)
        page = enhancement_markdown
    else:
        models = models or Path("data/models/baseline-sr")
        table, page = _sr(params, models, valid_set, costs), sr_markdown
    write_json(metrics, table)
    with replacing(metrics.with_suffix(".md")) as temporary:
        temporary.write_text(page(read_json(metrics)), encoding="utf-8")
    typer.echo(f"{metrics.with_suffix('.md')}: {len(table['rows'])} rows")


def _enhancement(
    params: Params, models: Path, patches: Path, aligned: Path, root: Path, costs: Row
) -> Row:
    rows = enhancement_rows(params.tables, params.seed)
    trained = {name: row for name, row in rows.items() if name != DO_NOTHING}
    runs = {run: row for name, row in trained.items() for run in runs_of(name, row)}
    files: dict[str, Path] = {}
    methods: dict[str, Enhance] = {DO_NOTHING: do_nothing}
    for run, row in runs.items():
        files[run] = models / f"{run}.safetensors"
        network, facts = load_weights(files[run], row["network"])
        methods[run] = run_network(network)
        row["features"] = facts.get("features")
    with open_equal_patches(patches) as cut:
        photos = whole_photos(cut, aligned, root)
        if not photos:
            typer.echo(f"{patches}: not cut from pairs of {aligned}; no NIQE of whole photos")
        test_photos = len(stems_of_test(cut))
        scores = _score_patches(methods, cut)
    with showing("tables: photos") as report:
        natural = mean_naturalness(methods, list(photos.values()), report)
    return {
        **enhancement_table(params, rows, scores, natural, costs, test_photos),
        **provenance(params.seed, {"patches": patches, **files}),
    }


def _score_patches(methods: Mapping[str, Enhance], cut: PatchSet) -> Row:
    indices = cut.of_split(TEST, "test")
    with showing("tables: patches") as report:
        return score_enhancement(methods, counted(cut.pairs(indices), len(indices), report))


def _sr(params: Params, models: Path, valid_set: Path, costs: Row) -> Row:
    files = {str(name): models / f"{name}.safetensors" for name in params.tables.sr}
    methods: dict[str, Enhance] = {"bicubic": bicubic}
    for name, path in files.items():
        methods[name] = run_upscaler(name, load_weights(path, name)[0])
    with open_held_out(valid_set) as held_out, showing("tables: photos") as report:
        names = held_out.names("test")
        scores = score_sr(methods, counted(held_out.read(names), len(names), report))
    return {
        **sr_table(params, list(methods), scores, costs),
        **provenance(params.seed, {"valid": valid_set, **files}),
    }
