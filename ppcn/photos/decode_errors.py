"""What is wrong with a photo file, in one sentence."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageCms, UnidentifiedImageError

from ppcn.errors import UserError

# What decoders raise over a damaged file.
DAMAGE = (
    ArithmeticError,
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


def check_is_file(path: Path) -> None:
    """Make sure that there is a file.

    Raises:
        UserError: there is none.
    """
    if not path.is_file():
        raise UserError(f"{path}: {'not a file' if path.exists() else 'no such photo'}")


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
    """Turn what Pillow and readers of its kind raise over a photo into one sentence.

    Pillow's warnings stay unseen: half of the largest size is no danger, and what else it warns
    of it raises where the pixels suffer.

    Raises:
        UserError: the photo is missing, damaged, too large, of no known format, or secret.
    """
    try:
        check_is_file(path)
        with warnings.catch_warnings(action="ignore"):
            yield
    except UnidentifiedImageError:
        raise unknown(path) from None
    except Image.DecompressionBombError:
        raise UserError(f"{path}: more than 178 million pixels; reduce the photo first") from None
    except PermissionError:
        raise forbidden(path) from None
    except DAMAGE as error:
        raise damaged(path, error) from None
