"""Cameras that nobody has: what a phone may do to a scene, drawn at random."""

import numpy as np

from ppcn.params import Character, Simulate


def draw_character(bounds: Simulate, random: np.random.Generator) -> Character:
    """Draw what one camera does to scenes.

    Each value is drawn evenly between its two bounds, except for the gains of the colours, which
    are exp(N(0, cast)).

    Args:
        bounds: the `simulate` group of params.yaml.
        random: source of the draws.
    """
    drawn = {
        name: float(random.uniform(*getattr(bounds, name)))
        for name in Character.model_fields
        if name in Simulate.model_fields
    }
    drawn["jpeg_quality"] = round(drawn["jpeg_quality"])
    gains = np.exp(random.normal(0, bounds.cast, 3))
    return Character(**drawn, white_balance=tuple(gains.tolist()), vignetting=0, variation=0)
