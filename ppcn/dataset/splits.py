"""Photos set aside for validation and test: by scene, never by patch."""

import hashlib
from collections.abc import Mapping, Sequence

from ppcn.errors import UserError
from ppcn.files.names import matching_name, padded_name
from ppcn.params import Split

TRAIN, VALIDATION, TEST = 0, 1, 2
SPLIT_NAMES = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}


def assign_splits(
    stems: Sequence[str],
    split: Split,
    seed: int,
    key: str = "patches.split",
    scenes: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """Set photos aside for validation and test, all photos of a scene alike.

    A share takes the scenes whose seeded digest is smallest, so that adding a photo moves few
    others: those that fit into the share, or the smallest one. A share that is not 0 takes some.

    Args:
        stems: the photos.
        split: shares or lists.
        seed: of the choice.
        key: the parameter that errors name.
        scenes: of each photo the name of its scene; by default each photo is one.

    Raises:
        UserError: a listed stem does not exist or is listed twice, a list has some of a scene's
            photos alone, or no photo is left to train.
    """
    groups: dict[str, list[str]] = {}
    for stem in stems:
        groups.setdefault(scenes[stem] if scenes else stem, []).append(stem)
    order = sorted(groups, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    chosen: dict[str, int] = {}
    for kind, wanted in ((TEST, split.test), (VALIDATION, split.validation)):
        if isinstance(wanted, list):
            _choose_listed(wanted, kind, stems, chosen, key)
        elif wanted:
            free = [groups[name] for name in order if groups[name][0] not in chosen]
            for group in _whole_groups(free, max(1, round(wanted * len(stems)))):
                chosen |= dict.fromkeys(group, kind)
        _check_whole(groups, chosen, key)
    if len(chosen) >= len(stems):
        show = f" show {len(groups)} scenes, which" if len(groups) < len(stems) else ""
        raise UserError(
            f"{len(stems)} photos{show} leave none to train on; add photos, or lower {key} or set "
            "it to 0"
        )
    return {stem: chosen.get(stem, TRAIN) for stem in stems}


def count_splits(splits: Mapping[str, int], scenes: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """How many photos and how many scenes are in each split.

    Args:
        splits: of each photo, from `assign_splits`.
        scenes: of each photo the name of its scene.
    """
    photos = {
        name: [stem for stem in splits if splits[stem] == kind]
        for kind, name in SPLIT_NAMES.items()
    }
    return {
        "photos": {name: len(stems) for name, stems in photos.items()},
        "scenes": {name: len({scenes[stem] for stem in stems}) for name, stems in photos.items()},
    }


def _whole_groups(groups: Sequence[list[str]], photos: int) -> list[list[str]]:
    """The first groups that together have so many photos at most; the smallest if none does."""
    taken: list[list[str]] = []
    for group in groups:
        if len(group) <= photos:
            taken.append(group)
            photos -= len(group)
    return taken or sorted(groups, key=len)[:1]


def _choose_listed(
    names: Sequence[str], kind: int, stems: Sequence[str], chosen: dict[str, int], key: str
) -> None:
    """Put the photos that a list names into a split."""
    for name in names:
        stem = matching_name(name, stems)
        if stem is None:
            padded = padded_name(name, stems)
            advice = f"; if '{padded}' is meant, write it in quotes" if padded else ""
            raise UserError(f"{key} names '{name}', which is no aligned photo{advice}")
        if stem in chosen:
            raise UserError(f"{key} names '{name}' twice")
        chosen[stem] = kind


def _check_whole(groups: Mapping[str, list[str]], chosen: Mapping[str, int], key: str) -> None:
    """Make sure that no scene is torn apart by a list."""
    for group in groups.values():
        kinds = {stem: chosen.get(stem, TRAIN) for stem in group}
        if len(set(kinds.values())) > 1:
            named = next(stem for stem in group if kinds[stem] != TRAIN)
            others = ", ".join(f"'{s}'" for s in group if kinds[s] != kinds[named])
            raise UserError(
                f"{key} sets '{named}' aside for {SPLIT_NAMES[kinds[named]]} without {others} of "
                "the same scene; list all of these for one split or none"
            )
