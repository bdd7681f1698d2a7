"""Pictures that let a person judge a result: the same place by every method, side by side."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ppcn.evaluation.protocols import Enhance, Floats
from ppcn.photos.color import luminance
from ppcn.photos.decode import Photo

GAP = 4
MOST_DRAWN = (1200, 1600)


def to_photo(image: Floats) -> Photo:
    """Clip an image in [0, 1] and round it to uint8."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def compare_patches(
    pairs: Sequence[tuple[Photo, Photo]], methods: Mapping[str, Enhance], zoom: int = 2
) -> Photo:
    """One row per pair: the phone's patch, every method's, and the better camera's."""
    rows: list[Photo] = []
    for phone, reference in pairs:
        cells = {"phone": phone} | {name: to_photo(run(phone)) for name, run in methods.items()}
        cells["camera"] = reference
        large = {name: cell.repeat(zoom, 0).repeat(zoom, 1) for name, cell in cells.items()}
        rows.append(_row(large, titled=not rows))
    return _stack(rows)


def compare_photo(photo: Photo, methods: Mapping[str, Enhance], width: int = 900) -> Photo:
    """The middle of a photo, up to 1600x1200 px, before and after each method.

    Args:
        photo: (H, W, 3) uint8.
        methods: by name.
        width: of each cell at most, px.
    """
    y, x = (max(0, n - most) // 2 for n, most in zip(photo.shape, MOST_DRAWN, strict=False))
    photo = photo[y : y + MOST_DRAWN[0], x : x + MOST_DRAWN[1]]
    cells = {"phone": photo} | {name: to_photo(run(photo)) for name, run in methods.items()}
    scale = min(1.0, width / photo.shape[1])
    size = (round(photo.shape[1] * scale), round(photo.shape[0] * scale))
    small = {n: cv2.resize(c, size, interpolation=cv2.INTER_AREA) for n, c in cells.items()}
    return _row(small, titled=True)


def compare_sr(hr: Photo, lr: Photo, methods: Mapping[str, Enhance], side: int = 200) -> Photo:
    """The most detailed part of a photo: by each method, and the original."""
    y, x = _busiest(hr, side)
    cells = {name: to_photo(upscale(lr)) for name, upscale in methods.items()} | {"original": hr}
    parts = {name: cell[y : y + side, x : x + side] for name, cell in cells.items()}
    return _row({name: part.repeat(2, 0).repeat(2, 1) for name, part in parts.items()}, titled=True)


def _busiest(photo: Photo, side: int) -> tuple[int, int]:
    """Top-left corner (y, x) of the square with the strongest edges."""
    edges = np.abs(cv2.Laplacian(luminance(photo), cv2.CV_32F))
    height, width = edges.shape
    corners = [
        (y, x)
        for y in range(0, max(1, height - side + 1), side // 2)
        for x in range(0, max(1, width - side + 1), side // 2)
    ]
    return max(corners, key=lambda c: edges[c[0] : c[0] + side, c[1] : c[1] + side].mean())


def _row(cells: Mapping[str, Photo], titled: bool) -> Photo:
    """Cells of one height beside each other, their names above if `titled`."""
    spacer = np.full((next(iter(cells.values())).shape[0], GAP, 3), 255, np.uint8)
    parts: list[Photo] = []
    for cell in cells.values():
        parts += [cell, spacer]
    row = np.concatenate(parts[:-1], axis=1)
    return np.concatenate((_titles(cells), row)) if titled else row


def _titles(cells: Mapping[str, Photo]) -> Photo:
    widths = [cell.shape[1] for cell in cells.values()]
    strip = Image.new("RGB", (sum(widths) + GAP * (len(widths) - 1), 24), "white")
    font, left = ImageFont.load_default(16), 0
    for name, width in zip(cells, widths, strict=True):
        ImageDraw.Draw(strip).text((left + 4, 2), name.replace("_", " "), "black", font)
        left += width + GAP
    return np.asarray(strip)


def _stack(rows: Sequence[Photo]) -> Photo:
    spacer = np.full((GAP, rows[0].shape[1], 3), 255, np.uint8)
    parts: list[Photo] = []
    for row in rows:
        parts += [row, spacer]
    return np.concatenate(parts[:-1])
