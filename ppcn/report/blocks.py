"""What a page is made of: tables, pictures, sliders and facts, each shown by its own template."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from ppcn.errors import FileError, FileKind
from ppcn.photos.decode import Photo

MIME = {".png": "image/png", ".jpg": "image/jpeg"}
# Quality of pictures of whole photos, of 100; patches are shown without loss.
QUALITY = 86


class Block(Protocol):
    """Something that is shown: `kind` names its template."""

    @property
    def kind(self) -> str:
        """The name of its template."""


@dataclass(frozen=True)
class Table:
    """A titled table, which readers can sort.

    Attributes:
        title: what is compared.
        note: protocol and other conditions.
        columns: names; empty for a table of names and values.
        rows: cells in the order of `columns`.
        groups: titles over columns, each with how many it spans; the first spans the first column.
    """

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    groups: Sequence[tuple[str, int]] = ()
    kind: str = "table"


@dataclass(frozen=True)
class Picture:
    """A titled picture as a data URI, with its size in px."""

    title: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Pictures:
    """Pictures beside each other, each enlarged when it is chosen."""

    title: str
    note: str
    pictures: Sequence[Picture]
    kind: str = "pictures"


@dataclass(frozen=True)
class Slider:
    """One photo by several methods, two of which are shown on either side of a movable line.

    Attributes:
        title: the photo's name.
        note: how good the methods are on it.
        layers: pictures of one size, each titled by its method.
        left: index of the one that is on the left at first.
        right: of the one on the right.
    """

    title: str
    note: str
    layers: Sequence[Picture]
    left: int
    right: int
    kind: str = "slider"


@dataclass(frozen=True)
class Sliders:
    """Sliders beside each other; `exact` ones show every pixel of a picture as a square."""

    title: str
    note: str
    sliders: Sequence[Slider]
    exact: bool = False
    kind: str = "sliders"


@dataclass(frozen=True)
class Gallery:
    """Rows of small pictures under the same headings, each row with a caption."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Picture]]]
    kind: str = "gallery"


@dataclass(frozen=True)
class Facts:
    """Names and what they stand for, without columns to compare."""

    title: str
    note: str
    items: Sequence[tuple[str, str]]
    kind: str = "facts"


@dataclass(frozen=True)
class Folded:
    """Blocks that are hidden until the reader opens them."""

    title: str
    blocks: Sequence[Block]
    kind: str = "folded"


@dataclass(frozen=True)
class Card:
    """A figure that stands for a result: what it is, its value, and under which conditions."""

    title: str
    value: str
    change: str
    note: str


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it, in order; `anchor` is its address in the page."""

    anchor: str
    heading: str
    blocks: Sequence[Block] = field(default_factory=tuple)
    lead: str = ""


def titled(name: str) -> str:
    """A name of code as words."""
    return name.replace("_", " ")


def value_table(title: str, note: str, values: Mapping[str, Any]) -> Table:
    """A two-column table of nested values, by dotted name."""
    rows = [[name, number(value)] for name, value in flatten(values)]
    return Table(title, note, (), rows)


def flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Leaves of nested mappings by dotted name."""
    leaves: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            leaves += flatten(value, f"{prefix}{key}.")
        else:
            leaves.append((f"{prefix}{key}", value))
    return leaves


def number(value: Any) -> str:
    """A value of a file as text, numbers to four digits."""
    if value is None:
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def file_picture(path: Path, title: str) -> Picture:
    """A picture file as it is.

    Raises:
        FileError: it is missing or no picture.
    """
    if not path.is_file():
        raise FileError(path, FileKind.PICTURES, "no such picture", missing=True)
    data = path.read_bytes()
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
    except OSError:
        raise FileError(path, FileKind.PICTURES, "not a picture") from None
    return Picture(title, _uri(data, MIME[path.suffix]), width, height)


def photo_picture(title: str, photo: Photo, lossless: bool = False) -> Picture:
    """Pixels (H, W, 3) uint8 as a WebP picture."""
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "WEBP", quality=QUALITY, lossless=lossless)
    return Picture(title, _uri(buffer.getvalue(), "image/webp"), photo.shape[1], photo.shape[0])


def _uri(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"
