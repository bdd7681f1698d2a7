"""The exceptions that a user is meant to read."""

import difflib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path


class UserError(Exception):
    """Something that the user can mend: one sentence naming the file or key, and what to do."""


class FileKind(StrEnum):
    """What a file is expected to hold."""

    ALIGNMENTS = "alignments"
    PATCH_SET = "patch set"
    SR_SET = "super-resolution set"
    VGG = "VGG-19 weights"
    RIG_TRUTH = "truth of the rig"
    WEIGHTS = "weights"
    CHECKPOINT = "checkpoint of TensorFlow"
    METRICS = "metrics"
    TIMES = "times of a benchmark"
    PICTURES = "pictures"


class FileError(UserError):
    """A file that a command should have made is missing or unusable.

    The message says what is wrong; which command makes the file is for whoever offers commands.

    Args:
        path: the file or folder.
        kind: what it should hold; None if no command makes it.
        problem: what is wrong, such as "unfinished".
        missing: whether there is nothing at all.
    """

    def __init__(
        self, path: Path, kind: FileKind | None, problem: str, missing: bool = False
    ) -> None:
        # All of them, so that the error survives the way back from a worker process.
        super().__init__(path, kind, problem, missing)
        self.path, self.kind, self.problem, self.missing = path, kind, problem, missing

    def __str__(self) -> str:
        """The file and what is wrong with it."""
        return f"{self.path}: {self.problem}"


def missing_file(path: Path, kind: FileKind | None) -> FileError:
    """The error of a file that is not there."""
    return FileError(path, kind, "no such file", missing=True)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like one that a user gave; empty if none is known."""
    return "".join(difflib.get_close_matches(name, list(known), n=1, cutoff=0))
