from pathlib import Path

import numpy as np
import pytest

from ppcn.dataset.decisions import (
    Decision,
    Decisions,
    Verdict,
    decision_of,
    read_decisions,
    write_decisions,
)
from ppcn.errors import UserError

POINTS = (
    (1.0, 2.0, 3.25, 4.0),
    (100.0, 2.0, 90.0, 4.0),
    (1.0, 80.0, 3.0, 70.5),
    (9.0, 9.0, 8.0, 8.0),
)
HEADER = "stem,verdict,points\n"
FOUR = "1 2 3 4; 100 2 90 4; 1 80 3 70; 90 90 80 80"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "iphone.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    by_stem = {
        "0001": Decision(Verdict.ACCEPT),
        'a, "b"': Decision(Verdict.REJECT),
        "café": decision_of("points", POINTS),
        "=1+1": Decision(Verdict.REJECT),
    }
    decisions = Decisions(tmp_path / "new/iphone.csv", by_stem)
    write_decisions(decisions)
    assert read_decisions(decisions.path) == decisions
    assert [path.name for path in decisions.path.parent.iterdir()] == ["iphone.csv"]
    assert np.array_equal(decisions.by_stem["café"].array, np.array(POINTS))
    lines = decisions.path.read_text().splitlines()
    assert lines[0] == HEADER.strip()
    assert [line.split(",")[0] for line in lines[1:]] == ["0001", "=1+1", '"a', "café"]


def test_a_missing_file_is_no_decision(tmp_path: Path) -> None:
    assert not read_decisions(tmp_path / "iphone.csv").by_stem


def test_a_spreadsheet_may_have_written_it(tmp_path: Path) -> None:
    """With a byte-order mark, other line ends, spaces and empty lines."""
    text = f"\ufeffstem , verdict,points\r\n\r\n 1 ,reject,\r\nb,points,{FOUR};\r\n"
    decisions = read_decisions(written(tmp_path, text))
    assert decisions.matched(["0001", "b"])["0001"].verdict is Verdict.REJECT
    assert len(decisions.by_stem["b"].points) == 4


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: the header must be stem,verdict,points, not ''"),
        ("stem,verdict\n", "line 1: the header must be"),
        (f"{HEADER}a,reject\n", "line 2: 2 cells below 3 columns"),
        (f"{HEADER}a,reject,,\n", "line 2: 4 cells below 3 columns"),
        (f"{HEADER}a,rejct,\n", "line 2: the verdict 'rejct' is none of .* nearest is 'reject'"),
        (f"{HEADER}a,,\n", "line 2: the verdict '' is none of"),
        (f"{HEADER},reject,\n", "line 2: the stem is missing"),
        (f"{HEADER}a,reject,\nb,accept,\na,accept,\n", "line 4: 'a' is already in line 2"),
        (f"{HEADER}a,accept,{FOUR}\n", "line 2: points stand beside the verdict 'accept'"),
        (f"{HEADER}a,points,\n", "line 2: 0 pairs of points are too few; set 4 or more"),
        (f"{HEADER}a,points,1 2 3 4; 5 6 7 8\n", "line 2: 2 pairs of points are too few"),
        (f"{HEADER}a,points,{FOUR}; 1 2 3\n", "line 2: '1 2 3' is not four numbers"),
        (f"{HEADER}a,points,{FOUR}; 1 2 3 x\n", "line 2: '1 2 3 x' is not four numbers"),
        (f"{HEADER}a,points,{FOUR}; 1 2 3 nan\n", "line 2: a point is no finite number"),
        (f"{HEADER}a,points,{FOUR}; 1 2 3 inf\n", "line 2: a point is no finite number"),
        (f'{HEADER}"a,reject,\n', "line 2: no CSV"),
        (HEADER.encode() + b"a\xff,reject,\n", "line 2: not UTF-8"),
    ],
)
def test_damage_is_named_with_file_and_line(
    tmp_path: Path, text: str | bytes, problem: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UserError, match=problem) as caught:
        read_decisions(path)
    assert str(caught.value).startswith(f"{path}, line ")
    assert "\n" not in str(caught.value)


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"iphone\.csv: cannot be read"):
        (tmp_path / "iphone.csv").mkdir()
        read_decisions(tmp_path / "iphone.csv")


def test_names_match_as_elsewhere(tmp_path: Path) -> None:
    text = f"{HEADER}7,reject,\nCafe\u0301,accept,\nghost,reject,\n"
    decisions = read_decisions(written(tmp_path, text))
    stems = ["0007", "café", "b"]
    assert {s: d.verdict.value for s, d in decisions.matched(stems).items()} == {
        "0007": "reject",
        "café": "accept",
    }
    assert decisions.unknown(stems) == ["ghost"]


def test_two_names_of_one_pair_are_refused(tmp_path: Path) -> None:
    decisions = read_decisions(written(tmp_path, f"{HEADER}7,reject,\n0007,accept,\n"))
    with pytest.raises(UserError, match="'7' and '0007' both name the pair '0007'"):
        decisions.matched(["0007"])


def test_one_decision_changes_and_the_others_stay(tmp_path: Path) -> None:
    decisions = read_decisions(written(tmp_path, f"{HEADER}7,reject,\nghost,reject,\n"))
    changed = decisions.with_decision("0007", Decision(Verdict.ACCEPT), ["0007", "b"])
    assert {s: d.verdict.value for s, d in changed.by_stem.items()} == {
        "ghost": "reject",
        "0007": "accept",
    }
    assert set(changed.with_decision("0007", None, ["0007"]).by_stem) == {"ghost"}
