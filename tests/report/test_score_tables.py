import json
from pathlib import Path

import pytest
from conftest import ROOT

from ppcn.errors import FileError
from ppcn.files.artifacts import read_json, write_json
from ppcn.report.blocks import Table
from ppcn.report.score_tables import (
    BICUBIC,
    DO_NOTHING,
    enhancement_table,
    photo_table,
    read_scores,
    sr_table,
    tables_of_papers,
    time_table,
)

EVALUATED = ROOT / "metrics/evaluate"
TIMES = ROOT / "metrics/benchmark/networks.json"


def cell(table: Table, row: str, group: str, column: str) -> str:
    """A cell by the titles over and beside it."""
    names = [name for name, span in table.groups for _ in range(span)]
    index = next(
        n
        for n, pair in enumerate(zip(names, table.columns, strict=True))
        if pair == (group, column)
    )
    return next(cells[index] for cells in table.rows if cells[0] == row)


def test_scores_stand_beside_ppcn_table_3() -> None:
    scores = read_scores(EVALUATED / "iphone.json", DO_NOTHING)
    table = enhancement_table(scores, read_json(TIMES)["networks"])
    assert "Protocol pirm2018" in table.note
    assert cell(table, "teacher", "PSNR, dB", "PPCN") == "22.96"
    assert cell(table, "student", "MS-SSIM", "PPCN") == "0.9244"
    assert cell(table, "student", "CPU, ms", "PPCN") == "392"
    assert cell(table, "do nothing", "PSNR, dB", "PPCN") == ""
    assert cell(table, "student", "PSNR, dB", "measured") == f"{scores['student']['psnr']:.2f}"


def test_whole_photos_have_their_own_protocol_and_no_papers() -> None:
    table = photo_table(read_json(EVALUATED / "iphone.json")["photo"])
    assert "Protocol photo" in table.note
    assert not table.groups
    assert "windows made worse" in table.columns


def test_super_resolution_stands_beside_ppcn_table_1() -> None:
    table = sr_table(read_scores(EVALUATED / "sr.json", BICUBIC), {})
    group = "PPCN Table 1, PSNR / SSIM"
    assert cell(table, "bicubic", group, "Set5") == "28.42 / 0.8104"
    assert cell(table, "ppcn sr", group, "Manga109") == "28.93 / 0.8847"


def test_the_papers_tables_say_budget_seeds_and_both_papers() -> None:
    tables = {table.title: table for table in tables_of_papers(ROOT / "metrics/tables")}
    table = tables["Enhancement: every network"]
    stored = read_json(ROOT / "metrics/tables/enhancement.json")
    steps, batch = stored["budget"]["steps"], stored["budget"]["batch"]
    assert f"{steps:,d} steps of batch {batch}, seed" in table.note
    assert f"{steps * batch / 1e6:.2%} of the paper's 1,000,000" in table.note
    assert cell(table, "srcnn", "PSNR, dB", "PPCN") == "21.32"
    assert cell(table, "srcnn", "PSNR, dB", "BOE") == "19.27"
    assert cell(table, "mux normal", "NIQE", "BOE") == "6.00"
    assert cell(table, "dped resnet 12 64", "CPU, ms", "PPCN") == "10701"
    ablation = tables["Enhancement: ablation of the loss boe"]
    assert cell(ablation, "mux normal without l1", "PSNR, dB", "BOE") == "21.79"
    assert "Super-resolution x4: every network" in tables


def test_several_seeds_are_named_and_have_their_spread(tmp_path: Path) -> None:
    stored = json.loads((ROOT / "metrics/tables/sr.json").read_text())
    row = stored["rows"]["ppcn_sr"]
    row |= {"psnr": 30.0, "spread": {"psnr": 0.25}, "seeds": [14, 15]}
    write_json(tmp_path / "sr.json", stored)
    (table,) = tables_of_papers(tmp_path)
    assert "seeds 14, 15;" in table.note
    assert cell(table, "ppcn sr", "measured", "PSNR, dB") == "30.00 ± 0.25"


def test_tables_that_were_not_made_are_left_out_and_damaged_ones_refused(tmp_path: Path) -> None:
    assert tables_of_papers(tmp_path) == []
    write_json(tmp_path / "sr.json", {"rows": []})
    with pytest.raises(FileError, match=r"sr\.json: not a table of this version"):
        tables_of_papers(tmp_path)


def test_times_say_on_what_they_were_measured() -> None:
    table = time_table(read_json(TIMES))
    assert all(text in table.note for text in ("1280x720", "threads", "float32", "torch"))
    assert cell(table, "ppcn student", "CPU, ms", "PPCN") == "392"
    assert cell(table, "mux normal", "CPU, ms", "BOE") == "1148"


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"protocol": "p", "images": 1, "student": {"psnr": 2}}, "no scores beside do nothing"),
        ({"do_nothing": {"psnr": 1}, "student": {"psnr": 2}}, "no scores beside do nothing"),
        ({"protocol": "p", "images": 1, "do_nothing": {"psnr": 1}}, "scores of do nothing alone"),
    ],
)
def test_scores_without_what_they_need_are_refused(
    tmp_path: Path, scores: dict[str, object], message: str
) -> None:
    write_json(tmp_path / "iphone.json", scores)
    with pytest.raises(FileError, match=message):
        read_scores(tmp_path / "iphone.json", DO_NOTHING)


def test_an_infinite_score_is_said_to_be(tmp_path: Path) -> None:
    scores = {"protocol": "p", "images": 1, "do_nothing": {"psnr": None}, "student": {"psnr": 2.0}}
    write_json(tmp_path / "iphone.json", {**scores, "teacher": {"psnr": 3.0}})
    table = enhancement_table(read_scores(tmp_path / "iphone.json", DO_NOTHING), {})
    assert cell(table, "do nothing", "PSNR, dB", "measured") == "infinite"
