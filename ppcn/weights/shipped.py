"""Weights that come with this package, by name."""

from pathlib import Path

from ppcn.weights import SHIPPED


def find_weights(weights: str | Path) -> Path:
    """The file of weights that come with this package, by name; other names are paths."""
    shipped = SHIPPED / f"{weights}.safetensors"
    return shipped if shipped.is_file() else Path(weights)
