"""The rows of the papers' tables: what each network scored and costs, as the JSON files hold it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ppcn.errors import FileKind, UserError
from ppcn.evaluation.metrics import pirm_scores
from ppcn.evaluation.protocols import Enhance, naturalness
from ppcn.files.artifacts import read_json
from ppcn.params import Params, Tables
from ppcn.photos.decode import read_photo

Row = dict[str, Any]
Report = Callable[[int, int, Mapping[str, float]], None]
DO_NOTHING = "do_nothing"


def read_costs(times: Path) -> Row:
    """What the benchmark measured: `networks` by name, and the `machine`.

    Raises:
        UserError: the file is missing or of another kind.
    """
    costs = read_json(times, FileKind.TIMES)
    if not {"networks", "machine"} <= costs.keys():
        raise UserError(f"{times}: not the times of a benchmark; name another file")
    return costs


def enhancement_rows(tables: Tables, seed: int) -> dict[str, Row]:
    """Every row of the enhancement table with its network, recipe, what was left out, and seeds.

    Args:
        tables: the rows.
        seed: that every row is trained with.
    """
    rows: dict[str, Row] = {DO_NOTHING: {}}
    for name, row in tables.enhancement.items():
        rows[name] = row.model_dump()
    for name, distilled in tables.distilled.items():
        rows[name] = {"network": "ppcn_student", **distilled.model_dump()}
    for name in (*tables.enhancement, *tables.distilled):
        rows[name]["seeds"] = tables.seeds_of(name, seed)
    return rows


def runs_of(name: str, row: Row) -> list[str]:
    """The trainings of a row, as their files are called: NAME, and NAME/SEED of further seeds."""
    return [name, *(f"{name}/{seed}" for seed in row.get("seeds", ())[1:])]


def compared(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The rows that are compared with each other: all but ablations of a loss."""
    return {n: row for n, row in rows.items() if row.get("without", "none") in ("none", "kd")}


def mean_naturalness(
    methods: Mapping[str, Enhance], photos: Sequence[Path], report: Report
) -> dict[str, Row]:
    """Mean NIQE of every method's whole photos, where it is defined, as `niqe`."""
    values: dict[str, list[float]] = {name: [] for name in methods}
    for done, path in enumerate(photos):
        photo = read_photo(path)
        for index, (name, enhance) in enumerate(methods.items(), start=1):
            if (value := naturalness(enhance(photo))) is not None:
                values[name].append(value)
            report(done * len(methods) + index, len(photos) * len(methods), {})
    return {name: {"niqe": float(np.mean(niqe))} for name, niqe in values.items() if niqe}


def enhancement_table(
    params: Params,
    rows: Mapping[str, Row],
    scores: Mapping[str, Any],
    natural: Mapping[str, Row],
    costs: Row,
    test_photos: int,
) -> Row:
    """The enhancement table.

    Args:
        params: all parameters.
        rows: what `enhancement_rows` gave, with what is known of the weights.
        scores: what `score_enhancement` gave for methods that are called as `runs_of` says.
        natural: what `mean_naturalness` gave for them.
        costs: what `read_costs` gave.
        test_photos: number of photos that the patches were cut from.
    """
    full: dict[str, Row] = {}
    methods = {run for name, row in rows.items() for run in runs_of(name, row)}
    for name, row in rows.items():
        runs = [{**scores[run], **natural.get(run, {})} for run in runs_of(name, row)]
        full[name] = {**row, **_mean_and_spread(runs)}
        if cost := costs["networks"].get(row.get("network")):
            full[name] |= {**cost, **_pirm(full[name], cost)}
    for name, rank in ranks(compared(full)).items():
        full[name]["rank"] = rank
    return {
        **{key: value for key, value in scores.items() if key not in methods},
        "phone": params.tables.phone,
        "test_photos": test_photos,
        "budget": params.baseline.model_dump(),
        "machine": costs["machine"],
        "rows": full,
        "ablation": ablations(rows),
    }


def sr_table(params: Params, names: Sequence[str], scores: Mapping[str, Any], costs: Row) -> Row:
    """The super-resolution table.

    Args:
        params: all parameters.
        names: of the rows.
        scores: what `score_sr` gave for methods of these names.
        costs: what `read_costs` gave.
    """
    return {
        **{key: value for key, value in scores.items() if key not in names},
        "budget": params.baseline_sr.model_dump(),
        "machine": costs["machine"],
        "rows": {name: {**scores[name], **costs["networks"].get(name, {})} for name in names},
    }


def ranks(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Places by PSNR: one more than the number of rows that are better by more than the spread.

    The spread of two rows is the larger of their sample standard deviations over seeds. A row of
    one seed has none and no place; do-nothing, which nothing is drawn for, has 0. Without a row of
    several seeds there are no places.
    """
    known = {
        name: (row["psnr"], row.get("spread", {}).get("psnr", 0.0))
        for name, row in rows.items()
        if "spread" in row or name == DO_NOTHING
    }
    if not any("spread" in row for row in rows.values()):
        return {}
    return {
        name: 1 + sum(other > psnr + max(spread, its) for other, its in known.values())
        for name, (psnr, spread) in known.items()
    }


def _mean_and_spread(runs: Sequence[Row]) -> Row:
    """Mean of every figure over runs and, of several, its sample standard deviation, `spread`."""
    if len(runs) == 1:
        return runs[0]
    values = {f: [run[f] for run in runs] for f in runs[0] if all(f in run for run in runs)}
    return {
        **{figure: float(np.mean(of_runs)) for figure, of_runs in values.items()},
        "spread": {figure: float(np.std(of_runs, ddof=1)) for figure, of_runs in values.items()},
    }


def ablations(rows: Mapping[str, Row]) -> dict[str, list[str]]:
    """For each row whose loss is whole, the rows of its network and recipe that lack a term."""
    lacking = {n: row for n, row in rows.items() if row.get("without", "none") != "none"}
    by_whole = {
        whole: [name for name, row in lacking.items() if _is_kin(row, of)]
        for whole, of in rows.items()
        if of.get("without") == "none"
    }
    return {whole: names for whole, names in by_whole.items() if names}


def _is_kin(row: Row, other: Row) -> bool:
    return all(row[key] == other[key] for key in ("network", "recipe"))


def _pirm(row: Row, cost: Mapping[str, float]) -> dict[str, float]:
    scores = pirm_scores("B", row["psnr"], row["ms_ssim"], 1 / cost["share_of_srcnn"])
    return {f"score_{name.lower()}": value for name, value in scores.items()}
