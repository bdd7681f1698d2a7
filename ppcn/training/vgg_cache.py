"""VGG-19's features of the targets, computed once per target where memory allows."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ppcn.networks.vgg import VGG19, State

AT_ONCE = 8


class TargetFeatures:
    """Features of the better camera's patches, kept from one step to the next.

    VGG-19 is frozen, so the features of a target never change; it is evaluated for those that
    have not been seen yet, and for those for which there was no room.

    Args:
        vgg: the feature network, where it is to run.
        layers: what is wanted, such as "conv4_2".
        room: bytes to fill at most.
        targets: number of different targets.
    """

    def __init__(self, vgg: VGG19, layers: Collection[str], room: int, targets: int) -> None:
        self.vgg, self.layers = vgg, tuple(layers)
        self.room, self.targets = room, targets
        self.kept: State = {}
        self.rows: dict[int, int] = {}

    @torch.no_grad()
    def __call__(self, y: Tensor, keys: Sequence[int | None]) -> State:
        """Features of a batch.

        Args:
            y: (N, 3, H, W) RGB in [0, 1].
            keys: N numbers; targets of equal keys have equal pixels. Features of a target whose key
                is None are not kept.
        """
        known = [place for place, key in enumerate(keys) if key in self.rows]
        new = [place for place, key in enumerate(keys) if key not in self.rows]
        fresh = self._evaluate(y[_index(new, y)]) if new else {}
        if not known:
            features = fresh
        else:
            rows = _index([self.rows[key] for key in keys if key in self.rows], y)
            features = {layer: kept[rows] for layer, kept in self.kept.items()}
            if new:
                order = _index([*known, *new], y).argsort()
                features = {n: torch.cat((f, fresh[n]))[order] for n, f in features.items()}
        self._keep(fresh, [keys[place] for place in new])
        # One order in memory, whether kept or fresh, so that sums over them agree to the bit.
        return {n: f.contiguous(memory_format=torch.channels_last) for n, f in features.items()}

    def _evaluate(self, y: Tensor) -> State:
        """Features of any number of targets.

        On a CPU always of eight at once, the last ones filled up, so that the features of a
        target do not depend on the others by a bit, and a resumed run gets what it had.
        """
        if y.is_cuda:
            return self.vgg(y, self.layers)
        filled = F.pad(y, (0, 0, 0, 0, 0, 0, 0, -len(y) % AT_ONCE))
        parts = [self.vgg(part, self.layers) for part in filled.split(AT_ONCE)]
        return {layer: torch.cat([part[layer] for part in parts])[: len(y)] for layer in parts[0]}

    def _keep(self, fresh: State, keys: Sequence[int | None]) -> None:
        """Store features of new targets as long as there is room."""
        if not fresh:
            return
        if not self.kept:
            self._make_room(fresh)
        capacity = len(next(iter(self.kept.values())))
        places = {key: place for place, key in enumerate(keys) if key is not None}
        chosen = list(places.items())[: capacity - len(self.rows)]
        first = len(self.rows)
        for row, (key, _) in enumerate(chosen, start=first):
            self.rows[key] = row
        for layer, kept in self.kept.items():
            values = fresh[layer]
            kept[first : first + len(chosen)] = values[_index([p for _, p in chosen], values)]

    def _make_room(self, fresh: State) -> None:
        each = sum(values[0].nbytes for values in fresh.values())
        for layer, values in fresh.items():
            shape = (min(self.targets, self.room // each), *values.shape[1:])
            self.kept[layer] = values.new_empty(shape)


def _index(places: Sequence[int], like: Tensor) -> Tensor:
    return torch.tensor(places, dtype=torch.int64).to(like.device, non_blocking=True)
