"""Aligning the photo pairs of a phone: what a worker does, and how its results become one file."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ppcn.dataset.alignment_set import AlignmentWriter, create_alignments, open_alignments
from ppcn.dataset.decisions import Decision, Verdict
from ppcn.dataset.pairs import Pair, photo_digest
from ppcn.dataset.scenes import find_scenes
from ppcn.dataset.summary import alignment_row, summarise_alignments
from ppcn.errors import UserError
from ppcn.jobs.cache import get_or_compute
from ppcn.params import Align
from ppcn.photos.decode import Photo, capture_time, read_photo
from ppcn.registration.alignment import Alignment
from ppcn.registration.hand_points import align_from_points
from ppcn.registration.pair_gates import (
    Rejection,
    RejectionReason,
    check_agreement,
    check_overlap,
)
from ppcn.registration.register import Evidence, examine_pair
from ppcn.registration.same_scene import Appearance, describe_photo

# What numerical libraries raise for data that nobody foresaw.
UNFORESEEN = (
    cv2.error,
    ArithmeticError,
    IndexError,
    MemoryError,
    ValueError,
    np.linalg.LinAlgError,
)

REJECTED_BY_HAND = Rejection(RejectionReason.BY_HAND, "rejected by hand")
# What a decision may have done to a pair, as metrics name it.
EFFECTS = ("rejected", "accepted", "from_points", "without_effect")


@dataclass(frozen=True)
class AlignTask:
    """Arguments of `align_files`.

    Attributes:
        pair: the photos.
        root: folder of photo folders.
        params: the `align` group of params.yaml.
        scratch: folder of the shards.
        decision: what a person decided about the pair, if anything.
    """

    pair: Pair
    root: Path
    params: Align
    scratch: Path
    decision: Decision | None = None

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
        digests = [photo_digest(path) for path in pair.photos]

        def write(path: Path) -> None:
            phone, reference = map(read_photo, pair.photos)
            alignment = examine_as_decided(phone, reference, task.params, task.decision)[0]
            with create_alignments(path, task.root, {}) as writer:
                writer.add(pair, alignment, digests)
                if not alignment.rejection:
                    appearance = describe_photo(phone, capture_time(pair.phone))
                    writer.add_appearance(pair.stem, appearance)

        settings = (pair.stem, task.params, task.decision)
        shard, was_cached = get_or_compute(task.scratch, digests, settings, write)
    except UserError as error:
        sentence = str(error).replace(f"{task.root}/", "")
        return Aligned(None, _unless_by_hand(task, RejectionReason.UNREADABLE_PHOTO, sentence))
    except UNFORESEEN as error:
        sentence = f"cannot be aligned ({type(error).__name__}: {error})"
        return Aligned(None, _unless_by_hand(task, RejectionReason.COMPUTATION_FAILED, sentence))
    return Aligned(shard, was_cached=was_cached)


def _unless_by_hand(task: AlignTask, reason: RejectionReason, sentence: str) -> Rejection:
    """A rejection for a reason, or by hand where a person decided so."""
    by_hand = task.decision and task.decision.verdict is Verdict.REJECT
    return REJECTED_BY_HAND if by_hand else Rejection(reason, sentence)


def examine_as_decided(
    phone: Photo, reference: Photo, params: Align, decision: Decision | None
) -> tuple[Alignment, Evidence]:
    """Align one pair as a person decided.

    Args:
        phone: (H, W, 3) uint8 RGB.
        reference: (H', W', 3) uint8 RGB.
        params: the `align` group of params.yaml.
        decision: None if nothing was decided about the pair.

    Returns:
        An alignment, and what it was accepted or rejected by. One that was rejected by hand has the
        numbers and the homography that it would have had.
    """
    if decision is None:
        return examine_pair(phone, reference, params)
    if decision.verdict is Verdict.POINTS:
        return align_from_points(phone, reference, decision.array, params)
    accepts = decision.verdict is Verdict.ACCEPT
    alignment, evidence = examine_pair(phone, reference, params, is_accepted=accepts)
    return (alignment if accepts else alignment.reject(REJECTED_BY_HAND)), evidence


class AlignmentMerger:
    """Puts what became of the pairs, one after another, into one alignment file.

    Args:
        writer: of the file.
        params: the `align` group of params.yaml.

    Attributes:
        rows: of the table of pairs.
        rejections: of the pairs that must not be used, by stem.
        cached: number of pairs that an earlier run had done.
    """

    def __init__(self, writer: AlignmentWriter, params: Align) -> None:
        self._writer, self._params = writer, params
        self.rows: list[dict[str, Any]] = []
        self.rejections: dict[str, Rejection] = {}
        self.cached = 0
        self._appearances: dict[str, Appearance] = {}
        self._named: dict[str, str] = {}
        self._effects: Counter[str] = Counter()

    def add(self, pair: Pair, result: Aligned, decision: Decision | None = None) -> None:
        """Store what became of a pair.

        Args:
            pair: the photos.
            result: of `align_files`.
            decision: what a person decided about it, if anything.
        """
        if result.shard is None:
            alignment, digests = Alignment((0, 0), (0, 0), rejection=result.rejection), ["", ""]
        else:
            with open_alignments(result.shard) as one:
                alignment, digests = one[pair.stem], one.digests(pair.stem)
                if not alignment.rejection:
                    self._appearances[pair.stem] = one.appearance(pair.stem)
                    self._named[pair.stem] = pair.scene
        self._writer.add(pair, alignment, digests)
        self.rows.append(alignment_row(pair.stem, alignment))
        self.cached += result.was_cached
        if decision:
            self._effects[self._effect(decision, alignment)] += 1
        if alignment.rejection:
            self.rejections[pair.stem] = alignment.rejection

    def find_scenes(self) -> None:
        """Find out which pairs show one scene, and store it; rejected pairs are alone."""
        scenes = {row["stem"]: row["stem"] for row in self.rows}
        scenes |= find_scenes(self._appearances, self._named)
        self._writer.note_scenes(scenes)
        for row in self.rows:
            row["scene"] = scenes[row["stem"]]

    def summary(self, unpaired: dict[str, str]) -> dict[str, Any]:
        """The metrics of all pairs.

        Args:
            unpaired: why photos have no partner, by file.
        """
        summary = summarise_alignments(self.rows, self.rejections, unpaired)
        if self._effects:
            summary["decisions"] = {name: self._effects[name] for name in EFFECTS}
        return summary

    def _effect(self, decision: Decision, alignment: Alignment) -> str:
        """What a decision did to a pair, one of `EFFECTS`."""
        if decision.verdict is Verdict.REJECT:
            return "rejected"
        if alignment.rejection:
            return "without_effect"
        if decision.verdict is Verdict.POINTS:
            return "from_points"
        return "accepted" if self._fails_a_gate(alignment) else "without_effect"

    def _fails_a_gate(self, alignment: Alignment) -> bool:
        """Whether a finished alignment would be rejected but for a person's decision."""
        overlap = check_overlap(alignment.overlap(), self._params)
        return bool(overlap or check_agreement(alignment.agreement, self._params))
