"""Photos of any size through a network in bounded memory, with the result of the whole photo.

Contrast step and instance norm need statistics of the whole photo, so that tiles computed one by
one would show seams. Here statistics are gathered in passes over all tiles: each pass computes
them as far as the next module that needs some, and adds up that module's sums in float64; the last
pass gives the pixels. Tiles overlap by as many pixels as the network sees around each.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ppcn.devices import choose_device, free_bytes, place
from ppcn.networks.layers import InstanceNorm, PhotoMean
from ppcn.networks.muxdemux import PositionNoise, position_noise

Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
# Largest value of a channel, of integers; floating-point channels end at 1.
WHITE = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
Report = Callable[[int, int], None]
# First row and column in the result, and pixels.
Piece = tuple[int, int, Tensor]

# Networks shuffle or skip pixels in groups of so many; tiles begin at such a group.
GROUP = 4
# Side of the picture on which a network's reach is measured: more than twice any reach, px.
PROBE = 256
# Share of the free memory that a whole photo's feature maps may fill; what is in use besides, such
# as activations and copies that convolutions make, is about three times as much again.
SHARE_OF_MEMORY = 16
# Feature maps of one tile; larger ones are slower, for caches hold less of them, bytes.
TILE_BYTES = 16 * 2**20
# But tiles are at least so many reaches wide, or most of them would be overlap.
TILE_REACHES = 10
MOST_COLUMNS = 256


class Rows(Protocol):
    """A photo of which rows can be read."""

    @property
    def height(self) -> int:
        """In px."""

    @property
    def width(self) -> int:
        """In px."""

    def read(self, top: int, bottom: int) -> Pixels:
        """Rows top to bottom, (bottom - top, width, 3) RGB: uint8, uint16, or float32 in [0, 1]."""


@dataclass(frozen=True)
class Span:
    """A tile along one axis, in px of the input.

    Attributes:
        start: first pixel that the tile answers for.
        stop: one after the last.
        reads_from: first pixel that the network is shown.
        reads_to: one after the last.
        length: of the whole axis.
    """

    start: int
    stop: int
    reads_from: int
    reads_to: int
    length: int

    def core(self, size: int) -> slice:
        """What the tile answers for in a map of `size` made of it, at whatever scale."""
        if self.start == 0 and self.stop == self.length:
            return slice(None)
        scale = _power_of_two(size / (self.reads_to - self.reads_from))
        stop = size if self.stop == self.length else int((self.stop - self.reads_from) * scale)
        return slice(int((self.start - self.reads_from) * scale), stop)

    def origin(self, size: int) -> int:
        """Where in the whole photo's map a map of `size` made of this tile begins."""
        return int(self.reads_from * _power_of_two(size / (self.reads_to - self.reads_from)))


Tile = tuple[Span, Span]


