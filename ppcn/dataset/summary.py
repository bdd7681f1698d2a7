"""Alignments and patches in numbers: the rows and metrics that the stages write."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ppcn.dataset.alignment_set import status_of
from ppcn.dataset.patch_set import PatchWriter
from ppcn.dataset.splits import SPLIT_NAMES
from ppcn.params import Patches
from ppcn.registration.alignment import Alignment
from ppcn.registration.pair_gates import Rejection

BINS = 20


def alignment_row(stem: str, alignment: Alignment) -> dict[str, Any]:
    """The row of one pair."""
    return {
        "stem": stem,
        "status": status_of(alignment),
        "matches": alignment.matches,
        "inliers": alignment.inliers,
        "residual_px": alignment.residual_px,
        "agreement": alignment.agreement,
        "overlap": alignment.overlap(),
    }


def summarise_alignments(
    rows: Sequence[Mapping[str, Any]],
    rejections: Mapping[str, Rejection],
    unpaired: Mapping[str, str],
) -> dict[str, Any]:
    """Counts of pairs, the reasons for which photos are not used, and medians of accepted pairs.

    Args:
        rows: of all pairs, from `alignment_row`, each with its scene; at least one is accepted.
        rejections: of the pairs that must not be used, by stem.
        unpaired: why photos have no partner, by file.
    """
    accepted = [row for row in rows if row["stem"] not in rejections]
    figures = ("inliers", "residual_px", "agreement", "overlap")
    return {
        "pairs": len(rows),
        "aligned": len(accepted),
        "scenes": len({row["scene"] for row in accepted}),
        "refused": {stem: rejection.sentence for stem, rejection in rejections.items()},
        "unpaired": unpaired,
        **{f"median_{name}": float(np.median([row[name] for row in accepted])) for name in figures},
    }


def summarise_patches(
    patches: PatchWriter, rejected: Mapping[str, int], params: Patches
) -> dict[str, Any]:
    """Counts of windows and patches, and how well and how far off the patches matched.

    Args:
        patches: a whole patch set, not empty.
        rejected: the windows that were not kept, by outcome.
        params: the `patches` group of params.yaml.
    """
    split, ncc = patches.field("split"), patches.field("ncc").astype(float)
    distance = np.linalg.norm(patches.field("shift").astype(float), axis=1)
    return {
        "windows": len(split) + sum(rejected.values()),
        "kept": len(split),
        "refused": dict(rejected),
        "split": {name: int((split == kind).sum()) for kind, name in SPLIT_NAMES.items()},
        "ncc": {"min": float(ncc.min()), "median": float(np.median(ncc))},
        "shift_px": dict(zip(("median", "p95"), np.percentile(distance, [50, 95]), strict=True)),
        "histograms": {
            "ncc": _histogram(ncc, params.min_ncc, 1),
            "shift_px": _histogram(distance, 0, np.hypot(params.max_shift, params.max_shift)),
        },
    }


def _histogram(values: np.ndarray, low: float, high: float) -> dict[str, list[float]]:
    counts, edges = np.histogram(values, BINS, (low, max(high, low + 1e-3)))
    return {"edges": edges.tolist(), "counts": counts.tolist()}
