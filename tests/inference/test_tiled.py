"""Tiles against the whole photo."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import make_network, mostly_slow, textured
from torch import nn

import ppcn.inference.tile_grid
import ppcn.inference.tiled
from ppcn.inference.photo_rows import ArrayRows
from ppcn.inference.tile_grid import choose_tiles, cut
from ppcn.inference.tiled import Report, Tiled
from ppcn.networks import NETWORKS
from ppcn.networks.devices import choose_device, place
from ppcn.networks.layers import PhotoMean

# What each network sees around a pixel, px, counted by hand from kernels, dilations and scales.
RADII = {
    "ppcn_teacher": 3 + 1 + 1 + 2 + 2 + 1,
    "ppcn_student": 3 + 6 + 1,
    "srcnn": 4 + 2 + 2,
    "dped_resnet_12_64": 4 + 4 * 2 + 2 + 4,
    "vdsr": 20,
}


def whole_of(tiled: Tiled, photo: ArrayRows, *report: Report) -> torch.Tensor:
    """Put the pieces together, each pixel of which comes once."""
    size = (photo.height * tiled.scale, photo.width * tiled.scale, 3)
    result = torch.full(size, torch.nan)
    for top, left, pixels in tiled.tiles(photo, *report):
        place = result[top : top + pixels.shape[0], left : left + pixels.shape[1]]
        assert place.isnan().all()
        place.copy_(pixels)
    assert not result.isnan().any()
    return result


def rounded_over(result: torch.Tensor, exact: torch.Tensor) -> float:
    """Share of values that round to another grey level, were they spread evenly between two."""
    return 255 * (result.double().clamp(0, 1) - exact.clamp(0, 1)).abs().mean().item()


# One network each of those that enhance, shuffle pixels, sharpen and enlarge.
QUICK = ("ppcn_student", "mux_high_performance", "ppcn_sr", "fsrcnn")


@pytest.mark.parametrize("memory", [1, 2**40], ids=["in tiles", "maps kept"])
@pytest.mark.parametrize("name", mostly_slow(NETWORKS, QUICK))
@pytest.mark.parametrize(
    ("size", "pixels"), [((70, 90), 40**2), ((3, 500), 600), ((301, 5), 600)], ids=str
)
def test_tiles_give_what_the_whole_photo_gives(
    name: str, size: tuple[int, int], pixels: int, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, photo = make_network(name), ArrayRows(textured(*size))
    with torch.no_grad():
        x = torch.tensor(photo.pixels).permute(2, 0, 1)[None].double() / 255
        exact = network.double()(x)[0].permute(1, 2, 0)
        place(network.float())
        whole = network(x.float().to(choose_device()))[0].permute(1, 2, 0).cpu()
    tiled = Tiled(network, memory)
    monkeypatch.setattr(ppcn.inference.tiled, "STRIP_BYTES", pixels * tiled.bytes_per_pixel)
    monkeypatch.setattr(ppcn.inference.tile_grid, "STRIP_RADII", 2)
    tiled._memory = max(memory, pixels * tiled.bytes_per_pixel)
    done = []
    result = whole_of(tiled, photo, lambda count, total: done.append((count, total)))
    assert done[-1][0] == done[-1][1] >= (1 if memory > 1 else 2)
    assert torch.allclose(result.double(), exact, atol=1e-5)
    # Fresh weights of two networks round more than that over in float32, however it is computed.
    assert rounded_over(result, exact) <= max(1e-4, 1.25 * rounded_over(whole, exact))


@pytest.mark.parametrize("memory", [1, 2**40], ids=["in tiles", "maps kept"])
@pytest.mark.parametrize("name", ["ppcn_student", "mux_high_performance"])
@pytest.mark.parametrize("size", [(70, 90), (1, 1), (9, 300)], ids=str)
def test_tiles_of_a_mirrored_photo_show_no_border(
    name: str, size: tuple[int, int], memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, photo = make_network(name), ArrayRows(textured(*size))
    network.padding = "mirror"
    x = torch.tensor(photo.pixels).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        whole = network(x)[0].permute(1, 2, 0)
    tiled = Tiled(network, memory)
    assert network.padding == "mirror"
    monkeypatch.setattr(ppcn.inference.tiled, "STRIP_BYTES", 2000 * tiled.bytes_per_pixel)
    monkeypatch.setattr(ppcn.inference.tile_grid, "STRIP_RADII", 2)
    tiled._memory = max(memory, 40**2 * tiled.bytes_per_pixel)
    assert torch.allclose(whole_of(tiled, photo), whole, atol=2e-5)


def test_one_photo_does_not_colour_the_next() -> None:
    tiled = Tiled(make_network("ppcn_student"))
    tiled._memory = tiled.bytes_per_pixel * 60**2
    photo = ArrayRows(textured(100, 120))
    first = whole_of(tiled, photo)
    whole_of(tiled, ArrayRows(255 - photo.pixels))
    assert torch.equal(first, whole_of(tiled, photo))


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_other_depths_are_read_alike(kind: type) -> None:
    pixels = textured(40, 50)
    white = 65535 if kind is np.uint16 else 1
    deep = (pixels * (white / 255)).astype(kind)
    tiled = Tiled(make_network("ppcn_student"))
    expected, result = (whole_of(tiled, ArrayRows(p)) for p in (pixels, deep))
    assert torch.allclose(expected, result, atol=1e-5)


@pytest.mark.parametrize(("name", "radius"), RADII.items())
def test_the_radius_is_what_kernels_add_up_to(name: str, radius: int) -> None:
    assert Tiled(make_network(name)).radius == radius


class Dark(nn.Module):
    """Takes off the mean of the photo."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = PhotoMean()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - self.mean(x)


