"""Which photos show one scene, so that all of them go to one split.

Which pairs are compared by keypoints is chosen beforehand, so that their number grows with the
photos', not with its square: photos with the most visual words in common (Sivic and Zisserman
2003), and neighbours in time and by name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ppcn.errors import UserError
from ppcn.photos.decode import capture_time, read_photo
from ppcn.registration.same_scene import COPY, Appearance, describe_photo, show_one_scene

# Photos most like it with which each is compared, and rows of the table of likeness at a time.
COMPARED, BLOCK = 8, 512
# Visual words, at most, and keypoints for each at least.
WORDS, KEYPOINTS_PER_WORD = 4096, 4


class _Groups:
    """Photos by index, joined as it turns out that they show one scene.

    Args:
        names: what the user calls each photo's scene; "" if nothing. Scenes of two names stay
            apart.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._first = list(range(len(names)))
        self._names = list(names)
        of_name: dict[str, int] = {}
        for photo, name in enumerate(names):
            if name:
                self.join(of_name.setdefault(name, photo), photo)

    def first(self, photo: int) -> int:
        """The first photo of a photo's scene."""
        while self._first[photo] != photo:
            self._first[photo] = photo = self._first[self._first[photo]]
        return photo

    def may_join(self, photo: int, other: int) -> bool:
        """Whether two photos are of two scenes that the user has not told apart."""
        first, second = self.first(photo), self.first(other)
        names = {self._names[first], self._names[second]} - {""}
        return first != second and len(names) < 2

    def join(self, photo: int, other: int) -> None:
        """Make one scene of two photos'."""
        first, second = sorted((self.first(photo), self.first(other)))
        self._first[second] = first
        self._names[first] = self._names[first] or self._names[second]


def scenes_of_files(photos: Iterable[tuple[str, Path]]) -> dict[str, str]:
    """The scene of each photo by stem, as `find_scenes` has it; every photo is read once.

    A photo that cannot be read is a scene of its own.
    """
    appearances, unreadable = {}, {}
    for stem, path in photos:
        try:
            appearances[stem] = describe_photo(read_photo(path), capture_time(path))
        except UserError:
            unreadable[stem] = stem
    return find_scenes(appearances) | unreadable


def find_scenes(
    appearances: Mapping[str, Appearance], named: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Group photos that show the same, and photos that show the same as one of these, and so on.

    Args:
        appearances: of the photos, by stem.
        named: what the user calls the scenes of some of them. Scenes of two names stay apart;
            photos without a name join either.

    Returns:
        The scene of each photo, by stem: the stem of the scene's first photo.
    """
    stems = sorted(appearances)
    photos = [appearances[stem] for stem in stems]
    groups = _Groups([(named or {}).get(stem, "") for stem in stems])
    for photo, other in _copies(photos):
        if groups.may_join(photo, other):
            groups.join(photo, other)
    words = _visual_words(photos)
    compared: set[tuple[int, int]] = set()
    has_joined = True
    while has_joined:
        has_joined = False
        for pair in sorted({*_neighbours(photos), *_alike(words, groups)} - compared):
            compared.add(pair)
            if groups.may_join(*pair) and show_one_scene(photos[pair[0]], photos[pair[1]]):
                groups.join(*pair)
                has_joined = True
    return {stem: stems[groups.first(photo)] for photo, stem in enumerate(stems)}


def _copies(photos: Sequence[Appearance]) -> Iterator[tuple[int, int]]:
    """Pairs whose hashes are nearly the same."""
    if not photos:
        return
    signs = np.array([np.where(photo.hashed, 1, -1) for photo in photos], np.float32)
    least = signs.shape[1] * (1 - 2 * COPY)
    for start in range(0, len(photos), BLOCK):
        agreeing = np.triu(signs[start : start + BLOCK] @ signs.T >= least, start + 1)
        for row, other in np.argwhere(agreeing):
            yield start + int(row), int(other)


def _neighbours(photos: Sequence[Appearance]) -> Iterator[tuple[int, int]]:
    """Pairs next to each other by name, and by the camera's clock."""
    yield from pairwise(range(len(photos)))
    dated = [
        (photo.taken.replace(tzinfo=None), number)
        for number, photo in enumerate(photos)
        if photo.taken
    ]
    for (_, first), (_, second) in pairwise(sorted(dated)):
        yield min(first, second), max(first, second)


def _visual_words(photos: Sequence[Appearance]) -> csr_matrix:
    """(photos, words) how often each word is in a photo, rare words weighing more, of length 1.

    The words are keypoints of the photos themselves, drawn evenly; a keypoint is the word that is
    nearest.
    """
    every = np.concatenate([np.zeros((0, 128), np.uint8), *(p.descriptors for p in photos)])
    count = min(WORDS, len(every) // KEYPOINTS_PER_WORD)
    if not count:
        return csr_matrix((len(photos), 1), dtype=np.float32)
    chosen = np.random.default_rng(0).choice(len(every), count, replace=False)
    vocabulary = every[np.sort(chosen)].astype(np.float32)
    # Whole numbers below 2 ** 24: exact, whatever the order in which they are added up.
    squares = (vocabulary**2).sum(1)
    rows: list[NDArray[np.int64]] = []
    for photo in photos:
        near = squares - 2 * (photo.descriptors.astype(np.float32) @ vocabulary.T)
        rows.append(near.argmin(1) if len(near) else np.zeros(0, np.int64))
    photo_of = np.repeat(np.arange(len(photos)), [len(row) for row in rows])
    ones = np.ones(len(photo_of), np.float32)
    table = csr_matrix((ones, (photo_of, np.concatenate(rows))), (len(photos), count))
    table.sum_duplicates()
    photos_with = np.maximum(np.bincount(table.indices, minlength=count), 1)
    table.data *= np.log(1 + len(photos) / photos_with).astype(np.float32)[table.indices]
    lengths = np.sqrt(np.asarray(table.multiply(table).sum(1)).ravel())
    table.data /= np.repeat(np.maximum(lengths, 1e-9), np.diff(table.indptr)).astype(np.float32)
    return table


def _alike(words: csr_matrix, groups: _Groups) -> Iterator[tuple[int, int]]:
    """For each photo those of other scenes that have the most words in common with it."""
    count = words.shape[0]
    scenes = np.array([groups.first(photo) for photo in range(count)])
    for start in range(0, count, BLOCK):
        likeness = (words[start : start + BLOCK] @ words.T).toarray()
        likeness[scenes[start : start + BLOCK, None] == scenes] = 0
        for row, line in enumerate(likeness):
            best = np.argsort(-line, kind="stable")[:COMPARED]
            for other in best[line[best] > 0]:
                yield min(start + row, int(other)), max(start + row, int(other))
