"""From two photos of the same moment to the mapping between them, or the reason of rejection."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ppcn.params import Align
from ppcn.photos.color import luminance
from ppcn.photos.decode import Photo
from ppcn.registration import pair_gates
from ppcn.registration.alignment import Alignment, common_crop
from ppcn.registration.flow import agreement_map, refine
from ppcn.registration.geometry import Array, size_of
from ppcn.registration.keypoints import estimate_homography, match_keypoints
from ppcn.registration.lens import Lens, fit_lens


@dataclass(frozen=True)
class Evidence:
    """What an alignment was accepted or rejected by.

    Attributes:
        kpts_phone: (M, 2) the phone's matched points.
        kpts_reference: (M, 2) the reference camera's.
        inlier: (M,) which of them agree on one homography.
        agreement: (rows, columns) correlation around the middle of every square of `cell` phone
            px, NaN where nothing is known; empty where the pair was rejected before.
        cell: side of such a square, px.
    """

    kpts_phone: Array
    kpts_reference: Array
    inlier: NDArray[np.bool_]
    agreement: Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    cell: int = 1


def align_pair(phone: Photo, reference: Photo, params: Align) -> Alignment:
    """Find the mapping and the common crop of a pair.

    Args:
        phone: (H, W, 3) uint8 RGB.
        reference: (H', W', 3) uint8 RGB.
        params: the `align` group of params.yaml.

    Returns:
        An alignment, with a rejection if the pair must not be used.
    """
    return examine_pair(phone, reference, params)[0]


def examine_pair(
    phone: Photo, reference: Photo, params: Align, is_accepted: bool = False
) -> tuple[Alignment, Evidence]:
    """Like `align_pair`; also returns what the alignment was accepted or rejected by.

    Of a pair that a person has accepted (`is_accepted`) a finished alignment is not rejected for
    its overlap or agreement.
    """
    sizes = (size_of(phone), size_of(reference))
    alignment = Alignment(*sizes)
    if rejection := pair_gates.check_sizes(*sizes):
        nothing = Evidence(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, bool))
        return alignment.reject(rejection), nothing
    greys = (luminance(phone), luminance(reference))
    kpts_phone, kpts_reference = match_keypoints(*greys, params)
    alignment = replace(alignment, matches=len(kpts_phone))
    evidence = Evidence(kpts_phone, kpts_reference, np.zeros(len(kpts_phone), bool))
    if rejection := pair_gates.check_matches(len(kpts_phone), params):
        return alignment.reject(rejection), evidence
    homography, inlier = estimate_homography(kpts_phone, kpts_reference, params.ransac_threshold)
    alignment = replace(alignment, inliers=int(inlier.sum()))
    evidence = replace(evidence, inlier=inlier)
    if rejection := pair_gates.check_inliers(alignment.inliers, len(kpts_phone), params):
        return alignment.reject(rejection), evidence
    lens = fit_lens(homography, kpts_phone, kpts_reference, inlier, sizes[0])
    alignment = replace(alignment, homography=lens.homography)
    if rejection := pair_gates.check_homography(
        lens.homography, kpts_phone[inlier], sizes[0], params
    ):
        return alignment.reject(rejection), evidence
    return finish_alignment(greys, alignment, lens, evidence, params, is_accepted)


def finish_alignment(
    greys: tuple[Array, Array],
    alignment: Alignment,
    lens: Lens,
    evidence: Evidence,
    params: Align,
    is_accepted: bool = False,
) -> tuple[Alignment, Evidence]:
    """Refine an alignment locally, and judge the whole by overlap and agreement.

    Args:
        greys: (H, W) and (H', W') float32 grey levels of the phone and the reference camera.
        alignment: the pair's alignment, with the lens's homography.
        lens: where refinement starts.
        evidence: the matches, of which one at least is an inlier.
        params: the `align` group of params.yaml.
        is_accepted: whether a person has accepted the pair; then it need only overlap at all.
    """
    alignment = refine(*greys, alignment, lens, params)
    alignment = replace(alignment, crop=common_crop(alignment))
    rejection = pair_gates.check_overlap(alignment.overlap(), params)
    if rejection and not (is_accepted and alignment.overlap()):
        return alignment.reject(rejection), evidence
    agreement, cell = agreement_map(*greys, alignment)
    evidence = replace(evidence, agreement=agreement, cell=cell)
    alignment = _measured(alignment, evidence)
    rejection = pair_gates.check_agreement(alignment.agreement, params)
    if rejection and not is_accepted:
        return alignment.reject(rejection), evidence
    return alignment, evidence


def _measured(alignment: Alignment, evidence: Evidence) -> Alignment:
    """A whole alignment with its agreement and the residual of its inliers."""
    share = pair_gates.agreement_share(evidence.agreement)
    error = np.linalg.norm(
        alignment.to_reference(evidence.kpts_phone) - evidence.kpts_reference, axis=1
    )
    residual = float(np.median(error[evidence.inlier])) / alignment.reference_scale()
    return replace(alignment, agreement=share, residual_px=residual)
