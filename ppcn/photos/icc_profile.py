"""ICC profiles: whether they can be used or mean sRGB, and new ones for described colours."""

import io
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ppcn.errors import UserError
from ppcn.photos.header import Kind

MODES: dict[Kind, str] = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}
# Profiles whose colours differ by no more from sRGB's are sRGB, levels of 255.
NEARLY = 2
RELATIVE = ImageCms.Intent.RELATIVE_COLORIMETRIC
# The white of profiles, D50, and sRGB's, D65.
D50 = (0.9642, 1.0, 0.8249)
D65 = (0.3127, 0.3290)
# x and y of red, green and blue.
SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
# Bradford's matrix to the responses of cones.
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
PQ, HLG = 16, 18

# A tone curve: an exponent, or the parameters g, a, b, c, d of ICC's kind 3, as sRGB has them.
Curve = float | tuple[float, float, float, float, float]
SRGB_CURVE: Curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


class Verdict(NamedTuple):
    """What can be done with a profile.

    Attributes:
        is_usable: whether colours can be converted from it.
        is_srgb: whether they are sRGB's within a few levels.
        is_writable: whether colours can be converted to it.
        is_other: whether it is for pixels of another kind, such as RGB for grey ones.
        is_hdr: whether its transfer is PQ or HLG.
    """

    is_usable: bool
    is_srgb: bool = False
    is_writable: bool = True
    is_other: bool = False
    is_hdr: bool = False


@lru_cache(maxsize=32)
def judge(profile: bytes, kind: Kind) -> Verdict:
    """Judge a profile for pixels of a kind."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != kind:
            return Verdict(True, is_srgb=True, is_other=True)
        before = _ramp(kind)
        after = _converted(before, source, ImageCms.createProfile("sRGB"), kind, "RGB")
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return Verdict(False)
    same = np.repeat(before[..., None], 3, -1) if kind == "GRAY" else before
    is_srgb = kind != "CMYK" and int(np.abs(after.astype(int) - same).max()) <= NEARLY
    return Verdict(True, is_srgb, _is_writable(source, kind), is_hdr=_is_hdr(profile))


def srgb_transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from a profile to sRGB, for pixels of a mode of Pillow's.

    Returns:
        The transform; None where pixels count as sRGB, by `judge` or without a profile.

    Raises:
        UserError: the profile is of HDR.
    """
    kind = next((kind for kind, name in MODES.items() if name == mode), None)
    if not profile or kind is None:
        return None
    verdict = judge(profile, kind)
    if verdict.is_hdr:
        raise UserError("an HDR picture: convert it to sRGB first")
    if verdict.is_srgb or not verdict.is_usable:
        return None
    source, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(source, srgb, mode, "RGB", RELATIVE)


def _ramp(kind: Kind) -> NDArray[np.uint8]:
    """Colours over the whole range, of which some show any difference."""
    if kind == "GRAY":
        return np.arange(256, dtype=np.uint8)[None]
    steps = np.linspace(0, 255, 6).astype(np.uint8)
    grid = np.stack(np.meshgrid(*[steps] * (3 if kind == "RGB" else 4)), -1)
    grid = grid.reshape(1, -1, grid.shape[-1])
    if kind == "CMYK":
        return grid
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, -1)
    return np.concatenate((grid, grey), axis=1)


def _converted(
    pixels: NDArray[np.uint8],
    source: ImageCms.ImageCmsProfile,
    target: Any,
    kind: Kind,
    mode: str,
) -> NDArray[np.uint8]:
    transform = ImageCms.buildTransform(source, target, MODES[kind], mode, RELATIVE)
    return np.asarray(ImageCms.applyTransform(Image.fromarray(pixels, MODES[kind]), transform))


def _is_writable(profile: ImageCms.ImageCmsProfile, kind: Kind) -> bool:
    """Whether sRGB can be turned into a profile's colours; scanners' profiles have no way back."""
    try:
        srgb = ImageCms.createProfile("sRGB")
        ImageCms.buildTransform(srgb, profile, "RGB", MODES[kind], RELATIVE)
    except (OSError, ValueError, ImageCms.PyCMSError):
        return False
    return True


def _is_hdr(profile: bytes) -> bool:
    """Whether a profile's tag `cicp` names PQ or HLG."""
    count = min(int.from_bytes(profile[128:132], "big"), 100)
    for at in range(132, 132 + 12 * count, 12):
        if profile[at : at + 4] == b"cicp":
            start = int.from_bytes(profile[at + 4 : at + 8], "big")
            return profile[start + 9 : start + 10] in (bytes([PQ]), bytes([HLG]))
    return False


def make_profile(
    kind: Kind, curve: Curve, primaries: Sequence[float], white: Sequence[float] = D65
) -> bytes:
    """An ICC profile (version 4) for grey or RGB.

    Args:
        kind: "GRAY" or "RGB".
        curve: from stored values to linear light.
        primaries: x and y of red, green and blue; of RGB.
        white: x and y of white.
    """
    adapted = _adaptation(white)
    tags = {
        b"desc": _text("from the file's colour codes"),
        b"cprt": _text("CC0"),
        b"wtpt": _xyz(np.array(D50)),
        b"chad": b"sf32" + bytes(4) + _fixed(adapted.ravel()),
    }
    if kind == "GRAY":
        tags[b"kTRC"] = _curve(curve)
    else:
        for name, column in zip((b"r", b"g", b"b"), _columns(primaries, white).T, strict=True):
            tags[name + b"XYZ"] = _xyz(adapted @ column)
            tags[name + b"TRC"] = _curve(curve)
    return _assembled(kind, tags)


def _columns(primaries: Sequence[float], white: Sequence[float]) -> NDArray[np.float64]:
    """XYZ of full red, green and blue, which add up to white."""
    xy = np.array(primaries, float).reshape(3, 2)
    directions = np.stack((xy[:, 0], xy[:, 1], 1 - xy.sum(axis=1)))
    return directions * np.linalg.solve(directions, _white_xyz(white))


def _white_xyz(white: Sequence[float]) -> NDArray[np.float64]:
    x, y = white
    return np.array([x / y, 1, (1 - x - y) / y])


def _adaptation(white: Sequence[float]) -> NDArray[np.float64]:
    """From XYZ under a white to XYZ under D50, by Bradford's method."""
    ratio = (BRADFORD @ np.array(D50)) / (BRADFORD @ _white_xyz(white))
    return np.linalg.inv(BRADFORD) @ np.diag(ratio) @ BRADFORD


def _fixed(values: Sequence[float] | NDArray[np.float64]) -> bytes:
    numbers = [round(float(value) * 65536) for value in values]
    return struct.pack(f">{len(numbers)}i", *numbers)


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _text(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(data), 28) + data


def _curve(curve: Curve) -> bytes:
    parameters = curve if isinstance(curve, tuple) else (curve,)
    kind = 3 if isinstance(curve, tuple) else 0
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + _fixed(parameters)


def _assembled(kind: Kind, tags: dict[bytes, bytes]) -> bytes:
    """A whole profile; parts with the same contents are stored once."""
    header = bytearray(128)
    header[8:12] = b"\x04\x30\0\0"
    header[12:24] = b"mntr" + kind.ljust(4).encode() + b"XYZ "
    header[36:40] = b"acsp"
    header[68:80] = _fixed(D50)
    start = 132 + 12 * len(tags)
    places: dict[bytes, int] = {}
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        if data not in places:
            places[data] = start + len(body)
            body += data + b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", places[data], len(data))
    header[0:4] = struct.pack(">I", start + len(body))
    return bytes(header) + table + body
