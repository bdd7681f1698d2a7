"""Batches for training: what is in each follows from (seed, step) alone.

Picks are drawn for the whole batch; a process of several reads its own part. A set that fits is
held on the GPU or in memory, another is read from its file one step ahead. Turning happens where
the network runs.
"""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ppcn.dataset.patch_set import PatchSet
from ppcn.dataset.splits import TRAIN
from ppcn.dataset.sr_set import CropSet
from ppcn.errors import UserError
from ppcn.networks.devices import choose_device, room_on
from ppcn.params import SRTraining
from ppcn.photos.color import luminance
from ppcn.photos.resize import SCALE
from ppcn.training import distributed
from ppcn.training.augmentation import change_colors, color_matrices

Images = NDArray[np.uint8]
TURNS = 8
ROWS_AT_ONCE = 1024
# Grey levels per px that every crop is given beside its own.
LEAST_DETAIL = 0.1


@dataclass(frozen=True)
class Batch:
    """What one step trains on.

    Attributes:
        x: what the network reads, (N, 3, H, W) float32 RGB in [0, 1], channels last.
        y: what it should return; of the same shape, or larger by the scale.
        keys: one number per target; targets of equal keys have equal pixels. None for a target
            that does not come again.
        lr: what x was enlarged from, in [0, 1]; None where x is what the set holds.
    """

    x: Tensor
    y: Tensor
    keys: tuple[int | None, ...] = ()
    lr: Tensor | None = None


class Pick(NamedTuple):
    """One pair of a batch: its row in the set, the corner of its part, its turn (0..7)."""

    row: int
    corner: tuple[int, int]
    turn: int


class Source(Protocol):
    """A set of image pairs that batches are drawn from.

    Attributes:
        held: where its pixels are: "on the GPU", "in memory" or "in its file".
        size: number of pairs in a batch.
        targets: number of different targets, turns included.
        augmented: number of pairs, from the first on, whose colours may be changed.
    """

    held: str
    size: int
    targets: int
    augmented: int

    def __len__(self) -> int:
        """Number of pairs in the set."""

    def pick(self, random: np.random.Generator) -> list[Pick]:
        """Choose what is in a batch."""

    def read(self, picks: Sequence[Pick]) -> tuple[Tensor, Tensor]:
        """Inputs and targets (N, H, W, 3) uint8, not turned."""

    def prepare(self, x: Tensor) -> Tensor:
        """What the network reads of inputs (N, 3, H, W) in 0..255, turned, where it runs."""


class Batches:
    """The batches of one training run, by step.

    Args:
        source: the set that they are drawn from.
        seed: of the draws.
        color_augmentation: share of the pairs whose colours are changed, alike on both sides.

    Raises:
        UserError: the processes cannot share the batch out evenly.
    """

    def __init__(self, source: Source, seed: int, color_augmentation: float = 0.0) -> None:
        distributed.check_batch(source.size)
        self.source, self.seed = source, seed
        self._color_augmentation = color_augmentation

    def from_step(self, first: int, steps: int) -> Generator[Batch, None, None]:
        """The batches of step `first` and all later ones; what is in a file is read ahead."""
        if self.source.held != "in its file":
            yield from map(self.at, range(first, steps))
            return
        with ThreadPoolExecutor(1) as reader:
            picks = [self._picks(first)] if first < steps else []
            reading = [reader.submit(self._read, picks[0])] if picks else []
            for step in range(first, steps):
                now, raw = picks.pop(), reading.pop().result()
                if step + 1 < steps:
                    picks.append(self._picks(step + 1))
                    reading.append(reader.submit(self._read, picks[0]))
                yield self._finish(step, now, raw)

    def at(self, step: int) -> Batch:
        """The batch of one step."""
        picks = self._picks(step)
        return self._finish(step, picks, self._read(picks))

    def _picks(self, step: int) -> list[Pick]:
        picks = self.source.pick(np.random.default_rng([self.seed, step]))
        return list(distributed.own_part(picks))

    def _read(self, picks: list[Pick]) -> tuple[Tensor, Tensor]:
        x, y = self.source.read(picks)
        if torch.cuda.is_available() and not x.is_cuda:
            x, y = x.pin_memory(), y.pin_memory()
        return x, y

    def _finish(self, step: int, picks: list[Pick], raw: tuple[Tensor, Tensor]) -> Batch:
        device = choose_device()
        turns = torch.tensor([pick.turn for pick in picks]).to(device, non_blocking=True)
        x, y = (turn(i.to(device, non_blocking=True), turns).permute(0, 3, 1, 2) for i in raw)
        keys = tuple(pick.row * TURNS + pick.turn for pick in picks)
        stored = x.float()
        prepared = self.source.prepare(stored)
        lr = None if prepared is stored else stored / 255
        batch = Batch(prepared / 255, y.float() / 255, keys, lr)
        return self._with_changed_colors(step, picks, batch) if self._color_augmentation else batch

    def _with_changed_colors(self, step: int, picks: list[Pick], batch: Batch) -> Batch:
        """The batch with the colours of some pairs changed; their targets are like no others."""
        random = np.random.default_rng([self.seed, step, 2])
        everyones = color_matrices(random, self.source.size, self._color_augmentation)
        own = np.stack(distributed.own_part(list(everyones)))
        own[[pick.row >= self.source.augmented for pick in picks]] = np.eye(3)
        matrices = torch.from_numpy(own).to(batch.x.device, non_blocking=True)
        x, y = (change_colors(images, matrices) for images in (batch.x, batch.y))
        unchanged = (own == np.eye(3, dtype=np.float32)).all(axis=(1, 2))
        keys = [key if same else None for key, same in zip(batch.keys, unchanged, strict=True)]
        return Batch(x, y, tuple(keys))


