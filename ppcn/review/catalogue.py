"""The pairs of an alignment file in the order in which a person should look at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ppcn.dataset.alignment_set import AlignmentSet, open_alignments
from ppcn.dataset.pairs import Pair
from ppcn.registration.alignment import Alignment
from ppcn.registration.pair_gates import Rejection


@dataclass(frozen=True)
class Entry:
    """One pair.

    Attributes:
        pair: its stem and photos.
        outline: its numbers and crop; neither homography nor displacement.
        digests: SHA-256 of the photos that were aligned; empty where they could not be read.
    """

    pair: Pair
    outline: Alignment
    digests: tuple[str, ...]

    @property
    def stem(self) -> str:
        """What the pair is called."""
        return self.pair.stem

    @property
    def rejection(self) -> Rejection | None:
        """Why it must not be used, as its alignment has it."""
        return self.outline.rejection


@dataclass(frozen=True)
class Catalogue:
    """The pairs of a phone, the most doubtful first.

    Attributes:
        path: the alignment file.
        reference: folder name of the better camera.
        entries: the pairs.
    """

    path: Path
    reference: str
    entries: Sequence[Entry]

    def alignment(self, index: int) -> Alignment:
        """The whole geometry of the pair in a place of `entries`."""
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
        entries = [_entry(alignments, stem, root) for stem in alignments.stems]
        return Catalogue(path, alignments.reference, sorted(entries, key=doubt))


def doubt(entry: Entry) -> tuple[bool, float, float, str]:
    """What sorts the most doubtful pairs first.

    Rejected pairs come first; then those whose photos agree least; where they agree alike, to a
    per cent, those with the largest residual.
    """
    outline = entry.outline
    agreement = round(outline.agreement, 2)
    return outline.is_accepted, agreement, -outline.residual_px, entry.stem


def _entry(alignments: AlignmentSet, stem: str, root: Path) -> Entry:
    digests = tuple(alignments.digests(stem))
    return Entry(alignments.pair(stem, root), alignments.outline(stem), digests)
