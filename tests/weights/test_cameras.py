"""Names of cameras."""

import pytest

from ppcn.weights.cameras import same_camera


@pytest.mark.parametrize(
    "name",
    [
        "Apple iPhone 3GS",
        "iPhone 3GS",
        "APPLE IPHONE 3gs",
        " Apple  iPhone\t3GS \0\0",
        "Apple iPhone 3GS \0 rest of memory",
        "Apple iPhone 3GS Ver. 1.02",
        "Apple iPhone 3GS V1.0",
        "Apple iPhone 3GS (firmware 4.3.1)",
        "iPhone 3GS, Version: 1.0",
    ],
)
def test_spellings_of_one_camera(name: str) -> None:
    for known in ("Apple iPhone 3GS", "iPhone 3GS"):
        assert same_camera(name, known)
        assert same_camera(known, name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Apple iPhone 3GS", "Apple iPhone 3G"),
        ("Apple iPhone 3GS", "iPhone"),
        ("Apple iPhone 3GS", "Apple"),
        ("Apple iPhone 3GS", "Other iPhone 3GS"),
        ("Apple iPhone 4", "Apple iPhone 4S"),
        ("Apple iPhone 12", "Apple iPhone 12 Pro"),
        ("LG V20", "LG V10"),
        ("LG V20", "LG"),
        ("Leica M Version 2", "Leica M"),
        ("", "Apple iPhone 3GS"),
        ("", ""),
        ("v1.0", "Apple"),
    ],
)
def test_other_models_are_other_cameras(one: str, other: str) -> None:
    assert not same_camera(one, other)
    assert not same_camera(other, one)
