"""Damage to photo files, as disks, networks and attackers do it."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np

Random = np.random.Generator
PNG_HEAD = b"\x89PNG\r\n\x1a\n"
# Where headers lie, bytes.
HEADER = 1024
MOST_FLIPS, LONGEST_RUN = 16, 64
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF)
SIZES = (0, 1, 2, 47, 255, 256, 4096, 20000, 32767, 65535, 2**31 - 1, 2**32 - 1)


def mutant(seeds: Sequence[bytes], number: int, random: Random) -> bytes:
    """A seed with one to three kinds of damage; half of the PNG files with right checksums."""
    data = bytearray(seeds[number])
    for _ in range(random.integers(1, 4)):
        kind = KINDS[random.integers(len(KINDS))]
        kind(data, random)
    if random.random() < 0.15:
        other = seeds[random.integers(len(seeds))]
        at, start = random.integers(len(data) + 1), random.integers(len(other) + 1)
        data[at:] = other[start:]
    if data.startswith(PNG_HEAD) and random.random() < 0.5:
        _mend_checksums(data)
    return bytes(data)


def _position(data: bytearray, random: Random) -> int:
    """A place in the file, more often in its header."""
    end = min(len(data), HEADER) if random.random() < 0.6 else len(data)
    return int(random.integers(max(end, 1)))


def _flip(data: bytearray, random: Random) -> None:
    for _ in range(random.integers(1, MOST_FLIPS)):
        at = _position(data, random)
        if at < len(data):
            data[at] ^= 1 << random.integers(8)


def _run(data: bytearray, random: Random) -> None:
    """Overwrite some bytes, with one value or with noise."""
    at, length = _position(data, random), int(random.integers(1, LONGEST_RUN))
    value = (0, 255, None)[random.integers(3)]
    run = random.bytes(length) if value is None else bytes([value]) * length
    length = min(length, len(data) - at)
    data[at : at + length] = run[:length]


def _cut(data: bytearray, random: Random) -> None:
    """Cut off the end."""
    del data[random.integers(len(data) + 1) :]


def _remove(data: bytearray, random: Random) -> None:
    at = _position(data, random)
    del data[at : at + int(random.integers(1, LONGEST_RUN))]


def _double(data: bytearray, random: Random) -> None:
    """Repeat some bytes, such as a whole block."""
    at = _position(data, random)
    data[at:at] = data[at : at + int(random.integers(1, 8 * LONGEST_RUN))]


def _extreme(data: bytearray, random: Random) -> None:
    """Set what may be a length, a count or an offset to an extreme."""
    width = (1, 2, 4, 8)[random.integers(4)]
    at = _position(data, random)
    first = bytes([EXTREMES[random.integers(len(EXTREMES))]])
    rest = bytes([(0, 255)[random.integers(2)]]) * (width - 1)
    value = first + rest if random.random() < 0.5 else rest + first
    data[at : at + width] = value[: max(len(data) - at, 0)]


def _resize(data: bytearray, random: Random) -> None:
    """Set a number of the header that may be a size to another."""
    order, size = "<>"[random.integers(2)], "HI"[random.integers(2)]
    width = struct.calcsize(size)
    head = data[:HEADER]
    places = [
        at
        for at in range(len(head) - width + 1)
        if 8 <= struct.unpack_from(order + size, head, at)[0] <= 5000
    ]
    if places:
        value = SIZES[random.integers(len(SIZES))] & (2 ** (8 * width) - 1)
        struct.pack_into(order + size, data, places[random.integers(len(places))], value)


KINDS = (_flip, _run, _cut, _remove, _double, _extreme, _extreme, _resize, _resize)


def _mend_checksums(data: bytearray) -> None:
    """Give a PNG's chunks right checksums, so that readers go on."""
    at = len(PNG_HEAD)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            return
        checksum = zlib.crc32(data[at + 4 : at + 8 + length])
        struct.pack_into(">I", data, at + 8 + length, checksum)
        at += 12 + length
