"""Photos of any size through a network in bounded memory, with the result of the whole photo.

Contrast step and instance norm need statistics of the whole photo, so that tiles computed one by
one would show seams. Here a network is cut into segments between such needs, and each statistic is
added up over all tiles before the next segment begins. Between segments maps are kept while memory
allows; each segment then computes strips so small that what lies between its layers stays in the
processor's caches. A larger photo keeps nothing: every pass computes its tiles from the photo.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ppcn.inference.graph_passes.simd_packing import SIMD_WIDTH
from ppcn.inference.photo_rows import ArrayRows, MirroredRows, Pixels, Rows
from ppcn.inference.receptive_field import ReceptiveFieldProbe, noise_photo
from ppcn.inference.runtimes import Runtime, make_runtime
from ppcn.inference.segments import PHOTO, Noise, cut_at_statistics
from ppcn.inference.statistics import RunningStatistics, visible_cells
from ppcn.inference.tile_grid import Grid, Tile, choose_strips, choose_tiles, one_span
from ppcn.inference.tile_passes import Pass, Shapes, Step, keeping_maps, keeping_nothing, make_steps
from ppcn.networks.devices import free_bytes, to_tensor
from ppcn.networks.layers import take_margin
from ppcn.networks.muxdemux import position_noise
from ppcn.photos.hidden_pixels import Mask

Report = Callable[[int, int], None]
"""Called with tiles done and tiles in all."""
Piece = tuple[int, int, Tensor]
"""First row, first column, and pixels (rows, columns, 3) of a part of an image."""
ComputedTile = tuple[Tile, dict[str, Tensor], Sequence[Tensor]]
"""A tile, its maps by name, and row statistics where the runtime gives them."""

# Maps may fill this share of the free memory: a fifth.
SHARE_OF_MEMORY = 5
# Memory that one segment takes for a strip; larger strips leave the caches, bytes.
STRIP_BYTES = 12 * 2**20
# Memory that all segments take for a tile, bytes.
TILE_BYTES = 48 * 2**20
# But tiles are at least so many radii of the receptive field wide, or most would be overlap.
TILE_RADII = 10
# Side of the photo that shows a converter what inputs look like, px.
EXAMPLE_SIDE = 64


class Tiled:
    """A network that takes photos in tiles.

    Args:
        network: any of this project's; it is not changed.
        memory: what maps may fill, bytes; a fifth of the free memory by default.
        runtime: what computes; torch in float32 by default.
        calibration: patches (N, H, W, 3) uint8 that show a runtime of low precision what values
            come up; by default noise, which suits none.

    Attributes:
        radius: of the receptive field: how many pixels around each pixel the network sees.
        scale: how many times as large its result is.
        bytes_per_pixel: what all maps of the network take together for each pixel of the photo.
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
        on_cpu = copy.deepcopy(network).cpu()
        # A mirrored margin is read of the photo, so that no tile has a border of another kind.
        self._margin = take_margin(on_cpu)
        self._chain = cut_at_statistics(on_cpu)
        self._probe = ReceptiveFieldProbe(self._chain)
        self.radius, self.scale = self._probe.radius, self._probe.scale
        self.bytes_per_pixel = sum(map(self._probe.bytes_of, self._chain.segments))
        examples = _examples(calibration)
        self._steps = make_steps(self._chain, self._probe, self._runtime, examples)
        # Norms find out their statistics by themselves: faster, but only as precise as the runtime.
        quick = cut_at_statistics(on_cpu, of_photo_alone=True)
        self._quick_steps = make_steps(quick, self._probe, self._runtime, examples)

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
        if not self._margin:
            yield from self._tiles_of(photo, report)
            return
        mirrored = MirroredRows(photo, self._margin)
        for piece in self._tiles_of(mirrored, report):
            if inside := _inside(piece, self._margin, photo):
                yield inside

    def _tiles_of(self, photo: Rows, report: Report) -> Iterator[Piece]:
        """As `tiles`, zeros beyond the border."""
        state = _PhotoState(photo, self._chain.shapes(photo.height, photo.width))
        passes = self._schedule(state)
        total = sum(one.tiles for one in passes)
        done = 0
        for one in passes:
            statistics = RunningStatistics()
            if one.statistic and one.statistic.of == PHOTO:
                statistics.add_photo(photo)
                done += one.tiles
                report(done, total)
            else:
                state.make_room(one, self._runtime.device)
                for tile, maps, row_statistics in self._compute(one, state):
                    state.keep(one, tile, maps)
                    if one.statistic:
                        x = maps[one.statistic.of]
                        visible = self._visible_cells(photo, tile, one.statistic.of, x)
                        if row_statistics and visible is None:
                            statistics.add_rows(row_statistics, tile.columns.length)
                        else:
                            statistics.add(x, visible)
                    else:
                        yield self._piece(tile, maps[self._chain.result])
                    done += 1
                    report(done, total)
            if one.statistic:
                state.known |= statistics.values(one.statistic, self._runtime.device)

    def _schedule(self, state: "_PhotoState") -> list[Pass]:
        """Which segments compute which tiles, pass after pass."""
        height, width = state.photo.height, state.photo.width
        whole = one_span(height), one_span(width)
        in_one_piece = self._runtime.in_one_piece and not self._norms_would_err(state.photo)
        if in_one_piece and self._chain.peak(height, width) <= self._memory:
            return keeping_maps(self._quick_steps, [whole] * len(self._quick_steps))
        strips = [self._strips(step, height, width) for step in self._steps]
        for grids in (strips,) if self._runtime.strips else ([whole] * len(strips), strips):
            passes = keeping_maps(self._steps, grids)
            if max(one.bytes(state.shapes) for one in passes) <= self._memory:
                return passes
        return keeping_nothing(self._steps, self._tiles(height, width))

    def _norms_would_err(self, photo: Rows) -> bool:
        """Whether norms that find out their statistics by themselves would count hidden pixels."""
        have_norms = len(self._quick_steps) < len(self._steps)
        return have_norms and photo.read_visible(0, 1) is not None

    def _visible_cells(self, photo: Rows, tile: Tile, name: str, x: Tensor) -> Mask | None:
        """Which cells of what a tile answers for of a map statistics count; None if all."""
        visible = photo.read_visible(tile.rows.start, tile.rows.stop)
        if visible is None:
            return None
        visible = visible[:, tile.columns.start : tile.columns.stop]
        return visible_cells(visible, self._probe.scale_of(name), x.shape[2], x.shape[3])

    def _strips(self, step: Step, height: int, width: int) -> Grid:
        pixels = STRIP_BYTES // step.bytes_per_pixel
        return choose_strips(height, width, step.radius, pixels, self._probe.group)

    def _tiles(self, height: int, width: int) -> Grid:
        usual = max(TILE_BYTES // self.bytes_per_pixel, (TILE_RADII * self.radius) ** 2)
        pixels = min(self._memory // self.bytes_per_pixel, usual)
        return choose_tiles(height, width, self.radius, pixels, self._probe.group)

    def _compute(self, one: Pass, state: "_PhotoState") -> Iterator[ComputedTile]:
        """Every tile of a pass, with what it answers for of the maps of the last segment.

        Where a tile is as wide as the photo and the runtime gives row statistics, those follow.
        """
        reads_photo = any(PHOTO in step.segment.maps for step in one.steps)
        for rows in one.grid[0]:
            band = state.photo.read(rows.reads_from, rows.reads_to) if reads_photo else None
            for columns in one.grid[1]:
                tile = Tile(rows, columns)
                maps = {name: tile.read(whole) for name, whole in state.kept.items()}
                if band is not None:
                    maps[PHOTO] = self._read(band[:, columns.reads_from : columns.reads_to])
                yield self._compute_tile(one, tile, maps, state)

    def _compute_tile(
        self, one: Pass, tile: Tile, maps: dict[str, Tensor], state: "_PhotoState"
    ) -> ComputedTile:
        inside = one.steps[0].run_inside if len(one.steps) == 1 and tile.is_inside else None
        for step in one.steps:
            inputs = [maps[name] for name in step.segment.maps]
            inputs += [state.known[name] for name in step.segment.statistics]
            inputs += [self._noise(tile, state.shapes, noise) for noise in step.segment.noises]
            outputs = (inside or step.run)(inputs)
            maps |= zip(step.segment.writes, outputs, strict=False)
        core = tile.middle_of if inside else tile.core_of
        writes = one.steps[-1].segment.writes
        row_statistics = outputs[len(writes) :] if tile.is_wide else ()
        return tile, {name: core(maps[name]) for name in writes}, [core(x) for x in row_statistics]

    def _read(self, pixels: Pixels) -> Tensor:
        if self._runtime.takes_bytes and pixels.dtype == np.uint8:
            return as_bytes(pixels)
        return to_tensor(pixels, self._runtime.device)

    def _noise(self, tile: Tile, shapes: Shapes, noise: Noise) -> Tensor:
        _, height, width = shapes[noise.like]
        rows, columns = tile.rows.reading(height), tile.columns.reading(width)
        size = (1, 1, rows.stop - rows.start, columns.stop - columns.start)
        like = torch.empty(size, device=self._runtime.device)
        return position_noise(like, noise.seed, rows.start, columns.start)

    def _piece(self, tile: Tile, result: Tensor) -> Piece:
        top, left = tile.rows.start * self.scale, tile.columns.start * self.scale
        return top, left, result[0].permute(1, 2, 0).float().cpu()


@dataclass
class _PhotoState:
    """What is known of a photo while passes go over it.

    Attributes:
        photo: the input.
        shapes: of all its maps.
        known: statistics by the names under which segments read them.
        kept: maps of the whole photo that segments to come will read.
    """

    photo: Rows
    shapes: Shapes
    known: dict[str, Tensor] = field(default_factory=dict)
    kept: dict[str, Tensor] = field(default_factory=dict)

    def make_room(self, one: Pass, device: torch.device) -> None:
        """Forget the maps that are read no more, and allot those that will be made of tiles."""
        for name in self.kept.keys() - one.keeps:
            del self.kept[name]
        for name in sorted(one.keeps - self.kept.keys()) if one.tiles > 1 else ():
            self.kept[name] = torch.empty(
                (1, *self.shapes[name]), device=device, memory_format=torch.channels_last
            )

    def keep(self, one: Pass, tile: Tile, maps: dict[str, Tensor]) -> None:
        """Keep of a tile the maps that a pass keeps."""
        for name in maps.keys() & one.keeps:
            if one.tiles == 1:
                self.kept[name] = maps[name]
            else:
                tile.place_in(self.kept[name]).copy_(maps[name])


def _examples(calibration: NDArray[np.uint8] | None) -> list[Tensor]:
    """Photos (1, 3, H, W) that show a runtime what inputs look like."""
    if calibration is None:
        return [noise_photo(EXAMPLE_SIDE, EXAMPLE_SIDE)]
    height, width = (side // SIMD_WIDTH * SIMD_WIDTH for side in calibration.shape[1:3])
    return [to_tensor(patch[:height, :width], torch.device("cpu")) for patch in calibration]


def _inside(piece: Piece, margin: int, photo: Rows) -> Piece | None:
    """What a piece of a photo with a margin shows of the photo itself."""
    top, left, pixels = piece[0] - margin, piece[1] - margin, piece[2]
    rows = slice(max(-top, 0), max(min(photo.height - top, pixels.shape[0]), 0))
    columns = slice(max(-left, 0), max(min(photo.width - left, pixels.shape[1]), 0))
    own = pixels[rows, columns]
    return (max(top, 0), max(left, 0), own) if own.numel() else None


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


class Tiles(Protocol):
    """What computes photos in tiles, as `Tiled` does."""

    @property
    def scale(self) -> int:
        """How many times as large the result is."""

    def tiles(self, photo: Rows) -> Iterator[Piece]:
        """Pieces that cover the result."""


def run_tiled(tiled: Tiles) -> Callable[[NDArray[np.uint8]], NDArray[np.float64]]:
    """Turn a network into a function from (H, W, 3) uint8 to (H, W, 3) float64, unclipped."""

    def run(photo: NDArray[np.uint8]) -> NDArray[np.float64]:
        rows = ArrayRows(photo)
        size = (rows.height * tiled.scale, rows.width * tiled.scale)
        return assemble(tiled.tiles(rows), *size).astype(np.float64)

    return run


def as_bytes(pixels: Pixels) -> Tensor:
    """(1, 3, H, W) uint8, channels last in memory, of (H, W, 3) uint8."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
