"""PPCN: phone photos into camera-quality photos (Hui et al. 2018, Ignatov et al. 2017).

`ppcn.enhance(image)` and `ppcn.upscale(image)` work on arrays, with weights that come along.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ppcn.inference.predictor import enhance, upscale

__all__ = ["enhance", "upscale"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load torch and the rest only when photos are to be improved."""
    if name in __all__:
        from ppcn import enhancing

        return getattr(enhancing, name)
    raise AttributeError(f"module 'ppcn' has no attribute '{name}'")
