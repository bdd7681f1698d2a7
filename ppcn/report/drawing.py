"""Marks, colours, titles and legends of pictures that are drawn on reduced copies of photos.

Amounts are coloured by viridis and kinds by the palette of Okabe and Ito, both made for readers
who tell fewer colours apart. Points are (x, y), pixel centres, origin 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ppcn.photos.decode import Photo
from ppcn.registration.geometry import Array

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
BLACK, DARK, GREY, WHITE = (0, 0, 0), (48, 48, 48), (153, 153, 153), (255, 255, 255)
ORANGE, SKY, GREEN, BLUE = (230, 159, 0), (86, 180, 233), (0, 158, 115), (0, 114, 178)
VERMILION, PURPLE, YELLOW = (213, 94, 0), (204, 121, 167), (240, 228, 66)
# (256, 3), for 0 to 1.
VIRIDIS = cv2.applyColorMap(np.arange(256, dtype=np.uint8), cv2.COLORMAP_VIRIDIS).reshape(-1, 3)[
    :, ::-1
]
GAP = 4
# Height of the samples in a legend, px.
SAMPLE = 12
# OpenCV's fixed-point coordinates have so many bits after the point.
BITS = 4


@dataclass(frozen=True)
class Key:
    """An entry of a legend.

    Attributes:
        sample: (SAMPLE, any width, 3) uint8, the mark.
        text: what it stands for.
    """

    sample: Photo
    text: str


def shades(values: Array) -> Photo:
    """Viridis (..., 3) uint8 RGB for amounts (...); less than 0 as 0, more than 1 as 1."""
    return VIRIDIS[np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)]


def reduced(photo: Photo, width: int) -> Photo:
    """A photo at another width, px."""
    size = (width, max(1, round(photo.shape[0] * width / photo.shape[1])))
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)


def faded(photo: Photo) -> Photo:
    """A photo in middle grey, its shadows lifted, on which dark and light marks show."""
    lifted = (95 + 110 * np.sqrt(np.arange(256) / 255)).astype(np.uint8)
    grey = cv2.LUT(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), lifted)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)


def draw_line(picture: Photo, start: Array, end: Array, colour: Array, thick: int = 1) -> None:
    """Draw a line between two points, `thick` px wide."""
    cv2.line(picture, _fixed(start), _fixed(end), colour.tolist(), thick, cv2.LINE_AA, BITS)


def draw_dot(picture: Photo, centre: Array, colour: Array, radius: int = 2) -> None:
    """Draw a disc around a point."""
    cv2.circle(picture, _fixed(centre), radius << BITS, colour.tolist(), -1, cv2.LINE_AA, BITS)


def draw_pin(picture: Photo, start: Array, end: Array, colour: Array) -> None:
    """Draw a line from a dot, edged with black."""
    for shade, more in ((np.array(BLACK), 1), (colour, 0)):
        draw_line(picture, start, end, shade, 2 + 2 * more)
        draw_dot(picture, start, shade, 3 + more)


def _fixed(point: Array) -> NDArray[np.int64]:
    return np.rint(point * (1 << BITS)).astype(np.int64)


def ramp(text: str) -> Key:
    """The entry of an amount: every shade, from 0 to 1."""
    return Key(np.tile(shades(np.linspace(0, 1, 96)), (SAMPLE, 1, 1)), text)


def swatch(colour: Colour, text: str) -> Key:
    """The entry of a kind: its colour."""
    return Key(np.full((SAMPLE, SAMPLE, 3), colour, np.uint8), text)


def scale_bar(length: float, text: str) -> Key:
    """The entry of a length, px."""
    sample = np.full((SAMPLE, max(1, round(length)), 3), DARK, np.uint8)
    sample[SAMPLE // 2 - 1 : SAMPLE // 2 + 1] = WHITE
    return Key(sample, text)


def round_length(longest: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is no longer."""
    power = 10.0 ** np.floor(np.log10(longest))
    return float(max(n * power for n in (1, 2, 5) if n * power <= longest))


def framed(picture: Photo, title: str, keys: Sequence[Key] = ()) -> Photo:
    """A picture with a title above and a legend below, in as many rows as that needs."""
    width = picture.shape[1]
    font = ImageFont.load_default(12 if width < 800 else 18)
    heading = Key(np.zeros((SAMPLE, 0, 3), np.uint8), title)
    parts = [_row([heading], width, font), picture]
    parts += [_row(row, width, font) for row in _rows(keys, width, font)]
    return np.concatenate(parts)


def _rows(keys: Sequence[Key], width: int, font: Font) -> list[list[Key]]:
    rows: list[list[Key]] = []
    left = 0
    for key in keys:
        needed = _length(key, font)
        if left < needed:
            rows.append([])
            left = width
        rows[-1].append(key)
        left -= needed
    return rows


def _row(keys: Sequence[Key], width: int, font: Font) -> Photo:
    height, x = round(font.getbbox("|")[3] + 2 * GAP), GAP
    strip = Image.new("RGB", (width, height), DARK)
    for key in keys:
        strip.paste(Image.fromarray(key.sample), (x, (height - SAMPLE) // 2))
        start = x + key.sample.shape[1] + (GAP if key.sample.size else 0)
        ImageDraw.Draw(strip).text((start, height // 2), key.text, WHITE, font, anchor="lm")
        x += _length(key, font)
    return np.asarray(strip)


def _length(key: Key, font: Font) -> int:
    return key.sample.shape[1] + round(font.getlength(key.text)) + 5 * GAP


def beside(pictures: Sequence[Photo]) -> Photo:
    """Pictures in a row, aligned at the top."""
    height = max(len(picture) for picture in pictures)
    row = [
        cv2.copyMakeBorder(p, 0, height - len(p), 0, GAP, cv2.BORDER_CONSTANT, value=DARK)
        for p in pictures
    ]
    return np.concatenate(row, axis=1)[:, :-GAP]
