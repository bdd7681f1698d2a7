"""Pairs that no two cameras took: windows of good photos, and what random cameras make of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ppcn.dataset.extract import correlation
from ppcn.dataset.patch_set import Patch
from ppcn.params import Simulate
from ppcn.photos.decode import read_photo
from ppcn.rig.camera import random_stream
from ppcn.rig.random_camera import record_at_random


@dataclass(frozen=True)
class SimulateTask:
    """Arguments of `simulate_patches`: a good photo, the `simulate` group, and the seed."""

    photo: Path
    params: Simulate
    seed: int


def simulate_patches(task: SimulateTask) -> list[Patch]:
    """Pairs of one photo: each of a window, a scale and a camera of its own.

    Returns:
        Pairs whose `reference` is the photo's window and whose `phone` is what a random camera
        recorded of it, or the same, in the share that is left untouched; none where the photo is
        smaller than a window. `xy` is where the window
        begins in the photo, px.

    Raises:
        UserError: the photo is damaged.
    """
    photo = Image.fromarray(read_photo(task.photo))
    if min(photo.size) < task.params.size:
        return []
    random = random_stream(task.seed, "simulate", task.photo.stem)
    return [_pair(photo, task.params, random) for _ in range(task.params.windows)]


def _pair(photo: Image.Image, params: Simulate, random: np.random.Generator) -> Patch:
    """A window of a photo, reduced, and what a random camera records of it."""
    largest = min(params.reduce * params.size, *photo.size)
    side = random.uniform(params.size, largest)
    left, top = (float(random.uniform(0, length - side)) for length in photo.size)
    if side < 1.05 * params.size:
        # Hardly reduced: the pixels themselves, which no interpolation has softened.
        side, left, top = params.size, int(left), int(top)
    box = (left, top, left + side, top + side)
    scaled = photo.resize((params.size, params.size), Image.Resampling.LANCZOS, box)
    window = np.asarray(scaled)
    recorded = record_at_random(window, params, random)
    agreement = correlation(recorded, window)
    return Patch(recorded, window, (int(left), int(top)), (0.0, 0.0), 0.0, agreement)
