"""The pairs of an alignment file in the order in which a person should look at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ppcn.dataset.alignment_set import open_alignments
from ppcn.dataset.pairs import Pair
from ppcn.registration.alignment import Alignment


@dataclass(frozen=True)
class Entry:
    """One pair, as far as a list of thousands needs it.

    Attributes:
        stem: what it is called.
        is_accepted: whether its alignment was.
        agreement: share of the textured area in which the two photos correlate.
        residual_px: median distance of the inliers from the mapping, phone px.
    """

    stem: str
    is_accepted: bool
    agreement: float
    residual_px: float


@dataclass(frozen=True)
class Catalogue:
    """The pairs of a phone, the most doubtful first.

    Attributes:
        path: the alignment file.
        root: folder of photo folders.
        reference: folder name of the better camera.
        entries: the pairs.
    """

    path: Path
    root: Path
    reference: str
    entries: Sequence[Entry]

    def pair(self, index: int) -> Pair:
        """The photos of the pair in a place of `entries`."""
        with open_alignments(self.path) as alignments:
            return alignments.pair(self.entries[index].stem, self.root)

    def digests(self, index: int) -> tuple[str, ...]:
        """SHA-256 of the photos that were aligned; empty where they could not be read."""
        with open_alignments(self.path) as alignments:
            return tuple(alignments.digests(self.entries[index].stem))

    def outline(self, index: int) -> Alignment:
        """The numbers and the crop of a pair."""
        with open_alignments(self.path) as alignments:
            return alignments.outline(self.entries[index].stem)

    def alignment(self, index: int) -> Alignment:
        """The whole geometry of a pair."""
        with open_alignments(self.path) as alignments:
            return alignments[self.entries[index].stem]


def read_catalogue(path: Path, root: Path) -> Catalogue:
    """Read which pairs there are.

    Args:
        path: the alignment file.
        root: folder of photo folders.

    Raises:
        FileError: the file is missing, unfinished or of another kind.
    """
    with open_alignments(path) as alignments:
        entries = [Entry(stem, *alignments.scores(stem)) for stem in alignments.stems]
        return Catalogue(path, root, alignments.reference, sorted(entries, key=doubt))


def doubt(entry: Entry) -> tuple[bool, float, float, str]:
    """What sorts the most doubtful pairs first.

    Rejected pairs come first; then those whose photos agree least; where they agree alike, to a
    per cent, those with the largest residual.
    """
    return entry.is_accepted, round(entry.agreement, 2), -entry.residual_px, entry.stem
