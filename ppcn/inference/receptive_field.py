"""Receptive fields of networks cut into segments, and the memory that their maps take."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ppcn.inference.segments import PHOTO, Chain, Segment
from ppcn.inference.tile_grid import GROUP, power_of_two

# Sides of the photo on which radii are measured, the long one more than twice any radius, px.
LONG, NARROW = 256, 8
# Pixels of the long side that are made NaN.
SPOILT = slice(LONG // 2, LONG // 2 + GROUP)


class ReceptiveFieldProbe:
    """Measures the receptive field of a network on small photos.

    Pixels that are no number (NaN) spread exactly as far as a segment sees.

    Attributes:
        radius: how many pixels around each pixel the whole network sees.
        scale: how many times as large the result is.
        group: tiles have to begin at multiples of it, px.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._shapes = chain.shapes(LONG, LONG)
        self.scale = int(power_of_two(self._shapes[chain.result][1] / LONG))
        smallest = min(shape[1] for shape in self._shapes.values() if shape[1] > 1)
        self.group = GROUP if smallest < LONG else 1
        self.radius = max(self._spread_of_all(axis) for axis in (2, 3))

    def radius_of(self, segment: Segment) -> int:
        """How many pixels around each pixel a segment sees."""
        return max(self._spread_of(segment, axis) for axis in (2, 3))

    def scale_of(self, name: str) -> float:
        """How many times as large as the photo a map is."""
        return power_of_two(self._shapes[name][1] / LONG)

    def bytes_of(self, segment: Segment) -> int:
        """Memory that all maps of a segment take in float32, bytes for each pixel of the photo."""
        names = {*segment.maps, *segment.computes} & self._shapes.keys()
        values = sum(int(np.prod(self._shapes[name])) for name in names)
        return max(4 * values // LONG**2, 1)

    @torch.inference_mode()
    def _spread_of_all(self, axis: int) -> int:
        clean = self._chain.maps(_narrow(axis))
        maps = {**clean, PHOTO: _spoil(clean[PHOTO], axis)}
        for segment in self._chain.segments:
            maps |= self._run(segment, maps, clean)
        return _spread(maps[self._chain.result], axis)

    @torch.inference_mode()
    def _spread_of(self, segment: Segment, axis: int) -> int:
        clean = self._chain.maps(_narrow(axis))
        spoilt = {name: _spoil(clean[name], axis) for name in (PHOTO, *segment.maps)}
        outputs = self._run(segment, {**clean, **spoilt}, clean)
        return max((_spread(x, axis) for x in outputs.values()), default=0)

    def _run(
        self, segment: Segment, maps: Mapping[str, Tensor], clean: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """A segment's maps; what is known of the whole photo is known of a clean one."""
        known = self._chain.known(clean)
        inputs = [maps[name] for name in segment.maps]
        inputs += [known[name] for name in segment.statistics]
        inputs += [maps[noise.name] for noise in segment.noises]
        return dict(zip(segment.writes, segment.module(*inputs), strict=True))


def noise_photo(height: int, width: int) -> Tensor:
    """A photo of noise, (1, 3, H, W)."""
    return torch.rand((1, 3, height, width), generator=torch.Generator().manual_seed(0))


def _narrow(axis: int) -> Tensor:
    return noise_photo(LONG, NARROW) if axis == 2 else noise_photo(NARROW, LONG)


def _spoil(x: Tensor, axis: int) -> Tensor:
    scale = power_of_two(x.shape[axis] / LONG)
    x = x.clone()
    x.transpose(axis, 0)[int(SPOILT.start * scale) : int(SPOILT.stop * scale)] = torch.nan
    return x


def _spread(x: Tensor, axis: int) -> int:
    """How far beyond the spoilt pixels a map is spoilt, px of the photo."""
    scale = power_of_two(x.shape[axis] / LONG)
    spoilt = x[0].isnan().any(dim=0).any(dim=3 - axis).nonzero()
    if not len(spoilt):
        return 0
    first, last = int(spoilt.min()) / scale, (int(spoilt.max()) + 1) / scale
    return max(SPOILT.start - int(first), int(np.ceil(last)) - SPOILT.stop, 0)
