"""Photos of any size through networks of other programs, in tiles that overlap.

How far such a network sees is not known, nor whether it can be cut where it needs the whole photo,
as `Tiled` does with this project's. So tiles overlap by a margin that is stated: `OVERLAP` px of
the photo on every side. What a network takes from further away differs at seams.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from ppcn.errors import UserError
from ppcn.inference.photo_rows import Rows
from ppcn.inference.runtimes import Precision, Runtime
from ppcn.inference.tile_grid import Span, cut
from ppcn.inference.tiled import Piece, Report
from ppcn.networks.devices import choose_device, place, to_tensor
from ppcn.weights.spandrel_models import ForeignModel

# Side of what a tile reads, and how far it overlaps each neighbour; px of the photo.
SIDE, OVERLAP = 256, 32
# Tiles begin at multiples of it, so that windows of attention of 8, 16 or 32 px lie where they
# would in the whole photo.
WINDOWS = 32


class Overlapped:
    """A network of another program that takes photos in tiles, with torch.

    Args:
        network: moved to the GPU, if there is one.
        precision: "bfloat16" computes convolutions in it.
        side: of what a tile reads, px of the photo.
        overlap: of that, what surrounds the part that the tile answers for on each side, px.

    Attributes:
        name: of the network's architecture.
        scale: how many times as large its result is.
    """

    def __init__(
        self,
        network: ForeignModel,
        precision: Precision = "float32",
        side: int = SIDE,
        overlap: int = OVERLAP,
    ) -> None:
        self.name, self.scale = network.name, network.scale
        self._network = place(network).eval()
        self._halves = precision == "bfloat16"
        self._side, self._overlap = side, overlap
        self._group = math.lcm(WINDOWS, network.multiple)

    @torch.inference_mode()
    def tiles(self, photo: Rows, report: Report = lambda done, total: None) -> Iterator[Piece]:
        """Compute a photo; see `Tiled.tiles`."""
        rows, columns = (
            cut(length, self._side, self._overlap, self._group)
            for length in (photo.height, photo.width)
        )
        total = len(rows) * len(columns)
        for number, row in enumerate(rows):
            band = photo.read(row.reads_from, row.reads_to)
            for done, column in enumerate(columns, start=number * len(columns) + 1):
                x = to_tensor(band[:, column.reads_from : column.reads_to], choose_device())
                pixels = self._run(x)[:, self._core(row), self._core(column)]
                yield row.start * self.scale, column.start * self.scale, pixels.permute(1, 2, 0)
                report(done, total)

    def _run(self, x: Tensor) -> Tensor:
        """(3, k H, k W) float32 on the CPU, of (1, 3, H, W)."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._halves):
            return self._network(x)[0].float().cpu()

    def _core(self, span: Span) -> slice:
        """What a tile answers for in its result."""
        first, last = span.start - span.reads_from, span.stop - span.reads_from
        return slice(first * self.scale, last * self.scale)


def overlapped(
    path: Path, model: ForeignModel, memory: int | None, runtime: Runtime | None
) -> Overlapped:
    """A network of another program, for photos of any size.

    Raises:
        UserError: it is to be computed otherwise than by torch, in tiles of one size.
    """
    if memory is not None:
        raise UserError(
            f"{path}: networks of other programs are computed in tiles of {SIDE} px, whatever "
            "memory they take; leave the limit of memory out"
        )
    if runtime is not None and runtime.name != "torch":
        raise UserError(
            f"{path}: networks of other programs are computed with torch; leave the runtime "
            f"{runtime.name} out"
        )
    precision = runtime.precision if runtime else "float32"
    if precision == "bfloat16" and not model.has_bfloat16:
        raise UserError(f"{path}: {model.name} does not compute in bfloat16; choose float32")
    return Overlapped(model, precision)
