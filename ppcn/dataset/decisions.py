"""What a person decided about pairs: a CSV file for each phone, `stem,verdict,points`.

Points are written `px py rx ry; px py rx ry; ...`: x and y in the phone's photo, x and y in the
reference photo; px, pixel centres, origin 0, after EXIF orientation.
"""

import csv
import io
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np

from ppcn.errors import UserError, nearest
from ppcn.files.artifacts import replacing
from ppcn.files.csv_table import read_table
from ppcn.files.names import composed, matching_name, padded_name
from ppcn.registration.geometry import Array
from ppcn.registration.hand_points import FEWEST

COLUMNS = ["stem", "verdict", "points"]

Points = tuple[tuple[float, float, float, float], ...]


class Verdict(StrEnum):
    """What was decided about a pair."""

    ACCEPT = "accept"
    REJECT = "reject"
    POINTS = "points"


@dataclass(frozen=True)
class Decision:
    """What was decided about one pair.

    Attributes:
        verdict: to accept it whatever its finished alignment looks like, to reject it, or to align
            it from points.
        points: phone x and y, reference x and y of each, px to two decimals; none unless the
            verdict is POINTS.
    """

    verdict: Verdict
    points: Points = ()

    @property
    def array(self) -> Array:
        """The points, (N, 4) float64."""
        return np.array(self.points, np.float64).reshape(-1, 4)


def decision_of(verdict: str, points: Points) -> Decision:
    """A decision by its name in files.

    Args:
        verdict: "accept", "reject" or "points".
        points: phone x and y, reference x and y of each, px; rounded to two decimals.

    Raises:
        UserError: no such verdict, too few points, points that are no finite numbers, or points
            beside another verdict.
    """
    if verdict not in [*Verdict]:
        near = nearest(verdict, Verdict)
        raise UserError(
            f"the verdict '{verdict}' is none of {', '.join(Verdict)}; the nearest is '{near}'"
        )
    if points and verdict != Verdict.POINTS:
        raise UserError(f"points stand beside the verdict '{verdict}'; leave one of them out")
    if verdict == Verdict.POINTS and len(points) < FEWEST:
        raise UserError(f"{len(points)} pairs of points are too few; set {FEWEST} or more")
    if not all(math.isfinite(value) for point in points for value in point):
        raise UserError("a point is no finite number")
    rounded = tuple((round(a, 2), round(b, 2), round(c, 2), round(d, 2)) for a, b, c, d in points)
    return Decision(Verdict(verdict), rounded)


@dataclass(frozen=True)
class Decisions:
    """The decisions of one phone.

    Attributes:
        path: the file.
        by_stem: what was decided, by the stem as the file has it.
    """

    path: Path
    by_stem: Mapping[str, Decision] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.by_stem)

    def names(self, stems: Collection[str]) -> dict[str, str]:
        """What the file calls the pairs about which it decides, by their own stems.

        Names match if they differ in case, in Unicode's composition or in zero padding alone.

        Raises:
            UserError: two names of the file are one pair.
        """
        names: dict[str, str] = {}
        # Cells of a CSV file have no space around them.
        stripped = {stem.strip(): stem for stem in stems}
        for name in self.by_stem:
            key = matching_name(name.strip(), stripped) or padded_name(name, stripped)
            stem = None if key is None else stripped[key]
            if stem is None:
                continue
            if stem in names:
                raise UserError(
                    f"{self.path}: '{names[stem]}' and '{name}' both name the pair '{stem}'; "
                    "remove one line"
                )
            names[stem] = name
        return names

    def matched(self, stems: Collection[str]) -> dict[str, Decision]:
        """The decisions about known pairs, by their own stems.

        Raises:
            UserError: two names of the file are one pair.
        """
        return {stem: self.by_stem[name] for stem, name in self.names(stems).items()}

    def unknown(self, stems: Collection[str]) -> list[str]:
        """What the file decides about and is none of the pairs."""
        known = set(self.names(stems).values())
        return [name for name in self.by_stem if name not in known]

    def with_decision(
        self, stem: str, decision: Decision | None, stems: Collection[str]
    ) -> "Decisions":
        """The same but for one pair; None leaves its decision out."""
        changed = dict(self.by_stem)
        changed.pop(self.names(stems).get(stem, stem), None)
        if decision:
            changed[stem] = decision
        return Decisions(self.path, changed)


def read_decisions(path: Path) -> Decisions:
    """Read the decisions of a phone; none where there is no file.

    Raises:
        UserError: the file cannot be read, or a line of it is damaged.
    """
    if not path.exists():
        return Decisions(path)
    by_stem: dict[str, Decision] = {}
    lines: dict[str, int] = {}
    for line, row in read_table(path, _header_problem):
        stem = composed(row["stem"])
        if not stem:
            raise UserError(f"{path}, line {line}: the stem is missing")
        if stem in by_stem:
            raise UserError(f"{path}, line {line}: '{stem}' is already in line {lines[stem]}")
        try:
            by_stem[stem] = decision_of(row["verdict"], _read_points(row["points"]))
        except UserError as error:
            raise UserError(f"{path}, line {line}: {error}") from None
        lines[stem] = line
    return Decisions(path, by_stem)


def write_decisions(decisions: Decisions) -> None:
    """Write the decisions of a phone in order of the stems: all of them, or nothing."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for stem, decision in sorted(decisions.by_stem.items()):
        writer.writerow([stem, decision.verdict.value, _points_text(decision.points)])
    with replacing(decisions.path) as temporary:
        temporary.write_text(buffer.getvalue(), encoding="utf-8", newline="")


def _header_problem(header: list[str]) -> str | None:
    """What is wrong with the header of a file of decisions."""
    if header == COLUMNS:
        return None
    return f"the header must be {','.join(COLUMNS)}, not '{','.join(header)}'"


def _read_points(text: str) -> Points:
    """The points of a cell.

    Raises:
        UserError: a part of it is not four numbers.
    """
    points = []
    for part in filter(str.strip, text.split(";")):
        try:
            a, b, c, d = map(float, part.split())
        except ValueError:
            raise UserError(
                f"'{part.strip()[:60]}' is not four numbers 'px py rx ry'; put ';' between points"
            ) from None
        points.append((a, b, c, d))
    return tuple(points)


def _points_text(points: Points) -> str:
    """The cell of some points."""
    return "; ".join(" ".join(f"{value:.2f}" for value in point) for point in points)
