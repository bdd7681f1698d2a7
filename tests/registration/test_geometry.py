import numpy as np
import pytest

from ppcn.registration.alignment import Alignment, common_crop
from ppcn.registration.geometry import (
    inside,
    largest_rectangle,
    low_pass,
    square_centres,
    transform_points,
)


def _bent(size: tuple[int, int] = (200, 160)) -> Alignment:
    """A pair with perspective and a smooth displacement."""
    warp = np.array([[1.21, 0.03, 10.0], [-0.02, 1.19, 5.0], [1e-5, -2e-5, 1.0]])
    field = np.random.default_rng(0).uniform(-2, 2, (20, 25, 2)).astype(np.float32)
    return Alignment(size, (300, 250), homography=warp, displacement=field, step=8)


@pytest.mark.parametrize("count", [0, 1, 40000])
def test_any_number_of_points_can_be_mapped(count: int) -> None:
    alignment = _bent()
    points = np.random.default_rng(1).uniform(0, 150, (count, 2))
    mapped = alignment.to_reference(points)
    assert mapped.shape == (count, 2)
    if count:
        assert np.array_equal(mapped[-1:], alignment.to_reference(points[-1:]))


def test_a_displacement_holds_in_the_middle_of_its_square_and_is_linear_between() -> None:
    alignment = _bent()
    nodes = square_centres(range(25), range(20), 8)
    assert np.array_equal(nodes[0, :2], [[3.5, 3.5], [11.5, 3.5]])
    exact = transform_points(alignment.homography, nodes + alignment.displacement)
    assert alignment.to_reference(nodes) == pytest.approx(exact, abs=1e-4)
    between = (nodes[4, 5] + nodes[4, 6]) / 2
    mean = (alignment.displacement[4, 5] + alignment.displacement[4, 6]) / 2
    expected = transform_points(alignment.homography, between + mean)
    assert alignment.to_reference(between) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("place", [(0, 0, 200, 160), (-7, -7, 90, 33), (101, 57, 99, 103)])
def test_a_source_map_is_the_mapping_of_every_pixel(place: tuple[int, int, int, int]) -> None:
    x, y, width, height = place
    alignment = _bent()
    straight = Alignment((200, 160), (300, 250), homography=alignment.homography)
    points = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1) + np.array(
        [x, y], float
    )
    mapped = straight.source_map(x, y, width, height)
    assert mapped.shape == (height, width, 2)
    assert mapped == pytest.approx(straight.to_reference(points), abs=1e-2)
    assert (
        np.abs(alignment.source_map(x, y, width, height) - alignment.to_reference(points)).max()
        < 0.02
    )


def test_the_common_crop_lies_on_both_photos() -> None:
    shifted = np.array([[1.0, 0, -50], [0, 1, -30], [0, 0, 1]])
    alignment = Alignment((200, 160), (200, 160), homography=shifted)
    x0, y0, x1, y1 = common_crop(alignment)
    assert (x0, y0, x1, y1) == (56, 32, 200, 160)
    corners = np.array([[x0, y0], [x1 - 1, y1 - 1]], float)
    assert inside(alignment.to_reference(corners), alignment.reference_size).all()
    nothing = Alignment((200, 160), (8, 8), homography=shifted)
    assert common_crop(nothing) == (0, 0, 0, 0)


@pytest.mark.parametrize("seed", range(20))
def test_largest_rectangle_against_exhaustive_search(seed: int) -> None:
    mask = np.random.default_rng(seed).random((6, 7)) < 0.7
    best = 0
    for y0 in range(6):
        for x0 in range(7):
            for y1 in range(y0 + 1, 7):
                for x1 in range(x0 + 1, 8):
                    if mask[y0:y1, x0:x1].all():
                        best = max(best, (y1 - y0) * (x1 - x0))
    x0, y0, x1, y1 = largest_rectangle(mask)
    assert mask[y0:y1, x0:x1].all()
    assert (y1 - y0) * (x1 - x0) == best


def test_low_pass_only_where_it_shrinks(scene: np.ndarray) -> None:
    assert low_pass(scene, 1.0) is scene
    assert low_pass(scene, 3.0).std() < scene.std()
