"""Photo pairs of two cameras: found by file stem, aligned and cut, one task per pair."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ppcn.datasets import Patch
from ppcn.errors import UserError
from ppcn.geometry import Alignment, align_pair
from ppcn.images import list_photos, read_photo
from ppcn.params import Align, Patches
from ppcn.patches import cut_patches


@dataclass(frozen=True)
class Pair:
    """Two photos of the same moment."""

    stem: str
    phone: Path
    dslr: Path


def find_pairs(root: Path, phone: str, reference: str) -> tuple[list[Pair], list[str]]:
    """Pair <root>/<phone>/<stem>.* with <root>/<reference>/<stem>.*.

    Returns:
        The pairs in order of their stems, and the stems that only one camera has.

    Raises:
        UserError: a folder is missing or empty, or no stem is in both.
    """
    phones, dslrs = list_photos(root / phone), list_photos(root / reference)
    both = sorted(phones.keys() & dslrs.keys())
    if not both:
        raise UserError(
            f"{root}: no photo of {phone}/ has the same name as one of {reference}/; "
            "pairs are matched by file name without its ending"
        )
    pairs = [Pair(stem, phones[stem], dslrs[stem]) for stem in both]
    return pairs, sorted(phones.keys() ^ dslrs.keys())


@dataclass(frozen=True)
class AlignTask:
    """Arguments of `align_files`."""

    pair: Pair
    params: Align


def align_files(task: AlignTask) -> Alignment:
    """Align one pair; a photo that cannot be read refuses the pair with its reason."""
    try:
        phone, dslr = read_photo(task.pair.phone), read_photo(task.pair.dslr)
    except UserError as error:
        return Alignment(str(error), (0, 0), (0, 0))
    return align_pair(phone, dslr, task.params)


@dataclass(frozen=True)
class CutTask:
    """Arguments of `cut_files`."""

    pair: Pair
    alignment: Alignment
    params: Patches


def cut_files(task: CutTask) -> tuple[list[Patch], Counter[str]]:
    """Cut the patches of one aligned pair.

    Raises:
        UserError: a photo is damaged, or is not the one that was aligned.
    """
    phone, dslr = read_photo(task.pair.phone), read_photo(task.pair.dslr)
    sizes = ((phone.shape[1], phone.shape[0]), (dslr.shape[1], dslr.shape[0]))
    if sizes != (task.alignment.phone_size, task.alignment.dslr_size):
        raise UserError(f"{task.pair.phone}: changed since it was aligned; run align again")
    return cut_patches(phone, dslr, task.alignment, task.params)
