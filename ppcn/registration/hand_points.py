"""From pairs of points that a person set in two photos to the mapping between them.

Clicks are off by some px, and four of them say nothing of lens and parallax. So they only say
where to look: the reference photo is warped to the phone's by them, keypoints of the two are
matched with what lies near, and all that agree give homography and lens. Where there are too few
keypoints, the points alone do. Local refinement and gates are those of every other pair.

Points are (x, y), pixel centres, origin 0, in full-size pixels.
"""

from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from ppcn.params import Align
from ppcn.photos.color import luminance
from ppcn.photos.decode import Photo
from ppcn.registration import pair_gates
from ppcn.registration.alignment import Alignment
from ppcn.registration.geometry import Array, low_pass, size_of, transform_points
from ppcn.registration.keypoints import detect_keypoints, estimate_homography, mutual_matches
from ppcn.registration.lens import Lens, fit_lens
from ppcn.registration.pair_gates import Rejection, RejectionReason
from ppcn.registration.register import Evidence, finish_alignment

FEWEST = 4
# Clicks nearer to each other than this share of the photo's diagonal are one place, and four lie
# nearly on one line if the triangle of three of them is less high.
APART, HEIGHT = 0.01, 0.02
# px of the phone's photo by which a click may be off.
CLICK = 6.0
# So many times the fewest keypoints that must agree are believed against the clicks.
MANY = 4
# Keypoints this far from where the points have them may match: as a share of half the diagonal,
# first, and once some have matched.
NEAR = (0.04, 0.015)


def check_points(
    points: Array, phone_size: tuple[int, int], reference_size: tuple[int, int]
) -> Rejection | None:
    """Whether pairs of points can say how two photos lie to each other.

    Args:
        points: (N, 4) x and y in the phone's photo, x and y in the reference photo.
        phone_size: (width, height), px.
        reference_size: (width, height), px.
    """
    if len(points) < FEWEST:
        return _bad(f"only {len(points)} pairs of points were set; set {FEWEST} or more")
    sides = (("phone's", points[:, :2], phone_size), ("reference", points[:, 2:], reference_size))
    for name, at, size in sides:
        outside = ((at < -0.5) | (at > np.array(size) - 0.5)).any(axis=1)
        if outside.any():
            return _bad(f"point {int(outside.argmax()) + 1} lies outside the {name} photo")
        diagonal = float(np.hypot(*size))
        for first, second in combinations(range(len(at)), 2):
            if np.linalg.norm(at[first] - at[second]) < APART * diagonal:
                return _bad(
                    f"points {first + 1} and {second + 1} are one place of the {name} photo"
                )
        if _most_even_quad(at) < HEIGHT * diagonal:
            return _bad(
                f"the points lie nearly on one line of the {name} photo; spread them over it"
            )
    return None


def _bad(sentence: str) -> Rejection:
    return Rejection(RejectionReason.BAD_POINTS, sentence)


def _most_even_quad(points: Array) -> float:
    """The least height of a triangle of four points (N, 2), for those four where it is largest."""
    if len(points) > 12:
        points = cv2.convexHull(points.astype(np.float32))[:12, 0].astype(float)
    return max(
        (_least_height(points[list(q)]) for q in combinations(range(len(points)), 4)), default=0.0
    )


def _least_height(quad: Array) -> float:
    heights = []
    for three in combinations(quad, 3):
        a, b, c = three
        u, v, w = b - a, c - a, c - b
        longest = max(np.hypot(*u), np.hypot(*v), np.hypot(*w), 1e-9)
        heights.append(abs(u[0] * v[1] - u[1] * v[0]) / longest)
    return float(min(heights))


def align_from_points(
    phone: Photo, reference: Photo, points: Array, params: Align
) -> tuple[Alignment, Evidence]:
    """Find the mapping and the common crop of a pair from points that a person set.

    Args:
        phone: (H, W, 3) uint8 RGB.
        reference: (H', W', 3) uint8 RGB.
        points: (N, 4) x and y in the phone's photo, x and y in the reference photo; off by some px.
        params: the `align` group of params.yaml.

    Returns:
        An alignment, with a rejection if the points are of no use or the photos do not agree, and
        what it was accepted or rejected by.
    """
    sizes = (size_of(phone), size_of(reference))
    nothing = Evidence(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, bool))
    rejection = pair_gates.check_sizes(*sizes) or check_points(points, *sizes)
    if rejection:
        return Alignment(*sizes, rejection=rejection), nothing
    clicked = Evidence(points[:, :2], points[:, 2:], np.ones(len(points), bool))
    lens, base = _lens_of_points(clicked, sizes[0])
    if rejection := pair_gates.check_unfolded(lens.homography, sizes[0]):
        return Alignment(
            *sizes, rejection=_bad(f"the points do not fit: {rejection.sentence}")
        ), nothing
    greys = (luminance(phone), luminance(reference))
    lens, evidence = _refit(greys, lens, base, clicked, params)
    matches, inliers = len(evidence.inlier), int(evidence.inlier.sum())
    alignment = Alignment(*sizes, matches, inliers, homography=lens.homography)
    return finish_alignment(greys, alignment, lens, evidence, params)


