"""What a worker does to align one photo pair: read it, align it, keep the result."""

from dataclasses import dataclass
from pathlib import Path

from ppcn.align import align_pair
from ppcn.alignments import create_alignments
from ppcn.errors import UserError
from ppcn.geometry import Alignment
from ppcn.images import read_photo
from ppcn.pairs import Pair
from ppcn.params import Align
from ppcn.shards import keep


@dataclass(frozen=True)
class AlignTask:
    """Arguments of `align_files`.

    Attributes:
        pair: the photos.
        params: the `align` group of params.yaml.
        scratch: folder of the shards.
    """

    pair: Pair
    params: Align
    scratch: Path

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.pair.stem


def align_files(task: AlignTask) -> tuple[Path, bool]:
    """Align one pair; a photo that cannot be read refuses the pair with its reason.

    Returns:
        Its shard, an alignment file of one pair, and whether an earlier run had made it.
    """
    pair = task.pair

    def write(path: Path) -> None:
        try:
            found = align_pair(read_photo(pair.phone), read_photo(pair.dslr), task.params)
        except UserError as error:
            found = Alignment(str(error), (0, 0), (0, 0))
        with create_alignments(path, pair.phone.parent, {}) as writer:
            writer.add(pair, found)

    return keep(task.scratch, [pair.phone, pair.dslr], (pair.stem, task.params), write)
