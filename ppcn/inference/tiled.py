"""Photos of any size through a network in bounded memory, with the result of the whole photo.

Contrast step and instance norm need statistics of the whole photo, so that tiles computed one by
one would show seams. Here a network is cut into segments between such needs, and each statistic is
added up over all tiles before the next segment begins. Between segments maps are kept while memory
allows; each segment then computes strips so small that what lies between its layers stays in the
processor's caches. A larger photo keeps nothing: every pass computes its tiles from the photo.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from ppcn.inference.graph_passes.row_statistics import with_row_sums
from ppcn.inference.graph_passes.simd_packing import WIDTHS
from ppcn.inference.graph_passes.valid_rows import without_rows_around
from ppcn.inference.receptive_field import Probe, picture
from ppcn.inference.rows import Pixels, Rows
from ppcn.inference.runtimes import Run, Runtime, make_runtime
from ppcn.inference.segments import (
    PHOTO,
    Chain,
    Noise,
    Segment,
    Shape,
    Statistic,
    cut_at_statistics,
)
from ppcn.inference.tiles import Grid, Span, choose_strips, choose_tiles, one_span
from ppcn.networks.devices import WHITE, free_bytes, to_tensor
from ppcn.networks.muxdemux import position_noise

Report = Callable[[int, int], None]
# First row and column in the result, and pixels.
Piece = tuple[int, int, Tensor]
Shapes = Mapping[str, Shape]

# Share of the free memory that maps may fill.
SHARE_OF_MEMORY = 5
# What one segment computes of a strip; larger ones leave the caches, bytes.
STRIP_BYTES = 12 * 2**20
# What all segments compute of one tile, bytes.
TILE_BYTES = 48 * 2**20
# But tiles are at least so many reaches wide, or most of them would be overlap.
TILE_REACHES = 10
# So many sums are in float32 before they are added to those in float64.
TILES_A_SUM = 16
# Rows of a map whose sums stay in the caches, bytes.
SUM_BYTES = 2**20
# Side of the picture that shows a converter what inputs look like, px.
EXAMPLE = 64
# Of a photo read in one go.
ROWS = 256


class Tiled:
    """A network that takes photos in tiles.

    Args:
        network: any of this project's; it is not changed.
        memory: what maps may fill, bytes; a fifth of the free memory by default.
        runtime: what computes; torch in float32 by default.
        calibration: patches (N, H, W, 3) uint8 that show a runtime of low precision what values
            come up; by default noise, which suits none.

    Attributes:
        reach: pixels that the network sees around each.
        scale: how many times as large its result is.
        bytes_per_pixel: what all maps of the network take, together.
    """

    def __init__(
        self,
        network: nn.Module,
        memory: int | None = None,
        runtime: Runtime | None = None,
        calibration: NDArray[np.uint8] | None = None,
    ) -> None:
        self._runtime = runtime or make_runtime("torch")
        self._memory = memory or free_bytes(self._runtime.device) // SHARE_OF_MEMORY
        cpu = copy.deepcopy(network).cpu()
        self._chain = cut_at_statistics(cpu)
        self._probe = Probe(self._chain)
        self.reach, self.scale = self._probe.reach, self._probe.scale
        self.bytes_per_pixel = sum(map(self._probe.bytes_of, self._chain.segments))
        pictures = [picture(EXAMPLE, EXAMPLE)]
        if calibration is not None:
            here = torch.device("cpu")
            height, width = (side // WIDTHS * WIDTHS for side in calibration.shape[1:3])
            pictures = [to_tensor(patch[:height, :width], here) for patch in calibration]
        self._pictures = pictures
        self._steps = self._steps_of(self._chain)
        # Norms see to themselves: faster, but as precise as the runtime only.
        self._quick_steps = self._steps_of(cut_at_statistics(cpu, of_photo_alone=True))

    @torch.inference_mode()
    def tiles(self, photo: Rows, report: Report = lambda done, total: None) -> Iterator[Piece]:
        """Compute a photo.

        Args:
            photo: the input.
            report: called with tiles done and tiles in all.

        Yields:
            Pieces that cover the result, from top to bottom and from left to right: first row,
            first column, and pixels (rows, columns, 3) float32, not clipped.
        """
        shapes = self._chain.shapes(photo.height, photo.width)
        passes = self._plan(photo.height, photo.width, shapes)
        total = sum(one.tiles for one in passes)
        known: dict[str, Tensor] = {}
        kept: dict[str, Tensor] = {}
        done = 0
        for one in passes:
            sums = _Sums()
            if one.statistic and one.statistic.of == PHOTO:
                sums.add_photo(photo)
                done += one.tiles
                report(done, total)
            else:
                self._make_room(one, shapes, kept)
                for tile, maps, rows in self._computed(photo, one, known, kept, shapes):
                    for name in maps.keys() & one.keeps:
                        if one.tiles == 1:
                            kept[name] = maps[name]
                        else:
                            tile.place_in(kept[name]).copy_(maps[name])
                    if one.statistic and rows:
                        sums.add_rows(rows, tile.columns.length)
                    elif one.statistic:
                        sums.add(maps[one.statistic.of])
                    else:
                        yield self._piece(tile, maps[self._chain.result])
                    done += 1
                    report(done, total)
            if one.statistic:
                known |= sums.values(one.statistic, self._runtime.device)

    def _steps_of(self, chain: Chain) -> "list[_Step]":
        statistics = [*chain.statistics, None]
        return [
            _Step(self, chain, segment, statistic)
            for segment, statistic in zip(chain.segments, statistics, strict=True)
        ]

    def _plan(self, height: int, width: int, shapes: Shapes) -> "list[_Pass]":
        """Which segments compute which tiles, pass after pass."""
        whole = one_span(height), one_span(width)
        if self._runtime.in_one_piece and self._chain.peak(height, width) <= self._memory:
            return _passes(self._quick_steps, [whole] * len(self._quick_steps))
        strips = [self._strips(step, height, width) for step in self._steps]
        for grids in (strips,) if self._runtime.strips else ([whole] * len(strips), strips):
            passes = _passes(self._steps, grids)
            if max(one.bytes(shapes) for one in passes) <= self._memory:
                return passes
        grid = self._tiles(height, width)
        return [
            _Pass(self._steps[: number + 1], grid, step.statistic, frozenset())
            for number, step in enumerate(self._steps)
        ]

    def _strips(self, step: "_Step", height: int, width: int) -> Grid:
        pixels = STRIP_BYTES // step.bytes_per_pixel
        return choose_strips(height, width, step.reach, pixels, self._probe.group)

    def _tiles(self, height: int, width: int) -> Grid:
        usual = max(TILE_BYTES // self.bytes_per_pixel, (TILE_REACHES * self.reach) ** 2)
        pixels = min(self._memory // self.bytes_per_pixel, usual)
        return choose_tiles(height, width, self.reach, pixels, self._probe.group)

    def _computed(
        self,
        photo: Rows,
        one: "_Pass",
        known: Mapping[str, Tensor],
        kept: Mapping[str, Tensor],
        shapes: Shapes,
    ) -> "Iterator[tuple[Tile, dict[str, Tensor], list[Tensor]]]":
        """Every tile of a pass, with what it answers for of the maps that its last segment gave.

        Where a tile is as wide as the photo and the runtime summed up its rows, their sums follow.
        """
        reads_photo = any(PHOTO in step.segment.maps for step in one.steps)
        for rows in one.grid[0]:
            band = photo.read(rows.reads_from, rows.reads_to) if reads_photo else None
            for columns in one.grid[1]:
                tile = Tile(rows, columns)
                maps = {name: tile.read(whole) for name, whole in kept.items()}
                if band is not None:
                    maps[PHOTO] = self._read(band[:, columns.reads_from : columns.reads_to])
                is_inner = False
                for step in one.steps:
                    inputs = [maps[name] for name in step.segment.maps]
                    inputs += [known[name] for name in step.segment.statistics]
                    inputs += [self._noise(tile, shapes, noise) for noise in step.segment.noises]
                    is_inner = len(one.steps) == 1 and tile.is_inside and step.inside is not None
                    run = step.inside if is_inner and step.inside else step.run
                    outputs = run(inputs)
                    maps |= zip(step.segment.writes, outputs, strict=False)
                core = tile.middle_of if is_inner else tile.core_of
                writes = one.steps[-1].segment.writes
                rows_summed = outputs[len(writes) :] if tile.is_wide else ()
                yield tile, {n: core(maps[n]) for n in writes}, [core(x) for x in rows_summed]

    def _read(self, pixels: Pixels) -> Tensor:
        if self._runtime.takes_bytes and pixels.dtype == np.uint8:
            return as_bytes(pixels)
        return to_tensor(pixels, self._runtime.device)

    def _noise(self, tile: "Tile", shapes: Shapes, noise: Noise) -> Tensor:
        _, height, width = shapes[noise.like]
        rows, columns = tile.rows.reading(height), tile.columns.reading(width)
        size = (1, 1, rows.stop - rows.start, columns.stop - columns.start)
        like = torch.empty(size, device=self._runtime.device)
        return position_noise(like, noise.seed, rows.start, columns.start)

    def _piece(self, tile: "Tile", result: Tensor) -> Piece:
        top, left = tile.rows.start * self.scale, tile.columns.start * self.scale
        return top, left, result[0].permute(1, 2, 0).float().cpu()

    def _make_room(self, one: "_Pass", shapes: Shapes, kept: dict[str, Tensor]) -> None:
        """Forget the maps that are read no more, and allot those that will be made of tiles."""
        for name in kept.keys() - one.keeps:
            del kept[name]
        for name in sorted(one.keeps - kept.keys()) if one.tiles > 1 else ():
            kept[name] = torch.empty(
                (1, *shapes[name]),
                device=self._runtime.device,
                memory_format=torch.channels_last,
            )


class _Step:
    """A segment, compiled when it is first wanted.

    Args:
        tiled: who computes.
        chain: whose segment it is.
        segment: what it reads and writes.
        statistic: what has to be known after it.

    Attributes:
        bytes_per_pixel: what its maps take, together.
    """

    def __init__(
        self, tiled: Tiled, chain: Chain, segment: Segment, statistic: Statistic | None
    ) -> None:
        self._tiled, self._chain = tiled, chain
        self.segment, self.statistic = segment, statistic
        self.bytes_per_pixel = tiled._probe.bytes_of(segment)

    @cached_property
    def reach(self) -> int:
        """Pixels that it sees around each."""
        return self._tiled._probe.reach_of(self.segment)

    @cached_property
    def run(self) -> Run:
        """Computes a tile."""
        return self._compiled(self.segment.module) if self.segment.writes else lambda inputs: ()

    @cached_property
    def inside(self) -> Run | None:
        """Computes strips that touch neither the first nor the last row, if it can."""
        if self._tiled._probe.group > 1 or not self.segment.writes:
            return None
        module = without_rows_around(self.segment.module, self._examples[0])
        return self._compiled(module) if module else None

    @cached_property
    def _examples(self) -> list[list[Tensor]]:
        return [self._chain.inputs(self.segment, one) for one in self._tiled._pictures]

    def _compiled(self, module: fx.GraphModule) -> Run:
        runtime = self._tiled._runtime
        if runtime.sums_rows and self.statistic:
            output = self.segment.writes.index(self.statistic.of)
            module = with_row_sums(module, output)
        return runtime.compile(replace(self.segment, module=module), self._examples)


@dataclass(frozen=True)
class _Pass:
    """All tiles once.

    Attributes:
        steps: segments that compute each tile, one after the other.
        grid: the tiles.
        statistic: what the pass finds out; the last pass gives the pixels.
        keeps: names of the maps that stay.
    """

    steps: Sequence[_Step]
    grid: Grid
    statistic: Statistic | None
    keeps: frozenset[str]

    @property
    def tiles(self) -> int:
        """How many."""
        return len(self.grid[0]) * len(self.grid[1])

    def bytes(self, shapes: Shapes) -> int:
        """What maps take at once: those kept, and all of the largest tile."""
        rows, columns = (max(s.reads_to - s.reads_from for s in spans) for spans in self.grid)
        computed = sum(step.bytes_per_pixel for step in self.steps)
        return sum(4 * math.prod(shapes[n]) for n in self.keeps) + rows * columns * computed


def _passes(steps: Sequence[_Step], grids: Sequence[Grid]) -> list[_Pass]:
    """A pass for each step, between which maps are kept."""
    passes = []
    for number, (step, grid) in enumerate(zip(steps, grids, strict=True)):
        made = {name for one in steps[: number + 1] for name in one.segment.writes}
        read = {name for one in steps[number + 1 :] for name in one.segment.maps}
        keeps = frozenset(made & read) | (frozenset(step.segment.maps) - {PHOTO})
        passes.append(_Pass([step], grid, step.statistic, keeps))
    return passes


@dataclass(frozen=True)
class Tile:
    """A part of a photo."""

    rows: Span
    columns: Span

    @property
    def is_inside(self) -> bool:
        """Whether it is as wide as the photo, and reads as many rows above as below."""
        above, below = self.rows.start - self.rows.reads_from, self.rows.reads_to - self.rows.stop
        return self.is_wide and above == below > 0

    @property
    def is_wide(self) -> bool:
        """Whether it is as wide as the photo."""
        return self.columns.stop - self.columns.start == self.columns.length

    def core_of(self, x: Tensor) -> Tensor:
        """What the tile answers for, of a map made of it."""
        return x[:, :, self.rows.core(x.shape[2]), self.columns.core(x.shape[3])]

    def middle_of(self, x: Tensor) -> Tensor:
        """What a tile inside answers for, of a map that may lack rows above and below."""
        around = (x.shape[2] - (self.rows.stop - self.rows.start)) // 2
        return x[:, :, around : x.shape[2] - around]

    def place_in(self, whole: Tensor) -> Tensor:
        """What the tile answers for, of a map of the whole photo."""
        height, width = whole.shape[2:]
        return whole[:, :, self.rows.place(height), self.columns.place(width)]

    def read(self, whole: Tensor) -> Tensor:
        """What the tile reads, of a map of the whole photo."""
        height, width = whole.shape[2:]
        return whole[:, :, self.rows.reading(height), self.columns.reading(width)]


class _Sums:
    """Mean and variance of each channel over all tiles."""

    def __init__(self) -> None:
        self._count = self._waiting = 0
        self._sum = self._squares = torch.zeros(0)
        self._total: Any = 0.0
        self._total_squares: Any = 0.0

    def add_photo(self, photo: Rows) -> None:
        """Add a whole photo, exactly; of its values the mean alone is wanted."""
        total = np.zeros(3)
        for top in range(0, photo.height, ROWS):
            rows = photo.read(top, min(top + ROWS, photo.height))
            if rows.dtype.kind == "f":
                total += rows.sum(axis=0, dtype=np.float64).sum(axis=0)
            else:
                total += np.divide(cv2.sumElems(rows)[:3], WHITE[rows.dtype])
        self._count = photo.height * photo.width
        self._total = torch.from_numpy(total)

    def add(self, x: Tensor) -> None:
        """Add a tile (1, C, H, W)."""
        values = x[0].permute(1, 2, 0).float()
        for rows in values.split(max(SUM_BYTES // (4 * values[0].numel()), 1)):
            self._add_strip(rows)
        self._count += x.shape[2] * x.shape[3]

    def add_rows(self, rows: Sequence[Tensor], width: int) -> None:
        """Add rows of so many px by their means and roots of sums of squares, (1, C, H, 1)."""
        means, roots = rows
        self._count += means.shape[2] * width
        self._total += means.double().sum(dim=(0, 2, 3)) * width
        self._total_squares += roots.double().square().sum(dim=(0, 2, 3))

    def _add_strip(self, values: Tensor) -> None:
        height, width, channels = values.shape
        if height > self._sum.shape[0] or width > self._sum.shape[1] if self._waiting else True:
            self._add_up()
            self._sum = torch.zeros((height, width, channels), device=values.device)
            self._squares = torch.zeros_like(self._sum)
        self._sum[:height, :width].add_(values)
        self._squares[:height, :width].addcmul_(values, values)
        self._waiting += 1
        if self._waiting == TILES_A_SUM:
            self._add_up()

    def _add_up(self) -> None:
        if self._waiting:
            self._total += self._sum.sum(dim=0).double().sum(dim=0)
            self._total_squares += self._squares.sum(dim=0).double().sum(dim=0)
            self._waiting = 0

    def values(self, statistic: Statistic, device: torch.device) -> dict[str, Tensor]:
        """What segments read."""
        self._add_up()
        mean = (self._total / self._count).view(1, -1, 1, 1).cpu()
        squares = torch.as_tensor(self._total_squares).cpu() / self._count
        variance = (squares.view(1, -1, 1, 1) - mean.square()).clamp(min=0)
        return {name: v.to(device) for name, v in statistic.values(mean, variance).items()}


def assemble(
    pieces: Iterable[tuple[int, int, Tensor | NDArray[np.float32]]], height: int, width: int
) -> NDArray[np.float32]:
    """Put pieces together.

    Args:
        pieces: first row, first column, and pixels (rows, columns, 3); they cover the image.
        height: of the image, px.
        width: of the image, px.

    Returns:
        The image, (height, width, 3).
    """
    image = np.empty((height, width, 3), np.float32)
    for top, left, pixels in pieces:
        image[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return image


def as_bytes(pixels: Pixels) -> Tensor:
    """(1, 3, H, W) uint8, channels last in memory, of (H, W, 3) uint8."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
