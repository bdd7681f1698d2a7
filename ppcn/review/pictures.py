"""A pair as pictures for the screen: the phone's photo, and on its pixels the reference photo."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ppcn.dataset.pairs import Pair
from ppcn.photos.color import luminance
from ppcn.photos.decode import Photo, encode_jpeg, photo_size, read_photo, read_reduced
from ppcn.registration.alignment import Alignment
from ppcn.registration.geometry import Array, inside, size_of, square_centres
from ppcn.report.drawing import faded, shades

# px of the long side of what is shown, and of photos in which points are set, at most.
LONGEST, LONGEST_WHOLE = 1600, 6000
QUALITY = 88
# px between the exact points of a mapping, which is linear between them.
NODE = 8
# What the reference camera does not see.
UNSEEN = 28
# Tone is matched over this share of the width; WORST grey levels of difference have the last shade.
AROUND, WORST = 0.04, 48.0
# Side of the square over which photos are correlated, px of the phone's photo, and the grey levels
# by which it must deviate for that to say something.
SQUARE, TEXTURED = 80, 2.5


@dataclass(frozen=True)
class View:
    """A pair, reduced.

    Attributes:
        phone: (H, W, 3) uint8 RGB.
        reference: (H, W, 3) uint8 RGB, warped to the phone's pixels.
        valid_mask: (H, W), what the reference camera sees.
        scale: pixels of the phone's photo per pixel.
    """

    phone: Photo
    reference: Photo
    valid_mask: NDArray[np.bool_]
    scale: float

    def picture(self, layer: str) -> bytes:
        """A JPEG file of one of `LAYERS`."""
        return encode_jpeg(LAYERS[layer](self), QUALITY)

    @cached_property
    def greys(self) -> tuple[Array, Array]:
        """Grey levels of both, float32."""
        return luminance(self.phone), luminance(self.reference)


def view_pair(pair: Pair, alignment: Alignment) -> View:
    """Read the photos of a pair, quickly, and warp one to the other.

    A pair of which no homography is known shows the reference photo as large as the phone's.

    Raises:
        UserError: a photo cannot be read.
    """
    phone = read_reduced(pair.phone, LONGEST)
    phone_size, reference_size = photo_size(pair.phone), photo_size(pair.reference)
    nodes = _node_points(size_of(phone))
    with np.errstate(all="ignore"):
        if np.array_equal(alignment.homography, np.eye(3)):
            points = (nodes + 0.5) * np.divide(reference_size, size_of(phone)) - 0.5
        else:
            points = alignment.to_reference(
                (nodes + 0.5) * np.divide(phone_size, size_of(phone)) - 0.5
            )
    shrink = _reference_pixels(points)
    longest = int(np.clip(max(reference_size) / shrink, LONGEST // 4, LONGEST_WHOLE))
    reference = read_reduced(pair.reference, longest)
    small = (points + 0.5) * np.divide(size_of(reference), reference_size) - 0.5
    where = _between_nodes(np.nan_to_num(small, nan=-1e4, posinf=-1e4, neginf=-1e4), phone)
    warped = cv2.remap(reference, where, None, cv2.INTER_LINEAR)
    valid_mask = inside(where, size_of(reference))
    warped[~valid_mask] = UNSEEN
    return View(phone, np.asarray(warped, np.uint8), valid_mask, phone_size[0] / phone.shape[1])


def whole_photo(path: Path) -> bytes:
    """A JPEG file of a photo at its full size, upright, as far as a page can show that."""
    if max(photo_size(path)) <= LONGEST_WHOLE:
        return encode_jpeg(read_photo(path), QUALITY)
    return encode_jpeg(read_reduced(path, LONGEST_WHOLE), QUALITY)


def reduced_photo(path: Path) -> bytes:
    """A JPEG file of a photo as large as the screen needs it, upright."""
    return encode_jpeg(read_reduced(path, LONGEST), QUALITY)


def _node_points(size: tuple[int, int]) -> Array:
    """Points (rows, columns, 2) every NODE px, one more on every side of a picture."""
    columns, rows = (range(-1, n // NODE + 2) for n in size)
    return square_centres(columns, rows, NODE)


def _between_nodes(nodes: Array, picture: Array) -> NDArray[np.float32]:
    """The points (H, W, 2) of a picture by those of its nodes."""
    every = cv2.resize(nodes.astype(np.float32), None, fx=NODE, fy=NODE)
    height, width = picture.shape[:2]
    return every[NODE : NODE + height, NODE : NODE + width]


def _reference_pixels(points: Array) -> float:
    """Pixels of the reference photo per pixel shown, in the middle of a picture."""
    row, column = (n // 2 for n in points.shape[:2])
    steps = (points[row, column + 1] - points[row, column]) / NODE
    length = float(np.hypot(*steps))
    return length if np.isfinite(length) and length > 0 else 1.0


def _residual(view: View) -> Photo:
    """Differences of grey levels, once tone is matched, in shades."""
    phone, reference = (cv2.GaussianBlur(grey, (0, 0), 0.8) for grey in view.greys)
    side = max(9, round(AROUND * phone.shape[1]))
    (mean, deviation), (other_mean, other_deviation) = (
        _statistics(grey, side) for grey in (phone, reference)
    )
    gain = np.clip((deviation + 2) / (other_deviation + 2), 0.2, 5)
    difference = np.abs(phone - mean - (reference - other_mean) * gain)
    picture = shades(difference / WORST)
    picture[~view.valid_mask] = UNSEEN
    return picture


def _correlation(view: View) -> Photo:
    """Correlation around every place in shades, grey where there is no texture to tell by."""
    phone, reference = view.greys
    side = max(9, round(SQUARE / view.scale))
    (mean, deviation), (other_mean, other_deviation) = (
        _statistics(grey, side) for grey in (phone, reference)
    )
    both = cv2.blur(phone * reference, (side, side)) - mean * other_mean
    values = both / np.maximum(deviation * other_deviation, 1e-3)
    base = faded(view.phone)
    picture = cv2.addWeighted(shades(values), 0.75, base, 0.25, 0)
    flat = (deviation < TEXTURED) | (other_deviation < TEXTURED / 2)
    picture[flat] = base[flat] // 2
    picture[~view.valid_mask] = UNSEEN
    return np.asarray(picture, np.uint8)


def _statistics(grey: Array, side: int) -> tuple[Array, Array]:
    """Mean and standard deviation in a square around every pixel."""
    mean = cv2.blur(grey, (side, side))
    variance = cv2.blur(grey * grey, (side, side)) - mean * mean
    return mean, np.sqrt(np.maximum(variance, 0))


LAYERS = {
    "phone": lambda view: view.phone,
    "reference": lambda view: view.reference,
    "residual": _residual,
    "correlation": _correlation,
}
