"""Reads checkpoints of TensorFlow's first format, V1: one file, which is named as the prefix.

The file is a LevelDB table. Under the empty key it lists the variables, and under further keys the
values of each, as protocol buffers (tensorflow/core/util/saved_tensor_slice.proto).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppcn.errors import UserError
from ppcn.weights.leveldb_table import (
    DAMAGE,
    Fields,
    is_table,
    message_of,
    messages,
    number_of,
    parse,
    shape_of,
    table_entries,
)

# Fields of SavedTensorSlices, SavedTensorSliceMeta, SavedSliceMeta and SavedSlice.
META, DATA = 1, 2
TENSORS = 1
NAME, SHAPE, KIND = 1, 2, 3
SLICE, VALUES = 2, 3
EXTENT = 1
# DataType of types.proto, with the field of TensorProto that holds the values.
KINDS: dict[int, tuple[int, np.dtype[Any]]] = {
    1: (5, np.dtype("<f4")),
    2: (6, np.dtype("<f8")),
}


class SavedSlices(Mapping[str, NDArray[np.float32]]):
    """The variables of a checkpoint in float32 or float64, by name.

    Variables that are stored in slices are left out.

    Args:
        path: the file.

    Raises:
        UserError: it is damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            entries = dict(table_entries(path.read_bytes()))
            listed = message_of(parse(entries.pop(b"")), META)
            variables = {_name(variable): variable for variable in messages(listed, TENSORS)}
            values = (message_of(parse(entry), DATA) for entry in entries.values())
            self._arrays = {
                _name(one): _array(variables[_name(one)], one)
                for one in values
                if number_of(variables[_name(one)], KIND) in KINDS and _is_whole(one)
            }
        except DAMAGE:
            raise UserError(f"{path}: damaged checkpoint; copy it again") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """One variable as float32."""
        return self._arrays[name]


def is_saved_slices(path: Path) -> bool:
    """Whether a file is a checkpoint of the first format, as far as its beginning tells."""
    if not path.is_file() or not is_table(path):
        return False
    try:
        key, value = next(table_entries(path.read_bytes()))
        return not key and bool(message_of(parse(value), META))
    except (*DAMAGE, StopIteration):
        return False


def _name(fields: Fields) -> str:
    name = fields[NAME][0]
    return name.decode() if isinstance(name, bytes) else ""


def _is_whole(values: Fields) -> bool:
    """Whether values are those of a whole variable: the extent along no axis is limited."""
    return not any(messages(message_of(values, SLICE), EXTENT))


def _array(variable: Fields, values: Fields) -> NDArray[np.float32]:
    field, kind = KINDS[number_of(variable, KIND)]
    parts = message_of(values, VALUES).get(field, [])
    stored = b"".join(part for part in parts if isinstance(part, bytes))
    return np.frombuffer(stored, kind).reshape(shape_of(variable, SHAPE)).astype(np.float32)
