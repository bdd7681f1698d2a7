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

Fields = dict[int, list[int | bytes]]

MAGIC = 0xDB4775248B80FB57
FOOTER = 48
BFLOAT16 = np.dtype("<u2")
# DataType of types.proto that a network's variable can have.
KINDS: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    2: np.dtype("<f8"),
    14: BFLOAT16,
    19: np.dtype("<f2"),
}
DTYPE, SHAPE, SHARD, OFFSET, SIZE, CHECKSUM, SLICES = 1, 2, 3, 4, 5, 6, 7
# After each block: a byte that says how it is compressed, and a checksum.
TRAILER = 5


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
            entries = dict(_entries(index.read_bytes()))
            self.shards = _number(_parse(entries.pop(b"")), 1)
            parsed = {key.decode(): _parse(entries[key]) for key in entries if key[0]}
        except FileNotFoundError:
            raise UserError(f"{index}: no such file; copy the whole checkpoint") from None
        except (IndexError, KeyError, ValueError, TypeError):
            raise UserError(f"{index}: not a checkpoint of TensorFlow, or a damaged one") from None
        self._entries = {
            name: entry
            for name, entry in parsed.items()
            if _number(entry, DTYPE) in KINDS and SLICES not in entry
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """Read one variable as float32."""
        entry = self._entries[name]
        kind, shape = KINDS[_number(entry, DTYPE)], _shape(entry)
        shard, offset, size = (_number(entry, field) for field in (SHARD, OFFSET, SIZE))
        path = self.prefix.with_name(f"{self.prefix.name}.data-{shard:05d}-of-{self.shards:05d}")
        try:
            with path.open("rb") as file:
                file.seek(offset)
                stored = file.read(size)
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; copy the whole checkpoint") from None
        if len(stored) != size or size != kind.itemsize * math.prod(shape):
            raise UserError(f"{path}: shorter than its index says; copy the checkpoint again")
        if entry.get(CHECKSUM) != [_masked_crc32c(stored)]:
            raise UserError(f"{path}: damaged at {name}; copy the checkpoint again")
        values = np.frombuffer(stored, kind).reshape(shape)
        if kind == BFLOAT16:
            return (values.astype(np.uint32) << 16).view(np.float32)
        return values.astype(np.float32)


def _shape(entry: Fields) -> tuple[int, ...]:
    """Sizes in a TensorShapeProto: field 2 repeats a message whose field 1 is the size."""
    message = entry.get(SHAPE, [b""])[0]
    assert isinstance(message, bytes)
    dimensions = (_parse(part) for part in _parse(message).get(2, []) if isinstance(part, bytes))
    return tuple(_number(dimension, 1) for dimension in dimensions)


def _number(fields: Fields, field: int) -> int:
    return int(fields.get(field, [0])[0])


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a LevelDB table."""
    footer = table[-FOOTER:]
    if len(footer) < FOOTER or int.from_bytes(footer[-8:], "little") != MAGIC:
        raise ValueError("no table")
    position = 0
    for _ in range(2):  # the handle of the metaindex, which is not needed
        _, position = _varint(footer, position)
    for _, handle in _block(table, *_handle(footer, position)):
        yield from _block(table, *_handle(handle, 0))


def _handle(data: bytes, position: int) -> tuple[int, int]:
    """Offset and size of a block."""
    offset, position = _varint(data, position)
    size, _ = _varint(data, position)
    return offset, size


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Entries of a block, whose keys share prefixes; restart points follow at the end."""
    block = table[offset : offset + size]
    trailer = table[offset + size :][:TRAILER]
    if _masked_crc32c(block + trailer[:1]) != trailer[1:]:
        raise ValueError("damaged block")
    if trailer[0] != 0:
        raise ValueError("compressed block")
    end = size - 4 * (1 + int.from_bytes(block[-4:], "little"))
    position, key = 0, b""
    while position < end:
        shared, position = _varint(block, position)
        fresh, position = _varint(block, position)
        length, position = _varint(block, position)
        key = key[:shared] + block[position : position + fresh]
        position += fresh
        yield key, block[position : position + length]
        position += length


def _crc_table() -> tuple[int, ...]:
    """Remainders of the Castagnoli polynomial for every byte."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


CRC_TABLE = _crc_table()


def _masked_crc32c(data: bytes) -> bytes:
    """CRC-32C, rotated and shifted as LevelDB stores it, little-endian."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return masked.to_bytes(4, "little")


def _parse(message: bytes) -> Fields:
    """Fields of a protocol buffer by number."""
    fields: Fields = {}
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        value: int | bytes
        if tag & 7 == 0:
            value, position = _varint(message, position)
        else:
            length = {1: 8, 5: 4}.get(tag & 7)
            if length is None:
                length, position = _varint(message, position)
            value = message[position : position + length]
            position += length
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A little-endian number in groups of 7 bits, and the position after it."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
