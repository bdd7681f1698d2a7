"""Passes over a photo: which segments of a network compute which tiles, and which maps are kept."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor, fx

from ppcn.inference.graph_passes.row_statistics import with_row_statistics
from ppcn.inference.graph_passes.valid_rows import without_rows_around
from ppcn.inference.receptive_field import ReceptiveFieldProbe
from ppcn.inference.runtimes import Run, Runtime
from ppcn.inference.segments import PHOTO, Chain, Segment, Shape, Statistic
from ppcn.inference.tile_grid import Grid

Shapes = Mapping[str, Shape]
"""The shape of every map of a photo, by its name."""


class Step:
    """A segment, compiled when it is first wanted.

    Args:
        chain: the network whose segment it is.
        segment: what it reads and writes.
        statistic: what has to be known after it.
        probe: what measures how far a segment sees.
        runtime: what computes.
        examples: photos (1, 3, H, W) that show the runtime what inputs look like.

    Attributes:
        bytes_per_pixel: what its maps take together for each pixel of the photo.
    """

    def __init__(
        self,
        chain: Chain,
        segment: Segment,
        statistic: Statistic | None,
        probe: ReceptiveFieldProbe,
        runtime: Runtime,
        examples: Sequence[Tensor],
    ) -> None:
        self.segment, self.statistic = segment, statistic
        self.bytes_per_pixel = probe.bytes_of(segment)
        self._chain, self._probe, self._runtime = chain, probe, runtime
        self._photos = examples

    @cached_property
    def radius(self) -> int:
        """How many pixels around each pixel the segment sees."""
        return self._probe.radius_of(self.segment)

    @cached_property
    def run(self) -> Run:
        """Computes a tile."""
        return self._compiled(self.segment.module) if self.segment.writes else lambda inputs: ()

    @cached_property
    def run_inside(self) -> Run | None:
        """Computes strips that touch neither the first nor the last row, if it can."""
        if self._probe.group > 1 or not self.segment.writes:
            return None
        module = without_rows_around(self.segment.module, self._examples[0])
        return self._compiled(module) if module else None

    @cached_property
    def _examples(self) -> list[list[Tensor]]:
        return [self._chain.inputs(self.segment, photo) for photo in self._photos]

    def _compiled(self, module: fx.GraphModule) -> Run:
        if self._runtime.gives_row_statistics and self.statistic:
            output = self.segment.writes.index(self.statistic.of)
            module = with_row_statistics(module, output)
        return self._runtime.compile(replace(self.segment, module=module), self._examples)


def make_steps(
    chain: Chain, probe: ReceptiveFieldProbe, runtime: Runtime, examples: Sequence[Tensor]
) -> list[Step]:
    """A step for each segment of a network; for the arguments see `Step`."""
    statistics = [*chain.statistics, None]
    return [
        Step(chain, segment, statistic, probe, runtime, examples)
        for segment, statistic in zip(chain.segments, statistics, strict=True)
    ]


@dataclass(frozen=True)
class Pass:
    """One round over all tiles of a photo.

    Attributes:
        steps: segments that compute each tile, one after the other.
        grid: the tiles.
        statistic: what the pass finds out; the last pass gives the pixels instead.
        keeps: names of the maps that stay after it.
    """

    steps: Sequence[Step]
    grid: Grid
    statistic: Statistic | None
    keeps: frozenset[str]

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return len(self.grid[0]) * len(self.grid[1])

    def bytes(self, shapes: Shapes) -> int:
        """Memory that maps take at once: those kept, and all of the largest tile."""
        rows, columns = (max(s.reads_to - s.reads_from for s in spans) for spans in self.grid)
        computed = sum(step.bytes_per_pixel for step in self.steps)
        return sum(4 * math.prod(shapes[n]) for n in self.keeps) + rows * columns * computed


def keeping_maps(steps: Sequence[Step], grids: Sequence[Grid]) -> list[Pass]:
    """A pass for each step, between which maps are kept."""
    passes = []
    for number, (step, grid) in enumerate(zip(steps, grids, strict=True)):
        made = {name for one in steps[: number + 1] for name in one.segment.writes}
        read = {name for one in steps[number + 1 :] for name in one.segment.maps}
        keeps = frozenset(made & read) | (frozenset(step.segment.maps) - {PHOTO})
        passes.append(Pass([step], grid, step.statistic, keeps))
    return passes


def keeping_nothing(steps: Sequence[Step], grid: Grid) -> list[Pass]:
    """A pass for each statistic and one for the result, each computed from the photo anew."""
    return [
        Pass(steps[: number + 1], grid, step.statistic, frozenset())
        for number, step in enumerate(steps)
    ]
