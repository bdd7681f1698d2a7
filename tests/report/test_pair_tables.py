import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli.hints import maker_of
from ppcn.errors import FileError, UserError
from ppcn.files.artifacts import write_csv, write_json
from ppcn.params import Params
from ppcn.photos.decode import write_photo
from ppcn.report.page import Page, render
from ppcn.report.sections import Run, pairs

PAIRS, REFUSED = 30, 53
REASONS = {"outside_overlap": 0, "flat": 0, "low_correlation": 7}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Metrics and pictures of a run: pair number n has n kept windows, the first an odd name."""
    write_json(tmp_path / "metrics/accuracy/iphone.json", {"truth": "rig"})
    stems = ["<b>& co", *(f"pair-{number:02}" for number in range(1, PAIRS))]
    figures = {"matches": 90, "inliers": 60, "residual_px": 0.456, "agreement": 0.987}
    aligned = [
        {"stem": stem, "status": "ok", **figures, "overlap": 0.876, "scene": stem} for stem in stems
    ]
    reasons = {f"bad-{number:02}": f"only {number} keypoint matches" for number in range(REFUSED)}
    for stem, reason in reasons.items():
        aligned.append(
            {"stem": stem, "status": reason, **dict.fromkeys((*figures, "overlap", "scene"), 0)}
        )
    metrics = tmp_path / "metrics"
    write_csv(metrics / "align/iphone.csv", aligned)
    unpaired = {"iphone/lonely.jpg": "canon has no photo of that name"}
    counts = {"pairs": len(aligned), "aligned": PAIRS, "refused": reasons, "unpaired": unpaired}
    write_json(metrics / "align/iphone.json", counts)
    rows = [{"stem": s, "split": "train", "kept": n, **REASONS} for n, s in enumerate(stems)]
    write_csv(metrics / "patches/iphone.csv", rows)
    histogram = {"edges": [0.9, 0.95, 1], "counts": [41234, 3]}
    histograms = {"ncc": histogram, "shift_px": histogram}
    write_json(metrics / "patches/iphone.json", {"kept": 435, "histograms": histograms})
    for number, stem in enumerate(stems):
        picture = np.full((4, 6, 3), 8 * number, np.uint8)
        write_photo(tmp_path / f"quicklook/iphone/{stem}.jpg", picture)
    return tmp_path


def _pairs(folder: Path, params: Params) -> str:
    """The section of the pairs as part of a page."""
    data = folder / "data"
    run = Run(params, folder / "metrics", data, data, folder / "quicklook", data, data)
    return render(Page("", "", [], [], [], [pairs(run, "iphone")], ""))


def _table(page: str, title: str) -> list[list[str]]:
    found = re.search(rf"<h3>{title}</h3>.*?(<table.*?)</table>", page, re.DOTALL)
    assert found, title
    rows = re.findall(r"<tr>(.*?)</tr>", found[1], re.DOTALL)
    cell = re.compile(r"<t[hd][^>]*>(?:<button[^>]*>)?(.*?)(?:</button>)?</t[hd]>")
    return [cell.findall(row) for row in rows]


def test_the_pairs_with_the_fewest_windows_are_listed_with_their_figures(
    folder: Path, params: Params
) -> None:
    header, *rows = _table(_pairs(folder, params), "Pairs with the fewest kept windows")
    assert header[-4:] == ["agreement", "overlap", "kept", "low correlation"]
    assert [row[-2] for row in rows] == [str(kept) for kept in range(20)]
    assert rows[0][0] == "&lt;b&gt;&amp; co"
    assert rows[3] == ["pair-03", "train", "90", "60", "0.46", "99%", "88%", "3", "7"]


def test_refused_pairs_and_lonely_photos_are_listed_up_to_a_limit(
    folder: Path, params: Params
) -> None:
    page = _pairs(folder, params)
    rows = _table(page, "Rejected pairs")
    assert rows[1:] == [[f"bad-{n:02}", f"only {n} keypoint matches"] for n in range(50)]
    assert f"and 3 more, see {folder / 'metrics/align/iphone.json'}" in page
    assert _table(page, "Photos without a partner")[1][0] == "iphone/lonely.jpg"
    assert _table(page, "Align") == [["pairs", "83"], ["aligned", "30"]]


def test_a_run_without_refusals_has_no_table_of_them(folder: Path, params: Params) -> None:
    counts = {"pairs": 3, "aligned": 3, "refused": {}, "unpaired": {}}
    write_json(folder / "metrics/align/iphone.json", counts)
    page = _pairs(folder, params)
    assert "Rejected pairs" not in page
    assert "without a partner" not in page


def test_the_best_and_the_poorest_pairs_are_shown(folder: Path, params: Params) -> None:
    page = _pairs(folder, params)
    shown = re.findall(r"<figcaption>(.*): (\d+) of (\d+) windows kept; matches 90, .*<", page)
    kept = (29, 28, 27, 0, 1, 2, 3, 4, 5)
    stems = [f"pair-{number:02}" if number else "&lt;b&gt;&amp; co" for number in kept]
    assert shown == [(s, str(n), str(n + 7)) for s, n in zip(stems, kept, strict=True)]
    assert page.count("data:image/jpeg") == len(kept)


def test_few_pairs_are_shown_once(folder: Path, params: Params) -> None:
    rows = (folder / "metrics/patches/iphone.csv").read_text().splitlines()
    (folder / "metrics/patches/iphone.csv").write_text("\n".join(rows[:8]))
    assert _pairs(folder, params).count("data:image/jpeg") == 7


def test_histograms_are_drawn_not_listed(folder: Path, params: Params) -> None:
    page = _pairs(folder, params)
    assert _table(page, "Patches") == [["kept", "435"]]
    assert page.count('class="bar"') == 4 + 2 * int(np.ceil(2 * PAIRS ** (1 / 3)))
    assert "<title>0.9 to 0.95: 41234</title>" in page


@pytest.mark.parametrize(
    ("missing", "stage"),
    [
        ("metrics/align/iphone.csv", "align"),
        ("metrics/align/iphone.json", "align"),
        ("metrics/patches/iphone.csv", "patches"),
        ("metrics/patches/iphone.json", "patches"),
        ("metrics/accuracy/iphone.json", "accuracy"),
        ("quicklook/iphone/pair-29.jpg", "patches"),
        ("quicklook", "patches"),
    ],
)
def test_what_is_missing_is_named_with_its_command(
    folder: Path, params: Params, missing: str, stage: str
) -> None:
    path = folder / missing
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    with pytest.raises(FileError, match=f"{path}") as refused:
        _pairs(folder, params)
    assert maker_of(refused.value) == f"ppcn-pipeline {stage} --phone iphone"


def test_metrics_of_another_version_are_refused_by_name(folder: Path, params: Params) -> None:
    path = folder / "metrics/patches/iphone.json"
    path.write_text(json.dumps({"kept": 435}))
    with pytest.raises(FileError, match=r"iphone\.json: no histograms"):
        _pairs(folder, params)
    path = folder / "metrics/align/iphone.csv"
    text = path.read_text()
    path.write_text(text.replace("agreement", "likeness"))
    with pytest.raises(FileError, match=r"iphone\.csv: has no column 'agreement'"):
        _pairs(folder, params)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match=r"iphone\.csv: not a CSV file"):
        _pairs(folder, params)
    path.write_text(text.replace("pair-07", "other"))
    with pytest.raises(UserError, match="'pair-07' was cut but not aligned"):
        _pairs(folder, params)
