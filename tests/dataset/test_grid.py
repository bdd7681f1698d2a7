import itertools

import numpy as np
import pytest

from ppcn.dataset.grid import place_windows
from ppcn.params import Params, Patches


def _settings(params: Params, grid: str, size: int = 8) -> Patches:
    return params.patches.model_copy(update={"grid": grid, "size": size})


def _scene(seed: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A photo, and another that is the same in some rectangles only."""
    random = np.random.default_rng(seed)
    phone = random.uniform(0, 255, (height, width)).astype(np.float32)
    warped = random.uniform(0, 255, (height, width)).astype(np.float32)
    for _ in range(6):
        y, x = random.integers(0, height - 12), random.integers(0, width - 12)
        place = np.s_[y : y + random.integers(8, 24), x : x + random.integers(8, 24)]
        warped[place] = phone[place]
    return phone, warped


def _passes(phone: np.ndarray, warped: np.ndarray, x: int, y: int, size: int) -> bool:
    a, b = (photo[y : y + size, x : x + size].ravel() for photo in (phone, warped))
    return bool(len(a) == size * size and np.corrcoef(a, b)[0, 1] > 0.9)


def _count(phone: np.ndarray, warped: np.ndarray, corners: list[tuple[int, int]]) -> int:
    return sum(_passes(phone, warped, x, y, 8) for x, y in corners)


@pytest.mark.parametrize("seed", range(5))
def test_windows_do_not_overlap_and_each_rule_passes_more(params: Params, seed: int) -> None:
    phone, warped = _scene(seed, 60, 90)
    valid_mask = np.ones(phone.shape, bool)
    passed = []
    for grid in ("dped", "offset", "packed"):
        corners = place_windows(phone, warped, valid_mask, (0, 0, 90, 60), _settings(params, grid))
        taken = np.zeros(phone.shape, int)
        for x, y in corners:
            assert 0 <= x <= 82
            assert 0 <= y <= 52
            taken[y : y + 8, x : x + 8] += 1
        assert taken.max() == 1
        passed.append(_count(phone, warped, corners))
    assert passed[0] <= passed[1] <= passed[2]
    assert passed[2] > 0


@pytest.mark.parametrize("seed", range(5))
def test_packing_against_exhaustive_search_of_rows(params: Params, seed: int) -> None:
    """Every way to lay rows and windows within them, corners at multiples of 4 px."""
    phone, warped = _scene(seed, 24, 40)
    valid_mask = np.ones(phone.shape, bool)
    corners = place_windows(phone, warped, valid_mask, (0, 0, 40, 24), _settings(params, "packed"))

    def spaced(most: int) -> list[tuple[int, ...]]:
        places = range(0, most - 7, 4)
        every = (c for n in range(6) for c in itertools.combinations(places, n))
        return [c for c in every if all(b - a >= 8 for a, b in itertools.pairwise(c))]

    row = {
        y: max(sum(_passes(phone, warped, x, y, 8) for x in xs) for xs in spaced(40))
        for y in range(0, 17, 4)
    }
    best = max(sum(row[y] for y in ys) for ys in spaced(24))
    assert _count(phone, warped, corners) == best


def test_a_fixed_grid_begins_at_the_crop(params: Params) -> None:
    phone, warped = _scene(0, 60, 90)
    valid_mask = np.ones(phone.shape, bool)
    corners = place_windows(phone, warped, valid_mask, (5, 7, 32, 25), _settings(params, "dped"))
    assert corners == [(5, 7), (13, 7), (21, 7), (5, 15), (13, 15), (21, 15)]


@pytest.mark.parametrize("grid", ["offset", "packed"])
def test_windows_that_the_reference_does_not_see_are_not_placed(params: Params, grid: str) -> None:
    phone, warped = _scene(1, 60, 90)
    valid_mask = np.zeros(phone.shape, bool)
    valid_mask[11:40, 30:70] = True
    corners = place_windows(phone, warped, valid_mask, (30, 11, 70, 40), _settings(params, grid))
    assert corners
    assert all(valid_mask[y : y + 8, x : x + 8].all() for x, y in corners)
