"""Versions of libraries, asked of the modules that are used.

A library may be there without the metadata of an installed package, as a machine's own torch or a
headless OpenCV under another name; what computes is the module.
"""

from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

# Modules by the names under which versions are recorded, where they differ.
MODULES = {
    "opencv": "cv2",
    "pillow": "PIL",
    "pytorch-msssim": "pytorch_msssim",
    "scikit-image": "skimage",
}


def version_of(library: str) -> str:
    """The version of a library; that of its package for a module that tells none.

    Raises:
        ImportError: there is no such library.
    """
    module = import_module(MODULES.get(library, library))
    told = getattr(module, "__version__", None)
    if told is not None:
        return str(told)
    try:
        return version(library)
    except PackageNotFoundError:
        return "unknown"


def versions_of(libraries: Iterable[str]) -> dict[str, str]:
    """The versions of several libraries by name."""
    return {library: version_of(library) for library in libraries}
