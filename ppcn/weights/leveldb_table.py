"""LevelDB tables and protocol buffers, of which TensorFlow's checkpoints are made."""

import os
from collections.abc import Iterator
from pathlib import Path

Fields = dict[int, list[int | bytes]]

MAGIC = 0xDB4775248B80FB57
FOOTER = 48
# After each block: a byte that says how it is compressed, and a checksum.
TRAILER = 5
# What reading a damaged file raises.
DAMAGE = (IndexError, KeyError, ValueError, TypeError)


def is_table(path: Path) -> bool:
    """Whether a file ends as a LevelDB table does."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) < FOOTER:
            return False
        file.seek(-8, os.SEEK_END)
        return int.from_bytes(file.read(), "little") == MAGIC


def table_entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a LevelDB table, of which each block is checked.

    Raises:
        One of `DAMAGE`: it is damaged, or compressed.
    """
    footer = table[-FOOTER:]
    if len(footer) < FOOTER or int.from_bytes(footer[-8:], "little") != MAGIC:
        raise ValueError("no table")
    position = 0
    for _ in range(2):  # the handle of the metaindex, which is not needed
        _, position = varint(footer, position)
    for _, handle in _block(table, *_handle(footer, position)):
        yield from _block(table, *_handle(handle, 0))


def _handle(data: bytes, position: int) -> tuple[int, int]:
    """Offset and size of a block."""
    offset, position = varint(data, position)
    size, _ = varint(data, position)
    return offset, size


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Entries of a block, whose keys share prefixes; restart points follow at the end."""
    block = table[offset : offset + size]
    trailer = table[offset + size :][:TRAILER]
    if masked_crc32c(block + trailer[:1]) != trailer[1:]:
        raise ValueError("damaged block")
    if trailer[0] != 0:
        raise ValueError("compressed block")
    end = size - 4 * (1 + int.from_bytes(block[-4:], "little"))
    position, key = 0, b""
    while position < end:
        shared, position = varint(block, position)
        fresh, position = varint(block, position)
        length, position = varint(block, position)
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


def masked_crc32c(data: bytes) -> bytes:
    """CRC-32C, rotated and shifted as LevelDB stores it, little-endian."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return masked.to_bytes(4, "little")


def parse(message: bytes) -> Fields:
    """Fields of a protocol buffer by number."""
    fields: Fields = {}
    position = 0
    while position < len(message):
        tag, position = varint(message, position)
        value: int | bytes
        if tag & 7 == 0:
            value, position = varint(message, position)
        else:
            length = {1: 8, 5: 4}.get(tag & 7)
            if length is None:
                length, position = varint(message, position)
            value = message[position : position + length]
            position += length
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def varint(data: bytes, position: int) -> tuple[int, int]:
    """A little-endian number in groups of 7 bits, and the position after it."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


def number_of(fields: Fields, field: int) -> int:
    """The first number of a field; 0 where it is missing."""
    return int(fields.get(field, [0])[0])


def shape_of(fields: Fields, field: int) -> tuple[int, ...]:
    """Sizes in a TensorShapeProto: field 2 repeats a message whose field 1 is the size."""
    sizes = messages(message_of(fields, field), 2)
    return tuple(number_of(size, 1) for size in sizes)


def message_of(fields: Fields, field: int) -> Fields:
    """The first message of a field; empty where it is missing."""
    return next(messages(fields, field), {})


def messages(fields: Fields, field: int) -> Iterator[Fields]:
    """All messages of a field."""
    return (parse(part) for part in fields.get(field, []) if isinstance(part, bytes))
