"""What a worker does to align one photo pair: read it, align it, keep the result."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ppcn.dataset.alignment_set import create_alignments
from ppcn.dataset.pairs import Pair
from ppcn.errors import UserError
from ppcn.jobs.cache import get_or_compute, photo_digest
from ppcn.params import Align
from ppcn.photos.decode import read_photo
from ppcn.registration.gates import Rejection, RejectionReason
from ppcn.registration.register import align_pair

# What numerical libraries raise for data that nobody foresaw.
UNFORESEEN = (
    cv2.error,
    ArithmeticError,
    IndexError,
    MemoryError,
    ValueError,
    np.linalg.LinAlgError,
)


@dataclass(frozen=True)
class AlignTask:
    """Arguments of `align_files`.

    Attributes:
        pair: the photos.
        root: folder of photo folders.
        params: the `align` group of params.yaml.
        scratch: folder of the shards.
    """

    pair: Pair
    root: Path
    params: Align
    scratch: Path

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.pair.stem


@dataclass(frozen=True)
class Aligned:
    """What became of a pair.

    Attributes:
        shard: an alignment file of this pair alone; None if its photos could not be used at all.
        rejection: why not.
        was_cached: an earlier run had made the shard.
    """

    shard: Path | None
    rejection: Rejection | None = None
    was_cached: bool = False


def align_files(task: AlignTask) -> Aligned:
    """Align one pair; a photo that cannot be read or used rejects the pair with its reason.

    Such a rejection is not kept: another run may find the photo mended or the reader installed.
    """
    pair = task.pair
    try:
        digests = [photo_digest(path) for path in (pair.phone, pair.reference)]

        def write(path: Path) -> None:
            alignment = align_pair(read_photo(pair.phone), read_photo(pair.reference), task.params)
            with create_alignments(path, task.root, {}) as writer:
                writer.add(pair, alignment, digests)

        shard, was_cached = get_or_compute(task.scratch, digests, (pair.stem, task.params), write)
    except UserError as error:
        sentence = str(error).replace(f"{task.root}/", "")
        return Aligned(None, Rejection(RejectionReason.UNREADABLE_PHOTO, sentence))
    except UNFORESEEN as error:
        sentence = f"cannot be aligned ({type(error).__name__}: {error})"
        return Aligned(None, Rejection(RejectionReason.COMPUTATION_FAILED, sentence))
    return Aligned(shard, was_cached=was_cached)
