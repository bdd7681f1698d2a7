import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli.hints import maker_of
from ppcn.errors import FileError
from ppcn.files.artifacts import write_csv
from ppcn.report.charts import MOST_POINTS, Axis, columns_of, curves, histogram, read_columns


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 12), (20.1, 20.4), (5, 5), (0, 0)])
def test_values_are_evenly_placed_and_ticks_are_where_they_say(low: float, high: float) -> None:
    axis = Axis([low, high], 40, 300)
    middle = axis.place((low + high) / 2)
    assert middle == pytest.approx((axis.place(low) + axis.place(high)) / 2, abs=0.1)
    assert 40 <= axis.place(low) <= axis.place(high) <= 300
    ticks = axis.ticks(5)
    assert len(ticks) >= 2
    # A label has three digits.
    assert all(
        tick.place == pytest.approx(axis.place(float(tick.label)), abs=260 * 0.1) for tick in ticks
    )


def test_large_ratios_are_logarithmic_but_not_those_with_zero() -> None:
    axis = Axis([1, 1000], 0, 300, may_be_logarithmic=True)
    assert axis.logarithmic
    assert axis.place(10) - axis.place(1) == pytest.approx(
        axis.place(100) - axis.place(10), abs=0.2
    )
    assert [tick.label for tick in axis.ticks(5)] == ["1", "10", "100", "1k"]
    assert not Axis([0, 1000], 0, 300, may_be_logarithmic=True).logarithmic
    assert not Axis([1, 20], 0, 300, may_be_logarithmic=True).logarithmic


def test_every_run_that_has_a_column_is_a_line_of_its_panel() -> None:
    logs = {
        "a": {"step": [50.0, 100.0], "psnr": [20.0, 22.0], "loss": [9.0, 3.0], "kd": [1.0, 0.5]},
        "b": {"step": [100.0, 200.0], "psnr": [21.0, math.nan], "loss": [8.0, 2.0]},
    }
    chart = curves("Training", "", logs)
    assert chart.names == ["a", "b"]
    assert [panel.title for panel in chart.panels] == [
        "PSNR on validation photos, dB",
        "total loss",
        "distillation",
    ]
    psnr, loss, distillation = chart.panels
    assert [line.name for line in distillation.lines] == ["a"]
    values = json.loads(psnr.values)
    assert [run["name"] for run in values] == ["a", "b"]
    assert [point[:2] for point in values[0]["points"]] == [["50", "20"], ["100", "22"]]
    assert [point[:2] for point in values[1]["points"]] == [["100", "21"]]
    for line, run in zip(loss.lines, json.loads(loss.values), strict=True):
        assert line.points == " ".join(f"{x:g},{y:g}" for _, _, x, y in run["points"])
    # Upwards on the page is a smaller y.
    assert json.loads(loss.values)[0]["points"][1][3] > json.loads(loss.values)[0]["points"][0][3]


def test_long_logs_are_thinned_and_keep_their_ends() -> None:
    steps = [float(n) for n in range(20_000)]
    (panel,) = curves("", "", {"a": {"step": steps, "loss": steps}}, ["loss"]).panels
    points = json.loads(panel.values)[0]["points"]
    assert len(points) == MOST_POINTS
    assert [points[0][0], points[-1][0]] == ["0", "19999"]


def test_bars_are_as_high_as_their_counts() -> None:
    counts, edges = np.histogram(np.random.default_rng(0).normal(size=1000), 8)
    panel = histogram("x", counts.tolist(), edges.tolist())
    heights = [bar.height for bar in panel.bars]
    assert np.corrcoef(heights, counts)[0, 1] > 0.9999
    assert max(bar.y + bar.height for bar in panel.bars) <= panel.frame[3]
    assert [int(bar.label.split(": ")[1]) for bar in panel.bars] == counts.tolist()


@pytest.mark.parametrize("text", ["", "step,loss\n", "loss,psnr\n1,2\n", "step,loss\n1,x\n", "\0"])
def test_what_is_no_log_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "metrics/student/iphone.csv"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(FileError, match=re.escape(f"{path}: not the log of a training")) as refused:
        read_columns(path)
    assert maker_of(refused.value) == "ppcn-pipeline student --phone iphone"


def test_a_log_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "a.csv", [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 1.5, "psnr": 20.0}]
    )
    columns = read_columns(tmp_path / "a.csv")
    assert columns["loss"] == [2.5, 1.5]
    assert math.isnan(columns["psnr"][0])
    assert columns_of([{"step": "1", "x": ""}])["step"] == [1.0]