class Tiled:
    """A network that takes photos in tiles.

    Args:
        network: any of this project's; it is not changed.
        memory: what feature maps may fill, bytes; a sixteenth of the free memory by default.
    """

    def __init__(self, network: nn.Module, memory: int | None = None) -> None:
        self._whole = place(network).eval()
        self._device = choose_device()
        self._memory = memory or free_bytes(self._device) // SHARE_OF_MEMORY
        self._tile = _CurrentTile()
        self._network = copy.deepcopy(self._whole)
        self._modules = _replace(self._network, self._tile)
        for module in self._modules:
            module.assume_normal()
        self.reach, self.bytes_per_pixel, self.scale = _probe(self._network, self._device)

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
        if photo.height * photo.width * self.bytes_per_pixel <= self._memory:
            whole = self._to_tensor(photo.read(0, photo.height))
            yield 0, 0, self._whole(whole)[0].permute(1, 2, 0).cpu()
            report(1, 1)
            return
        usual = max(TILE_BYTES // self.bytes_per_pixel, (TILE_REACHES * self.reach) ** 2)
        pixels = min(self._memory // self.bytes_per_pixel, usual)
        grid = choose_tiles(photo.height, photo.width, self.reach, pixels)
        total = len(grid[0]) * len(grid[1]) * (1 + len(self._modules))
        done = 0
        for piece in self._passes(photo, grid):
            done += 1
            report(done, total)
            if piece is not None:
                yield piece

    def _passes(self, photo: Rows, grid: tuple[list[Span], list[Span]]) -> Iterator[Piece | None]:
        """Every tile of every pass; those of the last are what the network gives."""
        for module in self._modules:
            module.forget()
        for _ in self._modules:
            for rows in grid[0]:
                for _ in self._tiles_of(photo, rows, grid[1]):
                    yield None
            self._tile.finish()
        for rows in grid[0]:
            for columns, output in self._tiles_of(photo, rows, grid[1]):
                assert output is not None
                kept = output[0, :, rows.core(output.shape[2]), columns.core(output.shape[3])]
                top, left = rows.start * self.scale, columns.start * self.scale
                yield top, left, kept.permute(1, 2, 0).cpu()

    def _tiles_of(
        self, photo: Rows, rows: Span, spans: list[Span]
    ) -> Iterator[tuple[Span, Tensor | None]]:
        """Compute the tiles of a band; None where one was only looked at for statistics."""
        band = photo.read(rows.reads_from, rows.reads_to)
        for columns in spans:
            self._tile.at = (rows, columns)
            x = self._to_tensor(band[:, columns.reads_from : columns.reads_to])
            try:
                yield columns, self._network(x)
            except _GatheredError:
                yield columns, None

    def _to_tensor(self, pixels: Pixels) -> Tensor:
        """(1, 3, H, W) float32 in [0, 1], channels last in memory."""
        white = WHITE.get(pixels.dtype, 1)
        # A copy, for torch wants to own what it computes on, and knows no uint16.
        values = torch.tensor(pixels.astype(np.float32), device=self._device)
        return values.div_(white).permute(2, 0, 1)[None]


def choose_tiles(height: int, width: int, reach: int, pixels: int) -> tuple[list[Span], list[Span]]:
    """Cut a photo into tiles that overlap least.

    Args:
        height: of the photo, px.
        width: of the photo, px.
        reach: pixels that the network sees around each.
        pixels: of a tile with what it reads around it, at most (but for tiny tiles).

    Returns:
        Spans of the rows and of the columns.
    """

    def shape(columns: int) -> tuple[int, int, int]:
        """Rows of a tile, and height and width of what it reads."""
        wide = min(width, -(-width // columns) + (2 * reach if columns > 1 else 0))
        high = max(pixels // wide, GROUP + 2 * reach)
        return (height, height, wide) if high >= height else (high - 2 * reach, high, wide)

    def cost(columns: int) -> tuple[int, int]:
        rows, high, wide = shape(columns)
        return max(high * wide - pixels, 0), -(-height // rows) * high * columns * wide

    columns = min(range(1, min(width // (4 * GROUP), MOST_COLUMNS) + 2), key=cost)
    return cut(height, shape(columns)[0], reach), cut(width, -(-width // columns), reach)


def cut(length: int, size: int, reach: int) -> list[Span]:
    """Cut an axis into spans of about `size`, each beginning at a multiple of `GROUP`."""
    size = max(size // GROUP, 1) * GROUP
    reach = -(-reach // GROUP) * GROUP
    edges = [*range(0, max(length - size // 2, 1), size), length]
    return [
        Span(start, stop, max(start - reach, 0), min(stop + reach, length), length)
        for start, stop in pairwise(edges)
    ]


class _GatheredError(Exception):
    """A tile was computed as far as its statistics were wanted."""


@dataclass
class _CurrentTile:
    """What the modules of a tiled network have to know: which tile, and whose sums are next."""

    at: Tile | None = None
    gathering: "_Statistics | None" = None

    def take(self, statistics: "_Statistics", x: Tensor) -> None:
        """Add a tile's part to the sums of the one module that is gathering."""
        assert self.at is not None
        self.gathering = statistics
        rows, columns = self.at
        statistics.add(x[:, :, rows.core(x.shape[2]), columns.core(x.shape[3])])
        raise _GatheredError

    def finish(self) -> None:
        """End a pass."""
        assert self.gathering is not None
        self.gathering.finish()
        self.gathering = None


class _Statistics(nn.Module):
    """Mean and variance of each channel over all tiles."""

    def __init__(self, tile: _CurrentTile) -> None:
        super().__init__()
        self.tile = tile
        self.forget()

    def forget(self) -> None:
        """Before another photo."""
        self.known = False
        self.count = 0
        self.total = self.squares = torch.zeros(())

    def assume_normal(self) -> None:
        """Mean 0 and variance 1."""
        self.known = True
        self.mean, self.variance = torch.zeros(()), torch.ones(())

    def add(self, x: Tensor) -> None:
        """Add (1, C, H, W)."""
        self.count += x.shape[2] * x.shape[3]
        self.total = self.total + x.sum(dim=(2, 3), keepdim=True, dtype=torch.float64)
        self.squares = self.squares + x.square().sum(dim=(2, 3), keepdim=True, dtype=torch.float64)

    def finish(self) -> None:
        """Turn sums into mean and variance."""
        mean = self.total / self.count
        self.mean = mean
        self.variance = (self.squares / self.count - mean.square()).clamp(min=0)
        self.known = True


class _TiledMean(_Statistics):
    """Stands for `PhotoMean`."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.known:
            self.tile.take(self, x)
        return self.mean.to(x)


class _TiledNorm(_Statistics):
    """Stands for `InstanceNorm`."""

    def __init__(self, tile: _CurrentTile, norm: InstanceNorm) -> None:
        super().__init__(tile)
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        if not self.known:
            self.tile.take(self, x)
        norm = self.norm
        scale = norm.weight.view(1, -1, 1, 1) / (self.variance + norm.epsilon).sqrt()
        shift = norm.bias.view(1, -1, 1, 1) - self.mean * scale
        return torch.addcmul(shift.to(x), x, scale.to(x))


class _TiledNoise(nn.Module):
    """Stands for `PositionNoise`."""

    def __init__(self, tile: _CurrentTile) -> None:
        super().__init__()
        self.tile = tile

    def forward(self, like: Tensor, seed: Tensor | int) -> Tensor:
        if self.tile.at is None:
            return position_noise(like, seed)
        top, left = (
            span.origin(size) for span, size in zip(self.tile.at, like.shape[2:], strict=True)
        )
        return position_noise(like, seed, top, left)


def _replace(network: nn.Module, tile: _CurrentTile) -> list[_Statistics]:
    """Put the tiled modules into a network's place of those that see the whole photo."""
    found: list[_Statistics] = []
    for parent in list(network.modules()):
        for name, module in list(parent.named_children()):
            if isinstance(module, PhotoMean):
                found.append(_TiledMean(tile))
                setattr(parent, name, found[-1])
            elif isinstance(module, InstanceNorm):
                found.append(_TiledNorm(tile, module))
                setattr(parent, name, found[-1])
            elif isinstance(module, PositionNoise):
                setattr(parent, name, _TiledNoise(tile))
    return found


@torch.inference_mode()
def _probe(network: nn.Module, device: torch.device) -> tuple[int, int, int]:
    """What a network needs around a pixel, px; what its maps take, bytes a pixel; its scale.

    Pixels that are no number spread exactly as far as the network sees.
    """
    taken: list[int] = []
    hooks = [
        module.register_forward_hook(lambda _, __, y: taken.append(y.numel() * y.element_size()))
        for module in network.modules()
        if not list(module.children())
    ]
    reach, scale = 0, 1
    narrow = 8
    for axis in (2, 3):
        shape = (1, 3, PROBE, narrow) if axis == 2 else (1, 3, narrow, PROBE)
        for spoilt in range(PROBE // 2, PROBE // 2 + GROUP):
            x = torch.zeros(shape, device=device)
            x.select(axis, spoilt).fill_(torch.nan)
            taken.clear()
            output = network(x)
            scale = output.shape[axis] // PROBE
            spread = output[0].isnan().any(dim=0).any(dim=3 - axis).nonzero() // scale
            reach = max(reach, int((spread - spoilt).abs().max()))
    for hook in hooks:
        hook.remove()
    return reach, max(sum(taken) // (PROBE * narrow), 1), scale


def _power_of_two(ratio: float) -> float:
    return float(2 ** round(np.log2(ratio)))