def test_statistics_of_many_pixels_are_exact() -> None:
    """In float32 a sum over these would be off in the fourth digit."""
    pixels = np.full((2000, 3000, 3), 0.1, np.float32)
    pixels[-1, -1] = 1
    tiled = Tiled(Dark())
    tiled._memory = tiled.bytes_per_pixel * 256**2
    top = next(tiled.tiles(ArrayRows(pixels)))[2][0, 0].double()
    expected = np.float64(pixels[0, 0, 0]) - pixels.astype(np.float64).mean(axis=(0, 1))
    assert np.allclose(top, expected, atol=1e-8)


@pytest.mark.parametrize("group", [1, 4])
@pytest.mark.parametrize("length", [1, 3, 64, 1000, 1001, 4003])
@pytest.mark.parametrize(("window", "radius"), [(64, 10), (4, 62), (5000, 20)])
def test_cuts_cover_an_axis_once(length: int, window: int, radius: int, group: int) -> None:
    spans = cut(length, window, radius, group)
    assert (spans[0].start, spans[-1].stop) == (0, length)
    for before, after in pairwise(spans):
        assert before.stop == after.start
    for span in spans:
        assert span.start % group == span.reads_from % group == 0
        assert 0 <= span.reads_from <= span.start < span.stop <= span.reads_to <= length
        assert span.reads_from in (0, span.start) or span.reads_from <= span.start - radius
        assert span.reads_from < span.start or span.start == 0
        assert span.reads_to == length or span.reads_to >= span.stop + radius
    sizes = {span.reads_to - span.reads_from for span in spans}
    assert max(sizes) - min(sizes) < group


def test_tiles_are_as_large_as_memory_allows_and_overlap_little() -> None:
    rows, columns = choose_tiles(6000, 8000, radius=10, pixels=400_000)
    sizes = [
        (r.reads_to - r.reads_from) * (c.reads_to - c.reads_from) for r in rows for c in columns
    ]
    assert 200_000 < max(sizes) < 450_000
    assert sum(sizes) < 1.15 * 6000 * 8000
    rows, columns = choose_tiles(3, 100_000, radius=10, pixels=100_000)
    assert len(rows) == 1
    assert len(columns) < 10