def _lens_of_points(clicked: Evidence, size: tuple[int, int]) -> tuple[Lens, Array | None]:
    """Homography and lens of clicked points alone.

    What cameras beside each other are expected to differ by holds what four points do not tell.
    Where the points tell otherwise, for the cameras were not beside each other, they are right.

    Returns:
        Them, and the homography that keypoints are expected to confirm, in the latter case.
    """
    at, to = clicked.kpts_phone, clicked.kpts_reference
    plain = _least_squares(at, to)
    lens = fit_lens(plain, at, to, clicked.inlier, size)
    if _click_error(lens, clicked) < CLICK:
        return lens, None
    return Lens(plain, 0.0, size), plain


def _click_error(lens: Lens, clicked: Evidence) -> float:
    """Distance of the worst click from a mapping, phone px."""
    at = clicked.kpts_phone
    mapped = transform_points(np.linalg.inv(lens.homography), clicked.kpts_reference)
    return float(np.linalg.norm(mapped - at - lens.displacement(at), axis=1).max())


def _least_squares(source: Array, target: Array) -> Array:
    """The homography (3, 3) of points (N, 2) to others, by least squares over all."""
    homography, _ = cv2.findHomography(source, target, 0)
    if homography is None or abs(np.linalg.det(homography)) < 1e-12:
        return np.eye(3)
    return np.asarray(homography)


def _refit(
    greys: tuple[Array, Array], lens: Lens, base: Array | None, clicked: Evidence, params: Align
) -> tuple[Lens, Evidence]:
    """Homography and lens by the keypoints near the points' mapping, and what they were fitted to.

    Where too few agree, the mapping and the points as they are.
    """
    evidence = clicked
    for share in NEAR:
        radius = share * float(np.hypot(*lens.size)) / 2
        at, to = _guided_matches(greys, lens, radius, params)
        if len(at) < params.min_inliers:
            break
        _, inlier = estimate_homography(at, to, params.ransac_threshold)
        if inlier.sum() < params.min_inliers:
            break
        every = (
            np.concatenate((at, clicked.kpts_phone)),
            np.concatenate((to, clicked.kpts_reference)),
        )
        counted = np.concatenate((inlier, clicked.inlier))
        fitted = fit_lens(lens.homography, *every, counted, lens.size, base)
        is_doubtful = inlier.sum() < MANY * params.min_inliers
        if is_doubtful and _click_error(fitted, clicked) > 2 * CLICK:
            break
        if pair_gates.check_unfolded(fitted.homography, lens.size):
            break
        lens, evidence = fitted, Evidence(at, to, inlier)
    return lens, evidence


def _guided_matches(
    greys: tuple[Array, Array], lens: Lens, radius: float, params: Align
) -> tuple[Array, Array]:
    """Match keypoints of the phone's photo and of the reference photo warped to it.

    Args:
        greys: the photos.
        lens: the mapping by which the reference photo is warped.
        radius: px of the phone's photo by which matches may be apart.
        params: the `align` group of params.yaml.

    Returns:
        (M, 2) the phone's points and (M, 2) the reference camera's, in the same order.
    """
    phone, reference = greys
    warped = _warp(reference, lens)
    (ours, theirs), descriptors = zip(
        *(detect_keypoints(grey, params.detect_size, params.keypoints) for grey in (phone, warped)),
        strict=True,
    )
    if min(len(ours), len(theirs)) < 2:
        return np.zeros((0, 2)), np.zeros((0, 2))
    straight = ours + lens.displacement(ours)
    apart = np.linalg.norm(straight[:, None] - theirs[None], axis=-1) > radius
    first, second = mutual_matches(descriptors[0], descriptors[1], params.ratio, apart)
    return ours[first], transform_points(lens.homography, theirs[second])


def _warp(reference: Array, lens: Lens) -> NDArray[np.float32]:
    """The reference photo (H', W') as the phone would see it by a lens, without its distortion."""
    middle = np.array([[0, 0], [1, 0], [0, 1]]) + np.array(lens.size) / 2
    a, b, c = transform_points(lens.homography, middle)
    scale = float(np.sqrt(abs(np.linalg.det(np.stack((b - a, c - a))))))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(
        low_pass(reference, scale),
        lens.homography,
        lens.size,
        flags=flags,
        borderMode=cv2.BORDER_REPLICATE,
    )
