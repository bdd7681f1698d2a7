"""PPCN: phone photos into camera-quality photos (Hui et al. 2018, Ignatov et al. 2017).

`ppcn.enhance(image)` and `ppcn.upscale(image)` work on arrays, pictures of Pillow and photo files,
with weights that come along.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ppcn.inference.predictor import enhance, upscale

__all__ = ["enhance", "upscale"]
__version__ = "0.1.0"
_PROCESS = os.getpid()


def in_a_fork() -> bool:
    """Whether this process was forked after the package had been imported."""
    return os.getpid() != _PROCESS


def __getattr__(name: str) -> Any:
    """Import `enhance` and `upscale`, and torch with them, when they are first used."""
    if name in __all__:
        from ppcn.inference import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module 'ppcn' has no attribute '{name}'")
