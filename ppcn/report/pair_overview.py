"""Pictures that let a person see at a glance how well a pair is aligned."""

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ppcn.dataset.extract import Window
from ppcn.dataset.window_gates import Outcome
from ppcn.photos.decode import Photo
from ppcn.registration.alignment import Alignment
from ppcn.registration.geometry import (
    Array,
    inside,
    sample_displacement,
    size_of,
    square_centres,
    transform_points,
)
from ppcn.registration.pair_gates import AGREES
from ppcn.registration.register import Evidence
from ppcn.report.drawing import (
    BLACK,
    BLUE,
    GAP,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SAMPLE,
    SKY,
    VERMILION,
    VIRIDIS,
    WHITE,
    YELLOW,
    Key,
    beside,
    draw_dot,
    draw_line,
    draw_pin,
    faded,
    framed,
    ramp,
    reduced,
    round_length,
    scale_bar,
    shades,
    swatch,
)

OUTCOME_COLOURS = {
    Outcome.KEPT: WHITE,
    Outcome.LOW_CORRELATION: VERMILION,
    Outcome.FLAT: SKY,
    Outcome.BLOWN_HIGHLIGHTS: BLACK,
    Outcome.SHIFT_AT_LIMIT: PURPLE,
    Outcome.REPEATED_TEXTURE: GREEN,
    Outcome.OUTSIDE_OVERLAP: GREY,
    Outcome.IDENTICAL: BLUE,
    Outcome.DUPLICATE: ORANGE,
    Outcome.TOO_FEW_PIXELS: YELLOW,
}
# Squares of a checkerboard, and arrows of a displacement, along the width.
SQUARES, ARROWS = 10, 32
# Remaining errors are drawn so many times as long; one of WORST px has the last shade.
MAGNIFIED, WORST = 10, 2.0
# Width of the pictures that explain, px.
WIDTH = 1600


