"""Which weights each photo gets, and the line that tells it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ppcn.errors import UserError
from ppcn.inference.predictor import Task
from ppcn.photos.decode import camera_model
from ppcn.weights.shipped import ANY, AUTO, find_weights, weights_for


class Choice(NamedTuple):
    """What one photo gets.

    Attributes:
        weights: name of weights that come with this package, or a weights file.
        camera: which camera took the photo; empty where it is unknown or does not matter, None
            of a photo that cannot be read.
    """

    weights: str
    camera: str | None = ""


def choose_weights(photos: Sequence[Path], task: Task, weights: str) -> list[Choice]:
    """The weights that were named, or for each photo those for its camera.

    Args:
        photos: the photos, whose headers are read where cameras matter.
        task: what they are for; enhancement can choose by cameras.
        weights: a name, a file, or "auto".

    Raises:
        UserError: no such weights.
    """
    if task != "enhance" or weights != AUTO:
        find_weights(weights)
        return [Choice(weights)] * len(photos)
    cameras = [_camera_of(photo) for photo in photos]
    names = {camera: weights_for(camera or "") for camera in set(cameras)}
    return [Choice(names[camera], camera) for camera in cameras]


def _camera_of(photo: Path) -> str | None:
    """Which camera took a photo; None of one that cannot be read, which is told when it is due."""
    try:
        return camera_model(photo)
    except UserError:
        return None


def describe_choice(choices: Sequence[Choice]) -> str:
    """How many photos get which weights, as "12 photos with 'any', 3 with ..."; may be empty."""
    counts = Counter(c.weights for c in choices if c.camera is not None).most_common()
    if not counts:
        return ""
    nouns = [" photo" if counts[0][1] == 1 else " photos", *[""] * len(counts)]
    return ", ".join(
        f"{count}{noun} with '{name}'{_taken_by(choices, name)}"
        for (name, count), noun in zip(counts, nouns, strict=False)
    )


def _taken_by(choices: Sequence[Choice], name: str) -> str:
    """The cameras for which weights were chosen, each in one spelling."""
    cameras = {
        c.camera.casefold(): c.camera for c in choices if c.camera and name == c.weights != ANY
    }
    return f" (taken by {', '.join(sorted(cameras.values()))})" if cameras else ""
