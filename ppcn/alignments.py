"""The HDF5 schema of alignments: one group per stem, geometry only.

Each group holds the datasets `homography` (3, 3), `displacement` (rows, columns, 2) and `crop`,
and the other fields of an Alignment as attributes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ppcn.artifacts import create_hdf5, open_hdf5
from ppcn.errors import UserError
from ppcn.geometry import Alignment

ALIGNED_BY = "ppcn-pipeline align"


def save_alignments(
    path: Path, alignments: Mapping[str, Alignment], attributes: Mapping[str, Any]
) -> None:
    """Write the geometry of every pair, by stem in sorted order; no pixels are stored."""
    with create_hdf5(path, attributes) as file:
        for stem in sorted(alignments):
            found = alignments[stem]
            group = file.create_group(stem)
            group["homography"] = found.homography.astype(np.float64)
            group["displacement"] = found.displacement.astype(np.float32)
            group["crop"] = np.array(found.crop, np.int64)
            for name in ("status", "matches", "inliers", "residual_px", "step"):
                group.attrs[name] = getattr(found, name)
            group.attrs["phone_size"] = np.array(found.phone_size, np.int64)
            group.attrs["dslr_size"] = np.array(found.dslr_size, np.int64)


def load_alignments(path: Path) -> dict[str, Alignment]:
    """Read what `save_alignments` wrote.

    Raises:
        UserError: the file is missing, unfinished or of another kind.
    """
    with open_hdf5(path, ALIGNED_BY) as file:
        try:
            return {stem: _load_alignment(group) for stem, group in file.items()}
        except (KeyError, AttributeError):
            raise UserError(
                f"{path}: not an alignment file; remake it with '{ALIGNED_BY}'"
            ) from None


def _load_alignment(group: h5py.Group) -> Alignment:
    attributes = group.attrs
    x0, y0, x1, y1 = (int(v) for v in group["crop"])
    phone_width, phone_height = (int(v) for v in attributes["phone_size"])
    dslr_width, dslr_height = (int(v) for v in attributes["dslr_size"])
    return Alignment(
        status=str(attributes["status"]),
        phone_size=(phone_width, phone_height),
        dslr_size=(dslr_width, dslr_height),
        matches=int(attributes["matches"]),
        inliers=int(attributes["inliers"]),
        residual_px=float(attributes["residual_px"]),
        homography=group["homography"][()],
        displacement=group["displacement"][()],
        step=int(attributes["step"]),
        crop=(x0, y0, x1, y1),
    )
