"""Protocol `photo`: enhancement as users get it, the network on the whole photo.

Contrast step and instance norm look at all that a network is given, so that a patch enhanced alone
is not what the same window of an enhanced photo is. Here whole test photos are enhanced and rounded
to 8 bits; the windows from which the test patches were cut are compared with the better camera's
patches.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppcn.evaluation.metrics import ciede2000, psnr, ssim
from ppcn.evaluation.protocols import Enhance, Scores, as_saved, checked, means_of
from ppcn.photos.decode import Photo

DO_NOTHING = "do_nothing"
WHITE = 255.0


@dataclass(frozen=True)
class HeldOutPhoto:
    """A whole photo and what the better camera recorded of some of its windows.

    Attributes:
        stem: its name.
        photo: the phone's, (H, W, 3) uint8.
        corners: (N, 2) top-left corners (x, y) of the windows.
        references: (N, S, S, 3) uint8, the better camera's patches.
    """

    stem: str
    photo: Photo
    corners: NDArray[np.integer]
    references: NDArray[np.uint8]


def score_photos(methods: Mapping[str, Enhance], photos: Iterable[HeldOutPhoto]) -> dict[str, Any]:
    """Score enhancement of whole photos, beside doing nothing.

    Args:
        methods: by name; each gives a photo in [0, 1] that may overshoot.
        photos: test photos, one at a time.

    Returns:
        `protocol`, the number of `images` (windows) and of `photos`, and for `do_nothing` and each
        method the means over windows: `psnr` in dB; `ssim`; `ciede2000`; `color_error` and
        `detail_error`, the squared error of the window's mean and of the rest, in squared grey
        levels; and `made_worse`, the share of windows whose PSNR is lower than untouched.

    Raises:
        UserError: a method's output holds values that are not finite.
    """
    windows: dict[str, list[Scores]] = {name: [] for name in (DO_NOTHING, *methods)}
    stems = []
    for held_out in photos:
        stems.append(held_out.stem)
        windows[DO_NOTHING] += _window_scores(held_out.photo / WHITE, held_out)
        for name, enhance in methods.items():
            output = checked(enhance(held_out.photo), name)
            windows[name] += _window_scores(as_saved(output), held_out)
    untouched = np.array([row["psnr"] for row in windows[DO_NOTHING]])
    return {
        "protocol": "photo",
        "images": len(untouched),
        "photos": len(stems),
        **{name: _summary(rows, untouched) for name, rows in windows.items()},
    }


def _window_scores(photo: NDArray[np.float64], held_out: HeldOutPhoto) -> list[Scores]:
    """Scores of each window of a photo in [0, 1]."""
    size = held_out.references.shape[1]
    rows = []
    for (x, y), reference in zip(held_out.corners, held_out.references, strict=True):
        window, target = photo[y : y + size, x : x + size], reference / WHITE
        squared = WHITE**2 * float(np.mean((window - target) ** 2))
        difference = window.mean(axis=(0, 1)) - target.mean(axis=(0, 1))
        color = WHITE**2 * float(np.mean(difference**2))
        rows.append(
            {
                "psnr": psnr(window, target, 1.0),
                "ssim": ssim(window, target, 1.0),
                "ciede2000": ciede2000(window, target),
                "color_error": color,
                "detail_error": squared - color,
            }
        )
    return rows


def _summary(rows: list[Scores], untouched: NDArray[np.float64]) -> Scores:
    """Means over windows, and the share made worse."""
    worse = np.array([row["psnr"] for row in rows]) < untouched
    return {**means_of(rows), "made_worse": float(worse.mean())}
