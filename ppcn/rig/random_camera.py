"""Cameras that nobody has: what a phone may do to a scene, drawn at random."""

import io

import numpy as np
from PIL import Image

from ppcn.params import CameraBounds, Character, Simulate
from ppcn.photos.decode import Photo
from ppcn.rig.camera import develop, light_of


def draw_character(bounds: CameraBounds, random: np.random.Generator) -> Character:
    """Draw what one camera does to scenes.

    Each value is drawn evenly between its two bounds, except for the gains of the colours, which
    are exp(N(0, cast)). What has no bounds is left as it is.

    Args:
        bounds: a group of params.yaml.
        random: source of the draws.
    """
    drawn = {name: float(random.uniform(*getattr(bounds, name))) for name in bounds.drawn()}
    if isinstance(bounds, Simulate):
        gains = np.exp(random.normal(0, bounds.cast, 3))
        return bounds.camera({**drawn, "white_balance": tuple(gains.tolist())})
    return bounds.camera(drawn)


def record_at_random(photo: Photo, bounds: CameraBounds, random: np.random.Generator) -> Photo:
    """What a random camera records of a photo, or in the share left untouched the photo itself.

    Args:
        photo: (H, W, 3) uint8 sRGB.
        bounds: a group of params.yaml.
        random: source of the camera and of its noise.

    Returns:
        (H, W, 3) uint8 sRGB.
    """
    if random.random() < bounds.untouched:
        return photo
    file = develop(light_of(photo), draw_character(bounds, random), random)
    return np.asarray(Image.open(io.BytesIO(file)))