def turn(images: Tensor, turns: Tensor) -> Tensor:
    """Flip and transpose square images (N, S, S, C), each in one of eight ways; 0 leaves alone."""
    for bit, change in enumerate((lambda i: i.transpose(1, 2), _flip_rows, _flip_columns)):
        chosen = (turns >> bit & 1).bool().view(-1, 1, 1, 1)
        images = torch.where(chosen, change(images), images)
    return images.contiguous()


def _flip_rows(images: Tensor) -> Tensor:
    return images.flip(1)


def _flip_columns(images: Tensor) -> Tensor:
    return images.flip(2)


class PatchSource:
    """Training patches of patch sets, whole, each set as often as another.

    Args:
        sets: one or more.
        batch: number of pairs in a batch.

    Raises:
        UserError: a set holds none, or the sets' patches differ in size.
    """

    def __init__(self, sets: Sequence[PatchSet], batch: int) -> None:
        self.size = batch
        self._sets = sets
        for patches in sets:
            if patches.size != sets[0].size:
                raise UserError(
                    f"{patches.path}: its patches are of {patches.size} px, those of "
                    f"{sets[0].path} of {sets[0].size}; cut them alike"
                )
        # Of each set, and where they begin among the rows of all.
        self._rows = [patches.of_split(TRAIN, "training") for patches in sets]
        self._counts = np.array([len(rows) for rows in self._rows])
        self._starts = np.cumsum(self._counts) - self._counts
        self.targets = TURNS * len(self)
        # Those of the first set, a phone's; the others are there to be of many kinds.
        self.augmented = len(self._rows[0])
        self.held, device = room_on(2 * len(self) * sets[0].size ** 2 * 3)
        self._pool = None
        if device:
            self._pool = _hold(
                lambda part: self._read_rows(np.arange(part.start, part.stop)), len(self), device
            )

    def __len__(self) -> int:
        return int(self._counts.sum())

    def pick(self, random: np.random.Generator) -> list[Pick]:
        """Choose patches with replacement, each of a set that is chosen first."""
        if len(self._sets) == 1:
            rows = random.integers(0, len(self), self.size).tolist()
        else:
            chosen = random.integers(0, len(self._sets), self.size)
            within = random.integers(0, self._counts[chosen])
            rows = (self._starts[chosen] + within).tolist()
        turns = random.integers(0, TURNS, self.size).tolist()
        return [Pick(row, (0, 0), turned) for row, turned in zip(rows, turns, strict=True)]

    def read(self, picks: Sequence[Pick]) -> tuple[Tensor, Tensor]:
        """The phone's and the better camera's patches."""
        rows = [pick.row for pick in picks]
        if self._pool is None:
            phone, reference = self._read_rows(np.array(rows))
            return torch.from_numpy(phone), torch.from_numpy(reference)
        index = torch.tensor(rows).to(self._pool[0].device, non_blocking=True)
        return self._pool[0][index], self._pool[1][index]

    def _read_rows(self, rows: NDArray[np.integer]) -> tuple[Images, Images]:
        """Patches by their numbers among those of all sets."""
        of = np.searchsorted(self._starts, rows, side="right") - 1
        size = self._sets[0].size
        phone, reference = (np.empty((len(rows), size, size, 3), np.uint8) for _ in range(2))
        for number, patches in enumerate(self._sets):
            own = np.flatnonzero(of == number)
            stored = self._rows[number][rows[own] - self._starts[number]]
            phone[own], reference[own] = patches.read(stored)
        return phone, reference

    def prepare(self, x: Tensor) -> Tensor:
        """The patches as they are."""
        return x


