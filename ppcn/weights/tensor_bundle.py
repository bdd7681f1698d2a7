"""Reads TensorFlow checkpoints (`prefix.index`, `prefix.data-00000-of-00001`) without TensorFlow.

The index is a LevelDB table that maps names to protocol buffers saying where in the data files a
tensor lies (tensorflow/core/util/tensor_bundle, protobuf/tensor_bundle.proto). The data files are
the tensors' bytes.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppcn.errors import UserError
from ppcn.weights.leveldb_table import (
    DAMAGE,
    masked_crc32c,
    number_of,
    parse,
    shape_of,
    table_entries,
)

BFLOAT16 = np.dtype("<u2")
# DataType of types.proto that a network's variable can have.
KINDS: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    2: np.dtype("<f8"),
    14: BFLOAT16,
    19: np.dtype("<f2"),
}
DTYPE, SHAPE, SHARD, OFFSET, SIZE, CHECKSUM, SLICES = 1, 2, 3, 4, 5, 6, 7


class Bundle(Mapping[str, NDArray[np.float32]]):
    """The floating-point variables of a checkpoint by name, each read and checked when asked for.

    Variables that are stored in slices are left out.

    Args:
        prefix: the path without `.index`.

    Raises:
        UserError: a file is missing, damaged, or no checkpoint; on reading a variable, too.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        index = prefix.with_name(f"{prefix.name}.index")
        try:
            entries = dict(table_entries(index.read_bytes()))
            self.shards = number_of(parse(entries.pop(b"")), 1)
            parsed = {key.decode(): parse(entries[key]) for key in entries if key[0]}
        except FileNotFoundError:
            raise UserError(f"{index}: no such file; copy the whole checkpoint") from None
        except DAMAGE:
            raise UserError(f"{index}: not a checkpoint of TensorFlow, or a damaged one") from None
        self._entries = {
            name: entry
            for name, entry in parsed.items()
            if number_of(entry, DTYPE) in KINDS and SLICES not in entry
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """Read one variable as float32."""
        entry = self._entries[name]
        kind, shape = KINDS[number_of(entry, DTYPE)], shape_of(entry, SHAPE)
        shard, offset, size = (number_of(entry, field) for field in (SHARD, OFFSET, SIZE))
        path = self.prefix.with_name(f"{self.prefix.name}.data-{shard:05d}-of-{self.shards:05d}")
        try:
            with path.open("rb") as file:
                file.seek(offset)
                stored = file.read(size)
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; copy the whole checkpoint") from None
        if len(stored) != size or size != kind.itemsize * math.prod(shape):
            raise UserError(f"{path}: shorter than its index says; copy the checkpoint again")
        if entry.get(CHECKSUM) != [masked_crc32c(stored)]:
            raise UserError(f"{path}: damaged at {name}; copy the checkpoint again")
        values = np.frombuffer(stored, kind).reshape(shape)
        if kind == BFLOAT16:
            return (values.astype(np.uint32) << 16).view(np.float32)
        return values.astype(np.float32)
