"""Names of cameras, as EXIF has them and as weights files list them."""

import re

# What some cameras add to the model. A number without a point may belong to its name.
FIRMWARE = re.compile(r"[\s,;(-]{0,4}\b(?:firmware|fw|version|ver|v)[\s.:]*v?\d+(?:\.\d+)+\)?$")


def same_camera(one: str, other: str) -> bool:
    """Whether two names are of one model, as "Apple iPhone 3GS" and "IPHONE 3GS " are.

    Case, spaces, a firmware's version, what follows a NUL, and a missing maker make no
    difference; all else does.
    """
    fewer, more = sorted((_words(one), _words(other)), key=len)
    return bool(fewer) and fewer in (more, more[1:])


def _words(camera: str) -> list[str]:
    """The words of a camera's name that tell its model, and its maker's."""
    name = " ".join(camera.strip(" \0").partition("\0")[0].split())
    return FIRMWARE.sub("", name.casefold()).split()
