"""Cutting patches of aligned pairs: what a worker does, and how its results become one file."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ppcn.dataset.alignment_set import open_alignments
from ppcn.dataset.extract import Window, cut_patches
from ppcn.dataset.pairs import Pair
from ppcn.dataset.patch_set import PatchSet, PatchWriter, open_patches
from ppcn.dataset.splits import SPLIT_NAMES, TRAIN
from ppcn.dataset.summary import summarise_patches
from ppcn.dataset.window_gates import REJECTIONS, Outcome
from ppcn.errors import UserError
from ppcn.files.artifacts import create_hdf5, replacing
from ppcn.jobs.align_pair import UNFORESEEN
from ppcn.jobs.cache import get_or_compute
from ppcn.params import Patches
from ppcn.photos.decode import encode_jpeg, read_photo
from ppcn.registration.alignment import Alignment
from ppcn.report.pair_overview import quick_look

OUTCOMES = tuple(Outcome)
QUICK_LOOK_QUALITY = 80
# What has more windows kept, by the reason for which most were rejected.
MENDS = {
    Outcome.FLAT: "lower patches.min_deviation",
    Outcome.BLOWN_HIGHLIGHTS: "raise patches.max_blown",
    Outcome.LOW_CORRELATION: "lower patches.min_ncc",
    Outcome.SHIFT_AT_LIMIT: "raise patches.max_shift",
    Outcome.DUPLICATE: "remove copies of photos",
    Outcome.TOO_FEW_PIXELS: "lower patches.scale",
}


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
        alignment = alignments[task.stem]
        pair, digests = (
            alignments.unchanged_pair(task.stem, task.root),
            alignments.digests(task.stem),
        )
    arrays = (alignment.homography, alignment.displacement, np.array(alignment.crop))
    geometry = [array.tobytes() for array in arrays]
    settings = (task.stem, task.params.model_dump(exclude={"split"}), geometry)
    return get_or_compute(
        task.scratch,
        digests,
        settings,
        lambda path: _write_shard(path, pair, alignment, task.params),
    )


def _write_shard(path: Path, pair: Pair, alignment: Alignment, params: Patches) -> None:
    phone, reference = map(read_photo, pair.photos)
    try:
        patches, windows = cut_patches(phone, reference, alignment, params)
    except UNFORESEEN as error:
        raise UserError(
            f"{pair.phone}: cannot be cut ({type(error).__name__}: {error}); leave it out"
        ) from error
    picture = quick_look(phone, reference, alignment, windows, params.size)
    with create_hdf5(path, {}) as file:
        PatchWriter(file, [pair.stem], params.size, params.scale).add(0, 0, patches)
        file["windows"] = _table(windows)
        file["quick_look"] = np.frombuffer(encode_jpeg(picture, QUICK_LOOK_QUALITY), np.uint8)


def _table(windows: list[Window]) -> np.ndarray:
    """Windows as rows (x, y, index into OUTCOMES, ncc)."""
    rows = [(*w.xy, OUTCOMES.index(w.outcome), w.ncc) for w in windows]
    kinds = [("x", "i4"), ("y", "i4"), ("outcome", "u1"), ("ncc", "f4")]
    return np.array(rows, dtype=kinds)


def _count_outcomes(shard: PatchSet) -> Counter[Outcome]:
    """The windows of a shard by outcome."""
    return Counter(OUTCOMES[window["outcome"]] for window in shard.extra("windows"))


class PatchMerger:
    """Puts the shards of the pairs, one after another, into one patch set.

    Args:
        file: the patch set, empty as yet.
        splits: the split of every stem, in the order in which the pairs come.
        params: the `patches` group of params.yaml.
        quick_looks: folder of the pictures.

    Attributes:
        rows: of the table of photos.
        cached: number of pairs that an earlier run had done.
    """

    def __init__(
        self, file: h5py.File, splits: dict[str, int], params: Patches, quick_looks: Path
    ) -> None:
        self._writer = PatchWriter(file, list(splits), params.size, params.scale)
        self._splits, self._params, self._quick_looks = splits, params, quick_looks
        self._digests: set[bytes] = set()
        self.rows: list[dict[str, Any]] = []
        self.cached = 0

    @property
    def kept(self) -> int:
        """Patches in the set."""
        return self._writer.count

    def add(self, stem: str, shard: Path, was_cached: bool) -> None:
        """Move a pair's patches and picture to their places, without copies of earlier patches.

        Args:
            stem: the pair.
            shard: its shard.
            was_cached: whether an earlier run had made it.
        """
        split = self._splits[stem]
        with open_patches(shard) as patches:
            duplicates = self._writer.copy(len(self.rows), split, patches, self._digests)
            outcomes = _count_outcomes(patches)
            with replacing(self._quick_looks / f"{stem}.jpg") as temporary:
                temporary.write_bytes(patches.extra("quick_look").tobytes())
        outcomes[Outcome.KEPT] -= duplicates
        outcomes[Outcome.DUPLICATE] += duplicates
        counts = {outcome.value: outcomes[outcome] for outcome in OUTCOMES}
        self.rows.append({"stem": stem, "split": SPLIT_NAMES[split], **counts})
        self.cached += was_cached

    def rejected(self) -> dict[str, int]:
        """The windows that were not kept, by outcome."""
        return {name.value: sum(row[name] for row in self.rows) for name in REJECTIONS}

    def finish(self) -> dict[str, Any]:
        """Note in the patch set how many windows were rejected.

        Returns:
            The metrics of all pairs; at least one window was kept.
        """
        rejected = self.rejected()
        self._writer.note_rejected(rejected)
        return summarise_patches(self._writer, rejected, self._params)

    def why_none(self) -> str:
        """Why no window was kept, and what to do about it."""
        counts = {reason: number for reason, number in self.rejected().items() if number}
        if counts:
            return f"no window passed the gates {counts}; see patches in params.yaml"
        size = self._params.size
        return f"no window of {size} px fits on what both cameras see; reduce patches.size"

    def check_splits(self) -> None:
        """Make sure that photos of every split have given patches, as far as it has photos.

        Raises:
            UserError: those of one have given none.
        """
        for name in SPLIT_NAMES.values():
            rows = [row for row in self.rows if row["split"] == name]
            if rows and not any(row[Outcome.KEPT.value] for row in rows):
                raise UserError(self._why_empty(name, rows))

    def _why_empty(self, name: str, rows: list[dict[str, Any]]) -> str:
        """Why the photos of one split have given no patch, and what to do about it."""
        stems = ", ".join(row["stem"] for row in rows)
        by_reason = {reason: sum(row[reason] for row in rows) for reason in REJECTIONS}
        counts = {reason.value: number for reason, number in by_reason.items() if number}
        mend = f"lower patches.size ({self._params.size} px)"
        if counts:
            most = max(by_reason, key=lambda reason: by_reason[reason])
            mend = MENDS.get(most, "look at the pictures of these pairs")
        key = "patches.split" if name == SPLIT_NAMES[TRAIN] else f"patches.split.{name}"
        return (
            f"no window of the {name} photos was kept ({stems}; rejected: {counts or 'none'}); "
            f"{mend}, or have {key} choose other photos"
        )
