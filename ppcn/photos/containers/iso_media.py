"""AVIF and HEIF files: the items of an ISO media file, and what is said of the primary one."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Boxes that describe items are small; what claims to be larger is not read, bytes.
LARGEST = 16 * 2**20
# What an auxiliary item may be, by words in the name of its kind.
AUXILIARIES = (
    ("hdrgainmap", "HDR gain map"),
    ("depth", "depth map"),
    ("disparity", "depth map"),
    ("hevc:2015:auxid:2", "depth map"),
    ("matte", "mattes of parts of the picture"),
    ("linearthumbnail", "linear thumbnail"),
)
ALPHA = ("alpha", "hevc:2015:auxid:1")


@dataclass(frozen=True)
class Items:
    """What an ISO media file says of its primary picture.

    Attributes:
        codes: primaries and transfer by ITU-T H.273 (nclx), if any.
        others: names of further items.
    """

    codes: tuple[int, int] | None
    others: tuple[str, ...]


def read_items(path: Path) -> Items:
    """Read the boxes that describe a file's items; malformed ones say nothing."""
    boxes = _top_boxes(path)
    others = ["video"] if b"moov" in boxes else []
    meta = boxes.get(b"meta", b"")[4:]
    try:
        codes, named = _describe(dict(_boxes(meta)))
    except (struct.error, IndexError, KeyError):
        codes, named = None, []
    return Items(codes, tuple(dict.fromkeys([*others, *named])))


def _top_boxes(path: Path) -> dict[bytes, bytes]:
    """The first box of each kind; of large ones the name alone."""
    boxes: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        end = file.seek(0, 2)
        at = 0
        while at + 8 <= end:
            file.seek(at)
            size, name = struct.unpack(">I4s", file.read(8))
            head = 8
            if size == 1:
                size, head = int.from_bytes(file.read(8), "big"), 16
            size = size or end - at
            if size < head:
                break
            is_read = name == b"meta" and size <= LARGEST
            boxes.setdefault(name, file.read(size - head) if is_read else b"")
            at += size
    return boxes


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        size = size or len(data) - at
        if size < 8:
            return
        yield name, data[at + 8 : at + size]
        at += size


def _describe(meta: dict[bytes, bytes]) -> tuple[tuple[int, int] | None, list[str]]:
    """Colour codes of the primary item, and names of the others."""
    properties = dict(_boxes(meta[b"iprp"]))
    listed = [*_boxes(properties[b"ipco"])]
    of_items = _associations(properties[b"ipma"])
    primary = int.from_bytes(meta[b"pitm"][4:], "big")
    colors = [listed[n - 1] for n in of_items.get(primary, []) if 0 < n <= len(listed)]
    codes = None
    for name, data in colors:
        if name == b"colr" and data[:4] == b"nclx":
            codes = struct.unpack_from(">HH", data, 4)
    return codes, [*_auxiliaries(listed), *_item_kinds(meta.get(b"iinf", b""))]


def _associations(data: bytes) -> dict[int, list[int]]:
    """Numbers of the properties of each item."""
    version, flags = data[0], data[3]
    (count,) = struct.unpack_from(">I", data, 4)
    at = 8
    items: dict[int, list[int]] = {}
    for _ in range(min(count, len(data))):
        (item,) = struct.unpack_from(">I" if version else ">H", data, at)
        at += 4 if version else 2
        number = data[at]
        at += 1
        wide = flags & 1
        numbers = struct.unpack_from(f">{number}{'H' if wide else 'B'}", data, at)
        items[item] = [n & (0x7FFF if wide else 0x7F) for n in numbers]
        at += number * (2 if wide else 1)
    return items


def _auxiliaries(listed: list[tuple[bytes, bytes]]) -> Iterator[str]:
    for name, data in listed:
        if name == b"auxC":
            kind = data[4:].partition(b"\0")[0].decode("utf-8", "replace")
            if not any(word in kind for word in ALPHA):
                known = (title for word, title in AUXILIARIES if word in kind)
                yield next(known, f"auxiliary picture ({kind[-40:]})")


def _item_kinds(iinf: bytes) -> Iterator[str]:
    """Names of items that are neither pictures nor blocks that are read."""
    start = 6 if iinf[:1] == b"\0" else 8
    for _, data in _boxes(iinf[start:]):
        kind = data[8:12] if data[:1] == b"\2" else data[10:14]
        if kind == b"tmap":
            yield "HDR gain map"
        elif kind == b"uri ":
            yield "further items"
