"""Files that are copied with something put in between."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def rewriting(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Yield a file and its successor; what was not read is copied at the end."""
    copy = path.with_name(f"{path.name}.copy")
    try:
        with path.open("rb") as source, copy.open("wb") as target:
            yield source, target
            shutil.copyfileobj(source, target)
        copy.replace(path)
    finally:
        copy.unlink(missing_ok=True)