class CropSource:
    """Random parts of super-resolution crops.

    Deviation: augmentation follows the LR image's making, which is the same up to rounding,
    since Pillow's bicubic is symmetric and parts start at multiples of the scale.

    Args:
        crops: HR and LR crops.
        training: size and number of the parts.
        enlarged: whether the network reads LR parts enlarged to the HR size, as most do.

    Raises:
        UserError: the stored crops are too small, or parts are no multiple of the scale.
    """

    def __init__(self, crops: CropSet, training: SRTraining, enlarged: bool) -> None:
        if training.train_crop > crops.size:
            raise UserError(
                f"train_crop is larger than the stored crops of {crops.size} px; lower it, or "
                "store larger ones"
            )
        if training.train_crop % crops.scale:
            raise UserError(
                f"train_crop ({training.train_crop}) is no multiple of the scale of {crops.path}, "
                f"{crops.scale}; change it"
            )
        self.size, self._enlarged = training.batch, enlarged
        self._crops, self._side, self._scale = crops, training.train_crop, crops.scale
        self.targets = 0
        self.augmented = len(crops)
        self._detailed = training.detail
        self._cumulative = _cumulative_detail(crops) if training.detail else None
        pixels = crops.size**2 + (crops.size // crops.scale) ** 2
        self.held, device = room_on(len(crops) * pixels * 3)
        self._pool = None
        if device:
            self._pool = _hold(crops.read_part, len(self), device)

    def __len__(self) -> int:
        return len(self._crops)

    def pick(self, random: np.random.Generator) -> list[Pick]:
        """Choose parts with replacement, a share of `detail` of crops in proportion to theirs."""
        rows = random.integers(0, len(self._crops), self.size)
        if self._cumulative is not None:
            by_detail = np.searchsorted(self._cumulative, random.random(self.size), side="right")
            rows = np.where(random.random(self.size) < self._detailed, by_detail, rows)
        free = (self._crops.size - self._side) // self._scale + 1
        corners = random.integers(0, free, (self.size, 2)).tolist()
        turns = random.integers(0, TURNS, self.size).tolist()
        return [
            Pick(row, (y, x), turned)
            for row, (y, x), turned in zip(rows.tolist(), corners, turns, strict=True)
        ]

    def read(self, picks: Sequence[Pick]) -> tuple[Tensor, Tensor]:
        """LR and HR parts."""
        small, large = [], []
        for row, (y, x), _ in picks:
            if self._pool is None:
                hr, lr = (torch.from_numpy(image) for image in self._crops.read(row))
            else:
                lr, hr = (images[row] for images in self._pool)
            side = self._side // self._scale
            small.append(lr[y : y + side, x : x + side])
            y, x = self._scale * y, self._scale * x
            large.append(hr[y : y + self._side, x : x + self._side])
        return torch.stack(small), torch.stack(large)

    def prepare(self, x: Tensor) -> Tensor:
        """The parts, enlarged if the network wants them so."""
        return enlarge_parts(x, self._scale) if self._enlarged else x


def _cumulative_detail(crops: CropSet) -> NDArray[np.float64]:
    """Share of the detail of all crops that the crops up to each have, which ends at 1.

    Detail is the mean gradient of brightness, grey levels per px, and a little, so that flat crops
    come up, too.
    """
    detail = [
        LEAST_DETAIL + sum(float(np.abs(np.diff(luminance(hr), axis=a)).mean()) for a in (0, 1))
        for start in range(0, len(crops), ROWS_AT_ONCE)
        for hr in crops.read_part(slice(start, start + ROWS_AT_ONCE))[1]
    ]
    cumulative = np.cumsum(detail) / np.sum(detail)
    cumulative[-1] = 1.0
    return cumulative


def _hold(
    read: Callable[[slice], tuple[Images, Images]], count: int, device: torch.device
) -> list[Tensor]:
    """Fill a device with both sides of a set, some rows at a time."""
    pool: list[Tensor] = []
    for start in range(0, count, ROWS_AT_ONCE):
        part = slice(start, min(start + ROWS_AT_ONCE, count))
        images = [torch.from_numpy(side) for side in read(part)]
        pool = pool or [side.new_empty((count, *side.shape[1:]), device=device) for side in images]
        for whole, side in zip(pool, images, strict=True):
            whole[part] = side.to(device)
    return pool


def enlarge_parts(x: Tensor, scale: int = SCALE) -> Tensor:
    """Enlarge (N, C, H, W) in 0..255 as `resize.enlarge` does, one axis after the other."""
    height, width = x.shape[2:]
    for size in ((height, scale * width), (scale * height, scale * width)):
        x = F.interpolate(x, size, mode="bicubic", antialias=True).round().clamp(0, 255)
    return x.contiguous(memory_format=torch.channels_last)
