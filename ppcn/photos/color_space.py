"""What colours a photo's numbers mean: one rule for every way in which files say it.

Primaries and transfer decide, never a name. An ICC profile goes before codes of ITU-T H.273 (nclx,
cICP), and these before PNG's gamma and chromaticities; PNG's cICP alone goes before its profile.
"""

from dataclasses import dataclass
from pathlib import Path

from ppcn.errors import UserError
from ppcn.photos.header import ColorTags, Kind
from ppcn.photos.icc_profile import (
    D65,
    HLG,
    PQ,
    SRGB_CURVE,
    SRGB_PRIMARIES,
    Curve,
    judge,
    make_profile,
)

# x and y of red, green, blue and white, by H.273's code of primaries.
BT709 = (*SRGB_PRIMARIES, *D65)
PRIMARIES = {
    1: BT709,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *D65),
    6: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *D65),
    7: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *D65),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, 0.310, 0.316),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *D65),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *D65),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *D65),
}
# Transfers by H.273's code. Those of BT.709, 601, 240 and 2020 are shown as sRGB's, by custom.
TRANSFERS: dict[int, Curve] = {
    **dict.fromkeys((1, 2, 6, 7, 13, 14, 15), SRGB_CURVE),
    4: 2.2,
    5: 2.8,
    8: 1.0,
}
UNSPECIFIED = 2
# PNG's gamma of 1 / 2.2 stands for sRGB's curve.
SRGB_GAMMA = (2.15, 2.25)


@dataclass(frozen=True)
class ColorSpace:
    """What a photo's numbers mean, and what becomes of that.

    Attributes:
        profile: by which they are converted; None of sRGB. Of grey photos it may be for RGB: steep
            curves are exact in such a profile alone.
        is_kept: whether results are in the same colours; else they are sRGB.
        embedded: ICC profile of results.
        dropped: name of the description that is dropped, if any.
    """

    profile: bytes | None = None
    is_kept: bool = True
    embedded: bytes = b""
    dropped: tuple[str, ...] = ()


def color_space_of(tags: ColorTags, kind: Kind, path: Path) -> ColorSpace:
    """Find out what the numbers of a photo mean.

    Args:
        tags: what its file says.
        kind: of the pixels.
        path: the file.

    Raises:
        UserError: they are meant for HDR screens.
    """
    if tags.profile and not tags.codes_first:
        return _of_profile(tags.profile, kind, path)
    if kind == "CMYK":
        return ColorSpace(is_kept=False)
    if tags.codes is not None:
        return _of_codes(*tags.codes, kind, path)
    return _of_gamma(tags, kind)


def _hdr(path: Path, name: str) -> UserError:
    return UserError(f"{path}: HDR ({name}); save it with the transfer of sRGB first")


def _of_profile(profile: bytes, kind: Kind, path: Path) -> ColorSpace:
    verdict = judge(profile, kind)
    if verdict.is_hdr:
        raise _hdr(path, "by its ICC profile")
    if not verdict.is_usable:
        return ColorSpace(None, kind != "CMYK", dropped=("broken ICC profile",))
    if kind == "CMYK":
        is_other = verdict.is_other
        return ColorSpace(None if is_other else profile, False, dropped=("CMYK profile",))
    if verdict.is_srgb:
        return ColorSpace(None, embedded=profile)
    if not verdict.is_writable:
        return ColorSpace(profile, False, dropped=("ICC profile that cannot be written to",))
    return ColorSpace(profile, embedded=profile)


def _of_codes(primaries: int, transfer: int, kind: Kind, path: Path) -> ColorSpace:
    if transfer in (PQ, HLG):
        raise _hdr(path, "PQ" if transfer == PQ else "HLG")
    curve = TRANSFERS.get(transfer)
    points = BT709 if primaries == UNSPECIFIED else PRIMARIES.get(primaries)
    if curve is None or points is None:
        codes = f"primaries {primaries}, transfer {transfer}"
        raise UserError(f"{path}: colours by unusual codes ({codes}); save it as sRGB")
    return _described(kind, curve, points[:6], points[6:])


def _of_gamma(tags: ColorTags, kind: Kind) -> ColorSpace:
    curve: Curve = SRGB_CURVE
    if tags.gamma and not SRGB_GAMMA[0] <= tags.gamma <= SRGB_GAMMA[1]:
        curve = tags.gamma
    points = tags.primaries or (*D65, *SRGB_PRIMARIES)
    if min(points) <= 0 and kind == "RGB":
        points = (*D65, *SRGB_PRIMARIES)
    return _described(kind, curve, points[2:], points[:2])


def _described(
    kind: Kind, curve: Curve, primaries: tuple[float, ...], white: tuple[float, ...]
) -> ColorSpace:
    """Colours that no ICC profile describes: sRGB, or a profile that is made for them."""
    if curve == SRGB_CURVE and (kind == "GRAY" or (*primaries, *white) == BT709):
        return ColorSpace()
    try:
        profile = make_profile(kind, curve, primaries, white)
        verdict = judge(profile, kind)
    except (ValueError, ArithmeticError, OverflowError):
        return ColorSpace(dropped=("impossible chromaticities",))
    if not verdict.is_usable or verdict.is_srgb:
        return ColorSpace()
    exact = make_profile("RGB", curve, SRGB_PRIMARIES) if kind == "GRAY" else profile
    return ColorSpace(exact, embedded=profile)
