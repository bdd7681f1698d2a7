"""Colours that a file describes by codes or numbers rather than a profile, turned to sRGB.

Formulas of ITU-T H.273 (the codes of cICP and nclx), of PNG (gAMA and cHRM) and of IEC 61966-2-1,
written down without the program's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from exiftool import Tags
from numpy.typing import NDArray

Image01 = NDArray[np.float32]
D65 = (0.3127, 0.3290)
# x and y of red, green, blue and white, by the code of H.273.
BT709 = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65)
BT601 = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65)
PRIMARIES = {
    1: BT709,
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316)),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),
    6: BT601,
    7: BT601,
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
# Curves of video cameras, which are shown as sRGB or as they are.
VIDEO = {1, 6, 7, 11, 12, 14, 15}
SRGB, LINEAR = 13, 8
POWERS = {4: 2.2, 5: 2.8, LINEAR: 1.0, 17: 2.6}
HDR = {16, 18}
# PNG stores gamma and chromaticities with five digits.
NEAR = 0.002
SMALLEST_AREA = 0.001


@dataclass(frozen=True)
class Codes:
    """Colours by numbers.

    Attributes:
        primaries: x and y of red, green, blue and white.
        curves: exponents, or codes of H.273 where negative; any of them counts as right.
        is_hdr: whether brightness is that of PQ or HLG.
    """

    primaries: tuple[tuple[float, float], ...]
    curves: tuple[float, ...]
    is_hdr: bool = False

    def is_srgb(self) -> bool:
        """Whether nothing is to be converted."""
        same = np.abs(np.subtract(self.primaries, BT709)).max() < NEAR
        return bool(same and -SRGB in self.curves)

    def is_linear(self) -> bool:
        """Whether numbers are proportional to light, of sRGB's primaries."""
        same = np.abs(np.subtract(self.primaries, BT709)).max() < NEAR
        return bool(same and self.curves == (1.0,))

    def to_srgb(self, colours: Image01) -> Iterator[Image01]:
        """Every right result for (H, W, 3) in [0, 1]."""
        matrix = _from_rgb(BT709, invert=True) @ _from_rgb(self.primaries)
        for curve in self.curves:
            linear = _srgb_to_linear(colours) if curve == -SRGB else _linear(colours, curve)
            yield _linear_to_srgb((linear @ matrix.T.astype(np.float32)).clip(0, 1))


def codes_of(tags: Tags) -> Codes | None:
    """The colours that a file's codes or PNG's gAMA and cHRM describe; None without them."""
    for group in ("PNG-cICP", "QuickTime"):
        if f"{group}:TransferCharacteristics" in tags:
            primaries = tags.get(f"{group}:ColorPrimaries", 2)
            return _of_codes(primaries, tags[f"{group}:TransferCharacteristics"])
    if "PNG:SRGBRendering" in tags or not {"PNG:Gamma", "PNG:WhitePointX"} & tags.keys():
        return None
    gamma = _number(tags, "PNG:Gamma") or 2.2
    points = [[_number(tags, f"PNG:{name}{axis}") for axis in "XY"] for name in _PNG_NAMES]
    primaries = tuple((x, y) for x, y in points if x is not None and y and x + y <= 1.001)
    if len(primaries) < len(_PNG_NAMES) or _area(primaries) < SMALLEST_AREA:
        primaries = BT709
    curves = (-SRGB, gamma) if abs(gamma - 2.2) < 0.02 else (gamma,)
    return Codes(primaries, curves)


def _number(tags: Tags, name: str) -> float | None:
    """A tag's value; None where it is missing or broken."""
    value = tags.get(name)
    return float(value) if isinstance(value, float | int) else None


def _area(primaries: tuple[tuple[float, float], ...]) -> float:
    """Of the triangle of red, green and blue; no picture has colours on a line."""
    (a, b), (c, d), (e, f) = primaries[:3]
    return abs((c - a) * (f - b) - (e - a) * (d - b)) / 2


_PNG_NAMES = ("Red", "Green", "Blue", "WhitePoint")


def _of_codes(primaries: int, transfer: int) -> Codes:
    curves: tuple[float, ...] = (-SRGB,)
    if transfer in VIDEO:
        curves = (-SRGB, -1, 2.2, 2.4)
    if transfer in POWERS:
        curves = (POWERS[transfer],)
    if transfer == 4:
        curves = (2.2, -SRGB)
    return Codes(PRIMARIES.get(primaries, BT709), curves, transfer in HDR)


def _linear(colours: Image01, curve: float) -> Image01:
    if curve > 0:
        return colours**curve
    return np.where(colours < 0.081, colours / 4.5, ((colours + 0.099) / 1.099) ** (1 / 0.45))


def _srgb_to_linear(colours: Image01) -> Image01:
    return np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)


def _linear_to_srgb(linear: Image01) -> Image01:
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def _from_rgb(
    primaries: tuple[tuple[float, float], ...], invert: bool = False
) -> NDArray[np.float64]:
    """The matrix from linear RGB to XYZ, adapted to D65, or back."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in primaries]).T
    rgb, white = columns[:, :3], columns[:, 3]
    matrix = rgb * np.linalg.solve(rgb, white)
    x, y = D65
    target = np.array((x / y, 1, (1 - x - y) / y))
    scale = np.diag((BRADFORD @ target) / (BRADFORD @ white))
    adapted = np.linalg.inv(BRADFORD) @ scale @ BRADFORD @ matrix
    return np.linalg.inv(adapted) if invert else adapted
