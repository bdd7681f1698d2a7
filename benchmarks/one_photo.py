"""A photo through the program, and what became of it; all that these checks know of `ppcn`."""

import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppcn.errors import UserError
from ppcn.photos.decode import read_photo
from ppcn.photos.formats import EncodeOptions, result_suffix
from ppcn.photos.photo_file import PhotoFile

logger = logging.getLogger("ppcn.photos")

PACKAGE = "/ppcn/"
Raw = NDArray[Any]


@dataclass
class Fate:
    """What a route through the program did with a photo.

    Attributes:
        refused: the sentence of a `UserError`.
        raised: type, message and place of any other exception.
        said: what was logged.
        printed: the first line that went to the screen past the program's own messages.
    """

    refused: str = ""
    raised: str = ""
    said: list[str] = field(default_factory=list)
    printed: str = ""

    @property
    def is_done(self) -> bool:
        """Whether there is a result."""
        return not (self.refused or self.raised)


class _Listener(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.INFO)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())


@contextmanager
def watched(fate: Fate) -> Iterator[None]:
    """Record what happens."""
    listener, logger = _Listener(fate.said), logging.getLogger("ppcn")
    logger.addHandler(listener)
    try:
        with _heard(fate):
            yield
    except UserError as error:
        fate.refused = str(error)
    except Exception as error:
        fate.raised = f"{type(error).__name__}: {_first_line(error)} [{_place(error)}]"
    finally:
        logger.removeHandler(listener)


@contextmanager
def _heard(fate: Fate) -> Iterator[None]:
    """Catch what libraries print."""
    sys.stderr.flush()
    screen = os.dup(2)
    with TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(screen, 2)
            os.close(screen)
            file.seek(0)
            lines = (line.decode(errors="replace").strip() for line in file)
            fate.printed = next((line for line in lines if line), "")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]


def _place(error: Exception) -> str:
    """The innermost line of the package that an exception passed."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if PACKAGE in f.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "outside"


def enhance_unchanged(path: Path, out: Path) -> None:
    """What `enhance --strength 0` makes of a photo; the network's result would not be looked at.

    Raises:
        UserError: as the command would print.
    """
    _through(path, out, lambda pixels: pixels, scale=1, strength=0.0)


def enhance_darker(path: Path, out: Path, factor: float) -> None:
    """What `enhance` makes of a photo with a network that multiplies sRGB by `factor`.

    Raises:
        UserError: as the command would print.
    """
    _through(path, out, lambda pixels: np.rint(pixels * factor), scale=1, strength=1.0)


def upscale_by_repeating(path: Path, out: Path, scale: int) -> None:
    """What `upscale` makes of a photo with a network that repeats pixels.

    Raises:
        UserError: as the command would print.
    """

    def repeat(pixels: Raw) -> Raw:
        return pixels.repeat(scale, axis=0).repeat(scale, axis=1)

    _through(path, out, repeat, scale, strength=1.0)


def _through(
    path: Path, out: Path, network: Callable[[Raw], NDArray[Any]], scale: int, strength: float
) -> None:
    with TemporaryDirectory(dir=out.parent, prefix="scratch-") as name:
        scratch = Path(name)
        photo = PhotoFile(path)
        before = photo.decode(scratch)
        after = before.enlarged(scratch / "result.raw", scale)
        if strength:
            pixels = before.read(0, before.height)
            network(pixels).astype(pixels.dtype).tofile(after.path)
        else:
            after = before
        for name in photo.encode(after, out, EncodeOptions(), scratch, strength):
            logger.warning("left out: %s", name)


def seen_by_network(path: Path, folder: Path) -> NDArray[np.float32]:
    """A photo as networks see it: (H, W, 3) sRGB in 0..255.

    Raises:
        UserError: as the command would print.
    """
    with TemporaryDirectory(dir=folder, prefix="scratch-") as name:
        raw = PhotoFile(path).decode(Path(name))
        return raw.read(0, raw.height).astype(np.float32) * np.float32(255 / raw.white)


def chosen_suffix(path: Path) -> str:
    """The suffix that the command gives the result."""
    try:
        return result_suffix(path, PhotoFile(path).has_alpha)
    except UserError:
        return result_suffix(path)


def read_upright(path: Path) -> NDArray[np.uint8]:
    """What the rest of the program sees of a photo: (H, W, 3) sRGB.

    Raises:
        UserError: as the commands would print.
    """
    return read_photo(path)
