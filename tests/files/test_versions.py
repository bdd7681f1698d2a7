import sys
from importlib.metadata import version
from types import ModuleType

import pytest

from ppcn.files import versions
from ppcn.files.artifacts import provenance
from ppcn.files.versions import version_of


def test_versions_are_those_of_the_installed_packages() -> None:
    for library in ("numpy", "scipy", "scikit-image", "pillow", "h5py", "torch", "pytorch-msssim"):
        assert version_of(library) == version(library)
    # A wheel's last number counts the builds of one OpenCV.
    assert version("opencv-contrib-python").startswith(version_of("opencv"))


def test_nothing_refuses_for_want_of_package_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with a headless OpenCV and this project on its path."""

    def missing(name: str) -> str:
        raise versions.PackageNotFoundError(name)

    monkeypatch.setattr(versions, "version", missing)
    recorded = provenance(None, {})["versions"]
    assert recorded["pytorch-msssim"] == "unknown"
    assert all(v[0].isdigit() for name, v in recorded.items() if name != "pytorch-msssim")


def test_a_module_without_version_is_asked_of_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", ModuleType("numpy"))
    assert version_of("numpy") == version("numpy")
