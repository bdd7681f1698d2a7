"""Stage `tables`: networks and losses that were trained alike, side by side with the papers'."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from pipeline.cli.options import ParamsFile, PatchesFile, Root, load_params
from pipeline.cli.progress import Report, counted, showing
from ppcn.dataset.patch_set import PatchSet, count_photos, open_patches, read_photos
from ppcn.dataset.splits import TEST
from ppcn.errors import UserError
from ppcn.evaluation.metrics import pirm_scores
from ppcn.evaluation.protocols import (
    Enhance,
    bicubic,
    do_nothing,
    naturalness,
    run_network,
    run_upscaler,
    score_enhancement,
    score_sr,
)
from ppcn.evaluation.tables import enhancement_markdown, sr_markdown
from ppcn.files.artifacts import provenance, read_json, replacing, write_json
from ppcn.params import Params
from ppcn.photos.decode import list_photos, read_photo
from ppcn.weights import load_weights

Row = dict[str, Any]


class Kind(StrEnum):
    """Which table."""

    ENHANCEMENT = "enhancement"
    SR = "sr"


def tables(
    kind: Annotated[Kind, typer.Argument(help="Which table.")],
    models: Annotated[
        Path | None, typer.Option(help="Folder of the rows' weights; as trained by default.")
    ] = None,
    patches: PatchesFile = None,
    root: Root = None,
    valid_set: Annotated[Path, typer.Option("--valid", help="Held-out photos.")] = Path(
        "data/sr/valid.h5"
    ),
    times: Annotated[Path, typer.Option(help="What the benchmark measured.")] = Path(
        "metrics/benchmark/networks.json"
    ),
    metrics: Annotated[
        Path | None, typer.Option(help="metrics/tables/KIND.json by default; .md beside it.")
    ] = None,
    params_file: ParamsFile = None,
) -> None:
    """Score every row of a table and write it as JSON and Markdown."""
    params = load_params(params_file)
    metrics = metrics or Path(f"metrics/tables/{kind}.json")
    costs = _costs(times)
    if kind is Kind.ENHANCEMENT:
        phone = params.tables.phone
        models = models or Path(f"data/models/baseline/{phone}")
        patches = patches or Path(params.data.patches) / f"{phone}.h5"
        photos = (root or Path(params.data.root)) / phone
        table, page = _enhancement(params, models, patches, photos, costs), enhancement_markdown
    else:
        models = models or Path("data/models/baseline-sr")
        table, page = _sr(params, models, valid_set, costs), sr_markdown
    write_json(metrics, table)
    with replacing(metrics.with_suffix(".md")) as temporary:
        temporary.write_text(page(read_json(metrics)), encoding="utf-8")
    typer.echo(f"{metrics.with_suffix('.md')}: {len(table['rows'])} rows")


def _costs(times: Path) -> Row:
    """What the benchmark measured.

    Raises:
        UserError: the file is missing or of another kind.
    """
    costs = read_json(times)
    if not {"networks", "machine"} <= costs.keys():
        raise UserError(f"{times}: not the times of a benchmark; name another with --times")
    return costs


def _enhancement(
    params: Params, models: Path, patches: Path, folder: Path, costs: Mapping[str, Any]
) -> Row:
    rows = _enhancement_rows(params)
    files = {name: models / f"{name}.safetensors" for name in rows if name != "do_nothing"}
    methods: dict[str, Enhance] = {"do_nothing": do_nothing}
    for name, path in files.items():
        network, facts = load_weights(path, rows[name]["network"])
        methods[name] = run_network(network)
        rows[name]["features"] = facts.get("features")
    with open_patches(patches) as cut:
        with showing("tables: patches") as report:
            indices = cut.of_split(TEST, "test")
            pairs = counted(cut.pairs(indices), len(indices), report)
            scores = score_enhancement(methods, pairs)
        photos = _test_photos(cut, folder)
    with showing("tables: photos") as report:
        natural = _naturalness(methods, photos, report)
    for name, row in rows.items():
        row |= {**scores.pop(name), **natural.get(name, {})}
        if cost := costs["networks"].get(row.get("network")):
            row |= {**cost, **_pirm(row, cost)}
    return {
        **scores,
        "phone": params.tables.phone,
        "test_photos": len(photos),
        "budget": params.baseline.model_dump(),
        "machine": costs["machine"],
        "rows": rows,
        "ablation": _ablation(rows),
        **provenance(params.seed, {"patches": patches, **files}),
    }


def _enhancement_rows(params: Params) -> dict[str, Row]:
    """Every row with its network, recipe and what was left out."""
    rows: dict[str, Row] = {"do_nothing": {}}
    for name, row in params.tables.enhancement.items():
        rows[name] = row.model_dump()
    for name, taught in params.tables.distilled.items():
        rows[name] = {"network": "ppcn_student", **taught.model_dump()}
    return rows


def _ablation(rows: Mapping[str, Row]) -> dict[str, list[str]]:
    """For each row whose loss is whole, the rows of its network and recipe that lack a term."""
    ablation: dict[str, list[str]] = {}
    for whole in (name for name, row in rows.items() if row.get("without") == "none"):
        same = ("network", "recipe")
        ablated = [
            name
            for name, row in rows.items()
            if row.get("without", "none") != "none"
            and all(row[key] == rows[whole][key] for key in same)
        ]
        if ablated:
            ablation[whole] = ablated
    return ablation


def _pirm(row: Row, cost: Mapping[str, float]) -> dict[str, float]:
    scores = pirm_scores("B", row["psnr"], row["ms_ssim"], 1 / cost["share_of_srcnn"])
    return {f"score_{name.lower()}": value for name, value in scores.items()}


def _test_photos(cut: PatchSet, folder: Path) -> list[Path]:
    """The photos that the test patches were cut from.

    Raises:
        UserError: one of them is not there.
    """
    stems = sorted({cut.stems[photo] for photo in cut.photo[cut.of_split(TEST, "test")]})
    available = list_photos(folder)
    for stem in stems:
        if stem not in available:
            raise UserError(f"{folder}: the test photo {stem} is not there; run align and patches")
    return [available[stem] for stem in stems]


def _naturalness(
    methods: Mapping[str, Enhance], photos: list[Path], report: Report
) -> dict[str, dict[str, float]]:
    """Mean NIQE of every method's whole photos, where it is defined."""
    found: dict[str, list[float]] = {name: [] for name in methods}
    for done, path in enumerate(photos):
        photo = read_photo(path)
        for index, (name, enhance) in enumerate(methods.items(), start=1):
            if (value := naturalness(enhance(photo))) is not None:
                found[name].append(value)
            report(done * len(methods) + index, len(photos) * len(methods), {})
    return {name: {"niqe": float(np.mean(values))} for name, values in found.items() if values}


def _sr(params: Params, models: Path, valid_set: Path, costs: Mapping[str, Any]) -> Row:
    files = {str(name): models / f"{name}.safetensors" for name in params.tables.sr}
    methods: dict[str, Enhance] = {"bicubic": bicubic}
    for name, path in files.items():
        methods[name] = run_upscaler(name, load_weights(path, name)[0])
    with showing("tables: photos") as report:
        photos = ((hr, lr) for _, hr, lr in read_photos(valid_set))
        scores = score_sr(methods, counted(photos, count_photos(valid_set), report))
    rows = {name: {**scores.pop(name), **costs["networks"].get(name, {})} for name in methods}
    return {
        **scores,
        "budget": params.baseline_sr.model_dump(),
        "machine": costs["machine"],
        "rows": rows,
        **provenance(params.seed, {"valid": valid_set, **files}),
    }
