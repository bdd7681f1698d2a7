"""What a worker does to cut the patches of one photo pair: read it, cut it, keep the result."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppcn.dataset.alignment_set import open_alignments
from ppcn.dataset.extract import Window, cut_patches
from ppcn.dataset.gates import Outcome
from ppcn.dataset.patch_set import PatchWriter
from ppcn.errors import UserError
from ppcn.files.artifacts import create_hdf5
from ppcn.jobs.align_pair import UNFORESEEN
from ppcn.jobs.cache import get_or_compute, photo_digest
from ppcn.params import Patches
from ppcn.photos.decode import encode_jpeg, read_photo
from ppcn.report.pair_overview import quick_look

OUTCOMES = tuple(Outcome)
QUICK_LOOK_QUALITY = 80


@dataclass(frozen=True)
class CutTask:
    """Arguments of `cut_files`.

    Attributes:
        stem: the pair.
        root: folder of photo folders.
        aligned: file of the alignments.
        params: the `patches` group of params.yaml.
        scratch: folder of the shards.
    """

    stem: str
    root: Path
    aligned: Path
    params: Patches
    scratch: Path

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.stem


def cut_files(task: CutTask) -> tuple[Path, bool]:
    """Cut the patches of one aligned pair.

    Returns:
        Its shard, a patch set of one photo with the datasets `windows` and `quick_look` besides,
        and whether an earlier run had made it.

    Raises:
        UserError: a photo is damaged, or is not the one that was aligned.
    """
    with open_alignments(task.aligned) as alignments:
        alignment, pair = alignments[task.stem], alignments.pair(task.stem, task.root)
        aligned = alignments.digests(task.stem)
    digests = [photo_digest(path) for path in (pair.phone, pair.reference)]
    for path, before, now in zip((pair.phone, pair.reference), aligned, digests, strict=True):
        if before != now:
            raise UserError(f"{path}: changed since it was aligned; align it again")

    def write(path: Path) -> None:
        phone, reference = read_photo(pair.phone), read_photo(pair.reference)
        try:
            patches, windows = cut_patches(phone, reference, alignment, task.params)
        except UNFORESEEN as error:
            raise UserError(
                f"{pair.phone}: cannot be cut ({type(error).__name__}: {error}); leave it out"
            ) from error
        size = task.params.size
        look = encode_jpeg(
            quick_look(phone, reference, alignment, windows, size), QUICK_LOOK_QUALITY
        )
        with create_hdf5(path, {}) as file:
            PatchWriter(file, [task.stem], size).add(0, 0, patches)
            file["windows"] = _table(windows)
            file["quick_look"] = np.frombuffer(look, np.uint8)

    params = task.params.model_dump(exclude={"split"})
    geometry = [
        v.tobytes()
        for v in (alignment.homography, alignment.displacement, np.array(alignment.crop))
    ]
    return get_or_compute(task.scratch, digests, (task.stem, params, geometry), write)


def _table(windows: list[Window]) -> np.ndarray:
    """Windows as rows (x, y, index into OUTCOMES, ncc)."""
    rows = [(*w.xy, OUTCOMES.index(w.outcome), w.ncc) for w in windows]
    kinds = [("x", "i4"), ("y", "i4"), ("outcome", "u1"), ("ncc", "f4")]
    return np.array(rows, dtype=kinds)
