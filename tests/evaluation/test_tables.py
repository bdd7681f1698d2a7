"""The enhancement table: mean and spread over seeds, and ranks of what differs by more."""

from typing import Any

import pytest

from ppcn.evaluation.table_rows import (
    compared,
    enhancement_rows,
    enhancement_table,
    ranks,
    runs_of,
)
from ppcn.evaluation.tables import enhancement_markdown, sr_markdown
from ppcn.params import Params

COSTS = {
    "networks": {},
    "machine": {
        "processor": "p",
        "threads": 1,
        "runtime": "torch",
        "precision": "float32",
        "allocator": {},
    },
}
KEPT = ("ppcn_teacher", "srcnn", "mux_normal", "mux_normal_without_tv")


def params_with(params: Params, repeated: list[str], steps: int = 300, batch: int = 4) -> Params:
    rows = {name: params.tables.enhancement[name] for name in KEPT}
    repeat = params.tables.repeat.model_copy(update={"rows": repeated, "seeds": [15, 16]})
    tables = params.tables.model_copy(
        update={"enhancement": rows, "distilled": {}, "repeat": repeat}
    )
    baseline = params.baseline.model_copy(update={"steps": steps, "batch": batch})
    return params.model_copy(update={"tables": tables, "baseline": baseline})


def table_of(params: Params, psnrs: dict[str, float]) -> dict[str, Any]:
    rows = enhancement_rows(params.tables, 14)
    assert [*psnrs] == [run for name, row in rows.items() for run in runs_of(name, row)]
    scores: dict[str, Any] = {
        run: {"psnr": psnr, "ssim": 0.5, "ms_ssim": 0.9} for run, psnr in psnrs.items()
    }
    scores |= {"protocol": "pirm2018", "images": 2, "identical": 0}
    natural = {run: {"niqe": 5.0} for run in psnrs}
    return enhancement_table(params, rows, scores, natural, COSTS, test_photos=1)


ONCE = {
    "do_nothing": 19.0,
    "ppcn_teacher": 22.0,
    "srcnn": 21.0,
    "mux_normal": 20.0,
    "mux_normal_without_tv": 20.5,
}


def test_rows_of_one_seed_have_no_rank_and_the_page_says_why(params: Params) -> None:
    table = table_of(params_with(params, []), ONCE)
    assert not any({"rank", "spread"} & set(row) for row in table["rows"].values())
    assert table["rows"]["srcnn"]["seeds"] == [14]
    page = enhancement_markdown(table)
    assert "Every network was trained once, with seed 14" in page
    assert "have no rank" in page
    assert "| rank |" not in page
    assert "±" not in page
    assert "| +0.50 |" in page


REPEATED = {
    "do_nothing": 19.0,
    "ppcn_teacher": 22.0,
    "srcnn": 21.0,
    "srcnn/15": 21.2,
    "srcnn/16": 21.4,
    "mux_normal": 20.0,
    "mux_normal/15": 21.0,
    "mux_normal/16": 22.0,
    "mux_normal_without_tv": 20.5,
    "mux_normal_without_tv/15": 20.6,
    "mux_normal_without_tv/16": 20.7,
}


def test_rows_of_several_seeds_have_mean_spread_and_rank(params: Params) -> None:
    repeated = ["srcnn", "mux_normal", "mux_normal_without_tv"]
    table = table_of(params_with(params, repeated), REPEATED)
    rows = table["rows"]
    assert rows["mux_normal"]["psnr"] == pytest.approx(21.0)
    assert rows["mux_normal"]["spread"]["psnr"] == pytest.approx(1.0)
    assert rows["mux_normal"]["seeds"] == [14, 15, 16]
    assert rows["srcnn"]["spread"] == pytest.approx(
        {"psnr": 0.2, "ssim": 0, "ms_ssim": 0, "niqe": 0}
    )
    # 0.2 dB is less than the spread; do-nothing is worse by more; one seed, and ablations: no rank.
    assert {n: row["rank"] for n, row in rows.items() if "rank" in row} == {
        "do_nothing": 3,
        "srcnn": 1,
        "mux_normal": 1,
    }
    assert not {"srcnn/15", "srcnn"} & set(table)
    page = enhancement_markdown(table)
    assert "| mux normal | 1 | 21.00 ± 1.00 |" in page
    assert "| ppcn teacher |  | 22.00 |" in page
    assert "the mean of the seeds 14, 15, 16" in page
    assert "| (-0.40) |" in page


def test_a_rank_is_shared_within_the_spread_alone() -> None:
    def row(psnr: float, spread: float) -> dict[str, Any]:
        return {"psnr": psnr, "spread": {"psnr": spread}}

    rows = {"a": row(22, 0.1), "b": row(21.95, 0.1), "c": row(21.7, 0.1), "d": row(21.0, 0.9)}
    assert ranks(rows) == {"a": 1, "b": 1, "c": 3, "d": 3}
    assert ranks({"do_nothing": {"psnr": 19.0}, "a": {"psnr": 22.0}}) == {}


def test_ablations_are_compared_with_their_whole_loss_alone(params: Params) -> None:
    rows = enhancement_rows(params_with(params, []).tables, 14)
    assert set(rows) - set(compared(rows)) == {"mux_normal_without_tv"}


@pytest.mark.parametrize(
    "steps, batch, few", [(300, 4, True), (1999, 50, True), (2000, 50, False), (5000, 50, False)]
)
def test_a_short_budget_is_called_what_it_is(
    params: Params, steps: int, batch: int, few: bool
) -> None:
    page = enhancement_markdown(table_of(params_with(params, [], steps, batch), ONCE))
    assert f"{steps:,d} steps of batch {batch}: {steps * batch:,d} samples" in page
    assert ("shows that the rows train, not how good" in page) == few
    table = {"images": 1, "protocol": "p", "rows": {}, "machine": COSTS["machine"]}
    page = sr_markdown({**table, "budget": {"steps": steps, "batch": batch}})
    assert ("shows that the rows train" in page) == (steps * batch < 80_000)
