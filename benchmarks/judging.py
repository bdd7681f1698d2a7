"""Whether two pictures are the same, by the readings of several programs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from exiftool import ExifTool, Tags
from numpy.typing import NDArray
from outside_reader import Reading, readings

# Mean differences in levels of 255: of what is exact, and of what only a camera or printer knows.
EXACT, ROUGH = 1.0, 40.0


@dataclass
class Judgement:
    """What became of a photo on one route.

    Attributes:
        outcome: right, WRONG, unjudged; and others where there is no result.
        why: the sentence, the exception, or what is wrong.
        levels: mean difference, of 255; None where it was not measured.
        by: which programs' readings it is between.
    """

    outcome: str
    why: str = ""
    levels: float | None = None
    by: str = ""


class Opinions:
    """Readings of a photo, each made when it is first asked for."""

    def __init__(self, path: Path, tags: Tags, exiftool: ExifTool) -> None:
        self._made: list[Reading] = []
        self._rest = readings(path, tags, exiftool)

    def __iter__(self) -> Iterator[Reading]:
        yield from self._made
        for reading in self._rest:
            self._made.append(reading)
            yield reading


def nearest(
    before: Iterable[Reading],
    after: Opinions | list[Reading],
    limit: float = EXACT,
    asks_alpha: bool = True,
) -> Judgement:
    """The judgement by those two readings that agree best; the first that agree will do."""
    best = Judgement("unjudged")
    for one in before:
        best.by = best.by or one.by
        for other in after:
            allowed = limit if one.is_exact else ROUGH
            found = _compare(one, other, allowed, asks_alpha)
            if best.levels is None or (found.levels or 0) < best.levels:
                best = found
            if found.outcome == "right":
                return found
    return best


def _compare(one: Reading, other: Reading, allowed: float, asks_alpha: bool) -> Judgement:
    by = f"{one.by}/{other.by}"
    if one.colours.shape != other.colours.shape:
        sizes = [f"{r.colours.shape[1]}x{r.colours.shape[0]}" for r in (one, other)]
        return Judgement("WRONG", f"{sizes[0]} px became {sizes[1]}", np.inf, by)
    weight = np.ones(one.colours.shape[:2]) if one.alpha is None else one.alpha
    error = one.colours - other.colours
    if one.is_soft:
        weight, error = _halved(weight), _halved(error)
    error = np.abs(error).mean(axis=-1)
    levels = float((error * weight).sum() / max(weight.sum(), 1e-9))
    if levels > allowed:
        return Judgement("WRONG", "pixels differ", levels, by)
    if not asks_alpha:
        return Judgement("right", "", levels, by)
    alphas = [1 if r.alpha is None else r.alpha for r in (one, other)]
    change = float(np.abs(np.subtract(*alphas)).mean() * 255)
    if change > allowed:
        return Judgement("WRONG", "transparency differs", change, by)
    return Judgement("right", "", levels, by)


def _halved(values: NDArray[Any]) -> NDArray[Any]:
    """Means of squares of 2x2; of pictures of one row or column the picture."""
    height, width = values.shape[:2]
    if min(height, width) < 2:
        return values
    even = values[: height // 2 * 2, : width // 2 * 2]
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
