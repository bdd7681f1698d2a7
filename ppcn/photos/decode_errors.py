"""What is wrong with a photo file, in one sentence."""

import errno
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyvips
from PIL import Image, ImageCms, UnidentifiedImageError

from ppcn.errors import UserError

# What decoders raise over a damaged file.
DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    ImageCms.PyCMSError,
)


# What libvips says of whole files whose pixels it does not know.
UNUSUAL = (
    "not a whole number of bytes",
    "samples out of range",
    "labq format",
    "nsupported",
    "not supported",
    "is not configured",
)


def check_is_file(path: Path) -> None:
    """Make sure that there is a file with something in it, and with a name that libvips takes.

    Raises:
        UserError: there is none.
    """
    if not path.is_file():
        raise UserError(f"{path}: {'not a file' if path.exists() else 'no such photo'}")
    if not path.stat().st_size:
        raise UserError(f"{path}: an empty file; remove it")
    if str(path).encode(errors="ignore").decode() != str(path):
        raise UserError(f"{str(path)!a}: the name is not UTF-8; rename the photo")


def damaged(path: Path, what: object) -> UserError:
    """The error of a damaged photo; `what` is a decoder's message, of any number of lines."""
    return UserError(f"{path}: damaged photo ({' '.join(str(what).split())}); replace or remove it")


def unknown(path: Path) -> UserError:
    """The error of a file that is no photo of a known format."""
    return UserError(f"{path}: not a photo that can be read")


def forbidden(path: Path) -> UserError:
    """The error of a photo that the user may not read."""
    return UserError(f"{path}: may not be read; change its permissions")


@contextmanager
def as_user_error(path: Path) -> Iterator[None]:
    """Turn what libvips, Pillow and other readers raise over a photo into one sentence.

    Pillow's warnings stay unseen: half of the largest size is no danger, and what else it warns
    of it raises where the pixels suffer.

    Raises:
        UserError: the photo is missing, damaged, too large, of no known format, or secret; or the
            disk is full.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except UnidentifiedImageError:
        raise unknown(path) from None
    except Image.DecompressionBombError:
        raise UserError(f"{path}: more than 178 million pixels; reduce the photo first") from None
    except PermissionError:
        raise forbidden(path) from None
    except MemoryError:
        raise UserError(f"{path}: not enough memory for this photo; reduce it first") from None
    except pyvips.Error as error:
        raise _of_vips(path, str(error)) from None
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise full_disk() from None
        raise damaged(path, error) from None


def full_disk() -> UserError:
    """The error of a disk without room."""
    return UserError("no space left on the disk; free some and run again")


def _of_vips(path: Path, message: str) -> UserError:
    """What libvips says, in one sentence."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if any("No space left" in line for line in lines):
        return full_disk()
    if lines and lines[0].startswith("unable to call"):
        lines = lines[1:]
    what = lines[0] if lines else "its pixels cannot be decoded"
    if any(word in what for word in UNUSUAL):
        advice = "save it as RGB of 8 or 16 bits a channel"
        return UserError(f"{path}: stores pixels in an unusual way ({what}); {advice}")
    return damaged(path, what)
