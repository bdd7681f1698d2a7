"""How far an alignment is from the truth, where the truth is known (the virtual rig)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ppcn.dataset.extract import window_points
from ppcn.registration.alignment import Alignment
from ppcn.registration.geometry import Array
from ppcn.rig.camera import Pose, pixel_grid


def crop_errors(alignment: Alignment, phone: Pose, reference: Pose, step: int = 16) -> Array:
    """Distance from the truth at every step-th pixel of the common crop, phone px."""
    points = pixel_grid(alignment.phone_size, step).reshape(-1, 2)
    x0, y0, x1, y1 = alignment.crop
    inside = ((points >= [x0, y0]) & (points < [x1, y1])).all(axis=1)
    points = points[inside]
    return _distances(alignment.to_reference(points), points, phone, reference)


def patch_errors(
    alignment: Alignment,
    windows: Sequence[tuple[Array, Array, float]],
    size: int,
    phone: Pose,
    reference: Pose,
) -> Array:
    """Distance from the truth at the centre of each kept window, phone px.

    Args:
        alignment: the pair's geometry.
        windows: xy, shift and rotation of each.
        size: side of a window, px.
        phone: the phone's true pose.
        reference: the reference camera's true pose.
    """
    centres, matched = [], []
    for (x, y), shift, rotation in windows:
        middle = np.s_[size // 2, size // 2]
        centres.append(window_points(x, y, size)[middle])
        matched.append(window_points(x, y, size, shift, rotation)[middle])
    mapped = alignment.to_reference(np.array(matched).reshape(-1, 2))
    return _distances(mapped, np.array(centres).reshape(-1, 2), phone, reference)


def summarise_errors(crops: Sequence[Array], patches: Sequence[Array]) -> dict[str, Any]:
    """Percentiles over all pairs, and the median of the worst pair.

    Args:
        crops: of each pair, from `crop_errors`.
        patches: of each pair, from `patch_errors`.
    """
    return {
        "pairs": len(crops),
        "crop_error_px": _percentiles(np.concatenate(crops)),
        "patch_error_px": _percentiles(np.concatenate(patches)),
        "worst_pair_median_px": max(float(np.median(errors)) for errors in crops),
    }


def _percentiles(errors: Array) -> dict[str, float]:
    return dict(zip(("median", "p95"), map(float, np.percentile(errors, [50, 95])), strict=True))


def _distances(mapped: Array, points: Array, phone: Pose, reference: Pose) -> Array:
    """Distance of mapped reference pixels from the truth, in phone pixels."""
    truth = reference.from_scene(phone.to_scene(points))
    scale = np.sqrt(abs(np.linalg.det(phone.homography[:2, :2])))
    scale /= np.sqrt(abs(np.linalg.det(reference.homography[:2, :2])))
    return np.asarray(np.linalg.norm(mapped - truth, axis=-1) / scale)
