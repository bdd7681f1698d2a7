"""From two photos of the same moment to the mapping between them, or the reason of refusal."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ppcn.params import Align
from ppcn.photos.color import luminance
from ppcn.photos.decode import Photo
from ppcn.registration.flow import agreement_map, refine
from ppcn.registration.geometry import OK, Alignment, Array, common_crop, size_of
from ppcn.registration.keypoints import estimate_homography, fit_lens, implausible, match_keypoints

# Correlation from which a neighbourhood agrees.
AGREES = 0.5
# px; a smaller photo holds no window and too little to match.
SMALLEST = 128
# px; OpenCV samples no larger photo.
LARGEST = 32766


@dataclass(frozen=True)
class Evidence:
    """What an alignment was judged by.

    Attributes:
        here: (M, 2) the phone's matched points.
        there: (M, 2) the DSLR's.
        inlier: (M,) which of them agree on one homography.
        agreement: (rows, columns) correlation around the middle of every square of `cell` phone
            px, NaN where nothing is known; empty where the pair was refused before.
        cell: side of such a square, px.
    """

    here: Array
    there: Array
    inlier: NDArray[np.bool_]
    agreement: Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    cell: int = 1


def align_pair(phone: Photo, dslr: Photo, params: Align) -> Alignment:
    """Find the mapping and the common crop of a pair.

    Args:
        phone: (H, W, 3) uint8 RGB.
        dslr: (H', W', 3) uint8 RGB.
        params: the `align` group of params.yaml.

    Returns:
        An alignment whose status is "ok" or the reason why the pair must not be used.
    """
    return examine_pair(phone, dslr, params)[0]


def examine_pair(phone: Photo, dslr: Photo, params: Align) -> tuple[Alignment, Evidence]:
    """Like `align_pair`; also returns what the alignment was judged by."""
    sizes = (size_of(phone), size_of(dslr))
    unseen = Evidence(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, bool))
    if min(*sizes[0], *sizes[1]) < SMALLEST:
        return Alignment(f"a photo is less than {SMALLEST} px wide or high", *sizes), unseen
    if max(*sizes[0], *sizes[1]) > LARGEST:
        return Alignment(f"a photo is more than {LARGEST} px wide or high", *sizes), unseen
    greys = (luminance(phone), luminance(dslr))
    here, there = match_keypoints(*greys, params)
    found = Alignment(OK, *sizes, matches=len(here))
    evidence = Evidence(here, there, np.zeros(len(here), bool))
    if len(here) < params.min_inliers:
        return found.refuse(f"only {len(here)} keypoint matches"), evidence
    homography, inlier = estimate_homography(here, there, params)
    found, evidence = replace(found, inliers=int(inlier.sum())), replace(evidence, inlier=inlier)
    if found.inliers < params.min_inliers:
        reason = f"only {found.inliers} of {len(here)} matches agree on one homography"
        return found.refuse(reason), evidence
    lens = fit_lens(homography, here, there, inlier, sizes[0])
    found = replace(found, homography=lens.homography)
    if reason := implausible(lens.homography, here[inlier], sizes[0], params):
        return found.refuse(reason), evidence
    found = refine(*greys, found, lens, params)
    found = replace(found, crop=common_crop(found))
    if found.overlap() < params.min_overlap:
        reason = f"common part is only {found.overlap():.0%} of the phone's photo"
        return found.refuse(reason), evidence
    agreement, cell = agreement_map(*greys, found)
    evidence = replace(evidence, agreement=agreement, cell=cell)
    return _judge(found, evidence, params), evidence


def _judge(found: Alignment, evidence: Evidence, params: Align) -> Alignment:
    """Measure a whole alignment, and refuse it if the photos do not look alike under it."""
    known = evidence.agreement[~np.isnan(evidence.agreement)]
    share = float((known > AGREES).mean()) if known.size else 0.0
    error = np.linalg.norm(found.to_dslr(evidence.here) - evidence.there, axis=1)[evidence.inlier]
    residual = float(np.median(error)) / found.dslr_scale()
    found = replace(found, agreement=share, residual_px=residual)
    if share < params.min_agreement:
        return found.refuse(f"the photos agree in only {share:.0%} of the textured area")
    return found