def quick_look(
    phone: Photo,
    reference: Photo,
    alignment: Alignment,
    windows: Sequence[Window],
    size: int,
    width: int = 900,
) -> Photo:
    """A checkerboard of the two photos, and beside it how well every window correlates.

    Args:
        phone: (H, W, 3) uint8 RGB.
        reference: (H', W', 3) uint8 RGB.
        alignment: the pair's geometry, accepted.
        windows: what became of each.
        size: side of a window, phone px.
        width: of the picture, px.
    """
    small = reduced(phone, (width - GAP) // 2)
    left = _checkerboard(small, reference, alignment)
    return beside([left, _window_map(small, alignment, windows, size)])


def explanation(
    phone: Photo,
    reference: Photo,
    alignment: Alignment,
    evidence: Evidence,
    windows: Sequence[Window],
    size: int,
) -> dict[str, Photo]:
    """A picture of every step from keypoints to windows, by name.

    Args:
        phone: (H, W, 3) uint8 RGB.
        reference: (H', W', 3) uint8 RGB.
        alignment: the pair's geometry or its rejection.
        evidence: what decided it.
        windows: what became of each; none for a rejected pair.
        size: side of a window, phone px.

    Returns:
        "matches" always; "inliers", "residual", "displacement", "correlation", "checkerboard" and
        "windows" as far as the pair got before it was rejected.
    """
    small = reduced(phone, WIDTH)
    pictures = {"matches": _matches(phone, reference, alignment, evidence)}
    if evidence.inlier.any():
        pictures["inliers"] = _inliers(phone, reference, evidence)
    if alignment.is_accepted:
        pictures["residual"] = _residual(small, alignment, evidence)
    if alignment.displacement.size:
        pictures["displacement"] = _displacement(small, alignment)
    if evidence.agreement.size:
        pictures["correlation"] = _correlation(small, alignment, evidence)
    if alignment.is_accepted or not np.array_equal(alignment.homography, np.eye(3)):
        pictures["checkerboard"] = _checkerboard(small, reference, alignment)
    if windows:
        pictures["windows"] = _window_map(small, alignment, windows, size)
    return pictures


def _checkerboard(small: Photo, reference: Photo, alignment: Alignment) -> Photo:
    """Squares of the phone's photo and of the reference photo warped to it in turn."""
    warped, valid_mask = warped_to_phone(reference, alignment, size_of(small))
    rows, columns = (np.arange(n) * SQUARES // small.shape[1] for n in small.shape[:2])
    other = (rows[:, None] + columns) % 2 == 1
    picture = np.where(other[..., None], warped, small)
    picture[~valid_mask] = small[~valid_mask] // 3
    keys = [] if valid_mask.all() else [swatch(BLACK, "dark: the DSLR does not see it")]
    title = "phone (top left) and DSLR in turn"
    if alignment.rejection:
        title += ", by the homography alone"
    return framed(picture, title, keys)


def warped_to_phone(
    reference: Photo, alignment: Alignment, size: tuple[int, int]
) -> tuple[Photo, NDArray[np.bool_]]:
    """The reference photo as the phone, whose photo is reduced to a size, would have taken it.

    Args:
        reference: (H, W, 3) uint8 RGB.
        alignment: the pair's geometry.
        size: width and height, px.

    Returns:
        The photo (height, width, 3) uint8, and where the reference camera sees anything of it.
    """
    side = np.array(alignment.phone_size) / size
    points = (square_centres(range(size[0]), range(size[1]), 1) + 0.5) * side - 0.5
    # A homography that was rejected may send points to infinity.
    with np.errstate(all="ignore"):
        mapped = alignment.to_reference(points)
        shrink = max(1.0, alignment.reference_scale() * side[0])
    valid_mask = inside(mapped, size_of(reference))
    small = reduced(reference, max(1, round(reference.shape[1] / shrink)))
    where = (mapped + 0.5) * np.divide(size_of(small), size_of(reference)) - 0.5
    where = np.where(valid_mask[..., None], where, 0).astype(np.float32)
    edge = cv2.BORDER_REPLICATE
    return cv2.remap(small, where, None, cv2.INTER_LINEAR, borderMode=edge), valid_mask


def _window_map(small: Photo, alignment: Alignment, windows: Sequence[Window], size: int) -> Photo:
    """Every window filled by its correlation, framed by its outcome, struck out if rejected."""
    scale = small.shape[1] / alignment.phone_size[0]
    corners = np.array([window.xy for window in windows]).reshape(-1, 2)
    first = np.rint(corners * scale).astype(int)
    last = np.rint((corners + size) * scale).astype(int) - 1
    colours = shades(np.array([window.ncc for window in windows])).tolist()
    base = faded(small)
    fill = base.copy()
    for window, a, b, colour in zip(windows, first, last, colours, strict=True):
        if window.ncc:
            cv2.rectangle(fill, a, b, colour, -1)
    picture = cv2.addWeighted(fill, 0.75, base, 0.25, 0)
    for window, a, b in zip(windows, first, last, strict=True):
        _frame(picture, a, b, window.outcome)
    counts = Counter(window.outcome for window in windows)
    keys = [_outcome_key(name, counts[name]) for name in OUTCOME_COLOURS if counts[name]]
    title = f"{counts[Outcome.KEPT]} of {len(windows)} windows kept"
    return framed(picture, title, [ramp("correlation 0 to 1"), *keys])


def _frame(picture: Photo, first: Array, last: Array, outcome: Outcome) -> None:
    colour, thick = OUTCOME_COLOURS[outcome], 2 if last[0] - first[0] > 30 else 1
    first, last = first + thick // 2, last - thick // 2
    cv2.rectangle(picture, first, last, colour, thick)
    if outcome is not Outcome.KEPT:
        cv2.line(picture, first, last, colour, thick, cv2.LINE_AA)


def _outcome_key(outcome: Outcome, count: int) -> Key:
    sample = np.full((SAMPLE, SAMPLE, 3), VIRIDIS[-1] if outcome is Outcome.KEPT else 100, np.uint8)
    _frame(sample, np.zeros(2, int), np.array([SAMPLE, SAMPLE]) - 1, outcome)
    return Key(sample, f"{count} {outcome.replace('_', ' ')}")


def _matches(phone: Photo, reference: Photo, alignment: Alignment, evidence: Evidence) -> Photo:
    """Matches in shades of where they are on the phone, so that wrong ones stand out."""
    title = f"{len(evidence.kpts_phone)} matches, coloured by their place on the phone"
    if alignment.rejection:
        title += f"; rejected: {alignment.rejection.sentence}"
    colours = shades(evidence.kpts_phone[:, 0] / phone.shape[1])
    return framed(_joined(phone, reference, evidence, colours), title)


def _inliers(phone: Photo, reference: Photo, evidence: Evidence) -> Photo:
    agree = evidence.inlier
    colours = np.where(agree[:, None], BLUE, VERMILION)
    title = f"{agree.sum()} of {len(agree)} matches agree on one homography"
    keys = [swatch(BLUE, f"{agree.sum()} agree"), swatch(VERMILION, f"{(~agree).sum()} do not")]
    return framed(_joined(phone, reference, evidence, colours), title, keys)


def _joined(phone: Photo, reference: Photo, evidence: Evidence, colours: Array) -> Photo:
    """The two photos beside each other, their matches (M, 2) joined in colours (M, 3)."""
    width = (WIDTH - GAP) // 2
    picture = beside([faded(reduced(photo, width)) for photo in (phone, reference)])
    start = (evidence.kpts_phone + 0.5) * width / phone.shape[1] - 0.5
    end = (evidence.kpts_reference + 0.5) * width / reference.shape[1] - 0.5 + [width + GAP, 0]
    lines = picture.copy()
    for a, b, colour in zip(start, end, colours, strict=True):
        draw_line(lines, a, b, colour)
    picture = cv2.addWeighted(lines, 0.4, picture, 0.6, 0)
    for point, colour in zip([*start, *end], [*colours, *colours], strict=True):
        draw_dot(picture, point, colour)
    return picture


def _residual(small: Photo, alignment: Alignment, evidence: Evidence) -> Photo:
    """Where the matches that agree would lie, seen from where the mapping has them."""
    inlier = evidence.inlier
    kpts_phone, kpts_reference = evidence.kpts_phone[inlier], evidence.kpts_reference[inlier]
    moved = kpts_phone + sample_displacement(alignment.displacement, alignment.step, kpts_phone)
    error = transform_points(np.linalg.inv(alignment.homography), kpts_reference) - moved
    scale = small.shape[1] / alignment.phone_size[0]
    picture = faded(small)
    _pins(picture, kpts_phone, error, scale, MAGNIFIED * scale, WORST)
    bar = scale_bar(5 * MAGNIFIED * scale, "5 px")
    title = (
        f"error that remains at {len(kpts_phone)} matches: median {alignment.residual_px:.2f} px"
    )
    return framed(picture, title, [ramp(f"0 to {WORST:g} px and more"), bar])


def _displacement(small: Photo, alignment: Alignment) -> Photo:
    """What lens and parallax add to the homography, on a coarse grid."""
    width, height = alignment.phone_size
    side = width / ARROWS
    at = square_centres(range(ARROWS), range(max(1, int(height / side))), side).reshape(-1, 2)
    moved = sample_displacement(alignment.displacement, alignment.step, at)
    longest = max(0.1, float(np.linalg.norm(moved, axis=1).max()))
    scale = small.shape[1] / width
    times = side * scale / longest
    picture = faded(small)
    _pins(picture, at, moved, scale, times, longest)
    bar = scale_bar(round_length(longest) * times, f"{round_length(longest):g} px")
    title = f"displacement by lens and parallax: up to {longest:.1f} px"
    return framed(picture, title, [ramp(f"0 to {longest:.1f} px"), bar])


def _pins(
    picture: Photo, at: Array, vectors: Array, scale: float, magnified: float, longest: float
) -> None:
    """Draw vectors (N, 2) px from points (N, 2) of the phone's, in shades up to the longest."""
    starts = (at + 0.5) * scale - 0.5
    colours = shades(np.linalg.norm(vectors, axis=1) / longest)
    for a, vector, colour in zip(starts, vectors, colours, strict=True):
        draw_pin(picture, a, a + vector * magnified, colour)


def _correlation(small: Photo, alignment: Alignment, evidence: Evidence) -> Photo:
    """The agreement around every place, hatched where there is no texture to tell by."""
    side = np.divide(alignment.phone_size, size_of(small)) / evidence.cell
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) * s, m - 1).astype(int)
        for n, s, m in zip(small.shape[:2], side[::-1], evidence.agreement.shape, strict=True)
    )
    values = evidence.agreement[np.ix_(rows, columns)]
    base = faded(small)
    unknown = np.isnan(values)
    picture = cv2.addWeighted(shades(np.where(unknown, 0, values)), 0.7, base, 0.3, 0)
    y, x = np.indices(unknown.shape)
    picture[unknown] = np.where((x + y) % 12 < 3, 3, 4)[unknown, None] * (base[unknown] // 4)
    title = f"{alignment.agreement:.0%} of the textured area correlates by more than {AGREES:g}"
    keys = [ramp("correlation 0 to 1"), swatch(GREY, "hatched: flat, or the DSLR does not see it")]
    return framed(picture, title, keys)
