"""What a network cut into segments needs: how far each sees, what its maps take."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ppcn.inference.segments import PHOTO, Chain, Segment
from ppcn.inference.tiles import GROUP, power_of_two

# Side of the picture on which reach is measured: more than twice any reach, px.
LONG, NARROW = 256, 8
SPOILT = slice(LONG // 2, LONG // 2 + GROUP)


class Probe:
    """Tries a chain on small pictures.

    Pixels that are no number spread exactly as far as a segment sees.

    Attributes:
        reach: pixels that the whole network sees around each.
        scale: how many times as large the result is.
        group: tiles have to begin at multiples of it, px.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._shapes = chain.shapes(LONG, LONG)
        self.scale = int(power_of_two(self._shapes[chain.result][1] / LONG))
        smallest = min(shape[1] for shape in self._shapes.values() if shape[1] > 1)
        self.group = GROUP if smallest < LONG else 1
        self.reach = max(self._spread_of_all(axis) for axis in (2, 3))

    def reach_of(self, segment: Segment) -> int:
        """Pixels that a segment sees around each."""
        return max(self._spread_of(segment, axis) for axis in (2, 3))

    def bytes_of(self, segment: Segment) -> int:
        """What all maps of a segment take in float32, bytes a pixel of the photo."""
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


def picture(height: int, width: int) -> Tensor:
    """A photo of noise, (1, 3, H, W)."""
    return torch.rand((1, 3, height, width), generator=torch.Generator().manual_seed(0))


def _narrow(axis: int) -> Tensor:
    return picture(LONG, NARROW) if axis == 2 else picture(NARROW, LONG)


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
