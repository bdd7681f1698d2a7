import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import PARAMS

from pipeline.cli.hints import maker_of
from pipeline.stages.report import report
from ppcn.errors import FileError, UserError
from ppcn.files.artifacts import write_csv, write_json
from ppcn.photos.decode import write_photo

PAIRS, REFUSED = 30, 53
REASONS = {"outside_overlap": 0, "flat": 0, "low_correlation": 7}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Metrics and pictures of a run: pair number n has n kept windows, the first an odd name."""
    _write_scores(tmp_path / "metrics")
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
    pairs = {"pairs": len(aligned), "refused": reasons, "unpaired": unpaired}
    write_json(metrics / "align/iphone.json", pairs)
    rows = [{"stem": s, "split": "train", "kept": n, **REASONS} for n, s in enumerate(stems)]
    write_csv(metrics / "patches/iphone.csv", rows)
    histogram = {"edges": [0.9, 0.95, 1], "counts": [41234, 3]}
    histograms = {"ncc": histogram, "shift_px": histogram}
    write_json(metrics / "patches/iphone.json", {"kept": 435, "histograms": histograms})
    for number, stem in enumerate(stems):
        picture = np.full((4, 6, 3), 8 * number, np.uint8)
        write_photo(tmp_path / f"quicklook/iphone/{stem}.jpg", picture)
    return tmp_path


def _write_scores(metrics: Path) -> None:
    score = {"psnr": 20.0}
    scores = {"protocol": "p", "images": 1, "do_nothing": score, "teacher": score, "student": score}
    write_json(metrics / "evaluate/iphone.json", scores)
    scores = {"protocol": "p", "images": 1, "bicubic": score, "ppcn_sr": score}
    write_json(metrics / "evaluate/sr.json", scores)
    for name in ("teacher/iphone", "student/iphone", "sr/ppcn_sr"):
        write_csv(metrics / f"{name}.csv", [{"step": 1, "loss": 2.0, "psnr": 20.0}])
    write_json(metrics / "accuracy/iphone.json", {"truth": "rig"})
    for name in ("iphone", "sr"):
        (metrics.parent / "pictures" / name).mkdir(parents=True)


def _page(folder: Path) -> str:
    places = (folder / name for name in ("metrics", "pictures", "quicklook", "index.html"))
    report(*places, params_file=PARAMS)
    return (folder / "index.html").read_text()


def _table(page: str, title: str) -> list[list[str]]:
    found = re.search(rf"<caption>{title}</caption>(.*?)</table>", page, re.DOTALL)
    assert found, title
    rows = re.findall(r"<tr>(.*?)</tr>", found[1], re.DOTALL)
    return [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in rows]


def test_the_pairs_with_the_fewest_windows_are_listed_with_their_figures(folder: Path) -> None:
    header, *rows = _table(_page(folder), "Pairs with the fewest kept windows")
    assert header[-4:] == ["agreement", "overlap", "kept", "low correlation"]
    assert [row[-2] for row in rows] == [str(kept) for kept in range(20)]
    assert rows[0][0] == "&lt;b&gt;&amp; co"
    assert rows[3] == ["pair-03", "train", "90", "60", "0.46", "99%", "88%", "3", "7"]


def test_refused_pairs_and_lonely_photos_are_listed_up_to_a_limit(folder: Path) -> None:
    page = _page(folder)
    rows = _table(page, "Rejected pairs")
    assert rows[1:] == [[f"bad-{n:02}", f"only {n} keypoint matches"] for n in range(50)]
    assert f"and 3 more, see {folder / 'metrics/align/iphone.json'}" in page
    assert _table(page, "Photos without a partner")[1][0] == "iphone/lonely.jpg"
    assert _table(page, "Align") == [["pairs", "83"]]


def test_a_run_without_refusals_has_no_table_of_them(folder: Path) -> None:
    write_json(folder / "metrics/align/iphone.json", {"refused": {}, "unpaired": {}})
    page = _page(folder)
    assert "Rejected pairs" not in page
    assert "without a partner" not in page


def test_the_best_and_the_poorest_pairs_are_shown(folder: Path) -> None:
    page = _page(folder)
    shown = re.findall(r"<figcaption>(.*): (\d+) of (\d+) windows kept; matches 90, .*<", page)
    kept = (29, 28, 27, 0, 1, 2, 3, 4, 5)
    stems = [f"pair-{number:02}" if number else "&lt;b&gt;&amp; co" for number in kept]
    assert shown == [(s, str(n), str(n + 7)) for s, n in zip(stems, kept, strict=True)]
    assert page.count("data:image/jpeg") == len(kept)


def test_few_pairs_are_shown_once(folder: Path) -> None:
    rows = (folder / "metrics/patches/iphone.csv").read_text().splitlines()
    (folder / "metrics/patches/iphone.csv").write_text("\n".join(rows[:8]))
    assert _page(folder).count("data:image/jpeg") == 7


def test_histograms_are_drawn_not_listed(folder: Path) -> None:
    page = _page(folder)
    assert _table(page, "Patches") == [["kept", "435"]]
    assert "41234" not in page
    assert page.count("data:image/svg+xml") == 3


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
def test_what_is_missing_is_named_with_its_command(folder: Path, missing: str, stage: str) -> None:
    path = folder / missing
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    with pytest.raises(FileError, match=f"{path}") as refused:
        _page(folder)
    assert maker_of(refused.value) == f"ppcn-pipeline {stage} --phone iphone"
    assert not (folder / "index.html").exists()


def test_metrics_of_another_version_are_refused_by_name(folder: Path) -> None:
    path = folder / "metrics/patches/iphone.json"
    path.write_text(json.dumps({"kept": 435}))
    with pytest.raises(FileError, match=r"iphone\.json: no histograms"):
        _page(folder)
    path = folder / "metrics/align/iphone.csv"
    text = path.read_text()
    path.write_text(text.replace("agreement", "likeness"))
    with pytest.raises(FileError, match=r"iphone\.csv: has no column 'agreement'"):
        _page(folder)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match=r"iphone\.csv: not a CSV file"):
        _page(folder)
    path.write_text(text.replace("pair-07", "other"))
    with pytest.raises(UserError, match="'pair-07' was cut but not aligned"):
        _page(folder)
