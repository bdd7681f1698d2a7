"""Networks cut at their statistics, and graphs rewritten, against the networks themselves."""

import numpy as np
import pytest
import torch
from conftest import make_network
from torch import fx, nn

from ppcn.inference.rewriting import (
    LANES,
    FusedConv,
    fill_lanes,
    fuse_activations,
    spread,
    without_rows_around,
)
from ppcn.inference.segments import PHOTO, Chain, cut_at_statistics
from ppcn.networks import NETWORKS
from ppcn.networks.layers import InstanceNorm, PhotoMean


def photo(height: int = 48, width: int = 64) -> torch.Tensor:
    return torch.rand((1, 3, height, width), generator=torch.Generator().manual_seed(1))


def run(chain: Chain, x: torch.Tensor) -> torch.Tensor:
    """All segments one after the other, statistics from the maps themselves."""
    maps = {PHOTO: x}
    noises = chain.maps(x)
    known: dict[str, torch.Tensor] = {}
    for number, segment in enumerate(chain.segments):
        inputs = [maps[name] for name in segment.maps]
        inputs += [known[name] for name in segment.statistics]
        inputs += [noises[noise.name] for noise in segment.noises]
        maps |= zip(segment.writes, segment.module(*inputs), strict=True)
        if number < len(chain.statistics):
            statistic = chain.statistics[number]
            of = maps[statistic.of].double()
            variance, mean = torch.var_mean(of, dim=(2, 3), correction=0, keepdim=True)
            known |= statistic.values(mean, variance)
    return maps[chain.result]


@torch.no_grad()
@pytest.mark.parametrize("name", NETWORKS)
def test_segments_add_up_to_the_network(name: str) -> None:
    network, x = make_network(name), photo(50, 66)
    chain = cut_at_statistics(network)
    wholes = [m for m in network.modules() if isinstance(m, InstanceNorm | PhotoMean)]
    assert len(chain.statistics) == len(chain.segments) - 1 == len(wholes)
    for segment in chain.segments:
        called = [node for node in segment.module.graph.nodes if node.op == "call_module"]
        kinds = {type(segment.module.get_submodule(str(node.target))) for node in called}
        assert not kinds & {InstanceNorm, PhotoMean}
    assert torch.allclose(run(chain, x), network(x), atol=1e-5)


@torch.no_grad()
def test_shapes_are_those_of_the_maps() -> None:
    chain = cut_at_statistics(make_network("mux_normal"))
    shapes = chain.shapes(50, 66)
    for name, x in chain.maps(photo(50, 66)).items():
        assert shapes[name] == tuple(x.shape[1:])
    assert shapes[PHOTO] == (3, 50, 66)


def test_the_peak_is_what_lives_at_once() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1), nn.Conv2d(4, 3, 1)).eval()
    assert cut_at_statistics(network).peak(10, 20) == (8 + 4) * 200 * 4


@torch.no_grad()
@pytest.mark.parametrize("name", NETWORKS)
def test_filled_lanes_compute_the_same(name: str) -> None:
    network, x = make_network(name), photo()
    module = cut_at_statistics(network).whole
    filled = fill_lanes(module)
    narrow = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.out_channels == 3]
    spreads = [node for node in filled.graph.nodes if node.target is spread]
    assert len(spreads) >= sum(m.kernel_size[1] > 1 for m in narrow)
    assert torch.allclose(filled(x)[0], network(x), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("outputs", [1, 2, 3, 5, 8])
def test_lanes_are_filled_as_far_as_they_go(outputs: int) -> None:
    conv = nn.Conv2d(4, outputs, (3, 7), padding="same", bias=outputs != 2)
    module = fx.symbolic_trace(nn.Sequential(conv, nn.ReLU()))
    filled = fill_lanes(module)
    (wide,) = (m for m in filled.modules() if isinstance(m, nn.Conv2d))
    assert LANES // 2 < wide.out_channels <= LANES
    x = torch.rand(2, 4, 9, 32)
    assert torch.allclose(filled(x), module(x), atol=1e-6)
    assert conv.out_channels == outputs


@torch.no_grad()
@pytest.mark.parametrize("name", ["ppcn_teacher", "ppcn_student", "srcnn", "resnet_8_32"])
def test_fused_activations_compute_the_same(name: str) -> None:
    network = make_network(name)
    x = photo().contiguous(memory_format=torch.channels_last)
    network.to(memory_format=torch.channels_last)
    fused = fuse_activations(cut_at_statistics(network).whole)
    assert any(isinstance(m, FusedConv) for m in fused.modules())
    assert torch.allclose(fused(x)[0], network(x), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", ["ppcn_teacher", "ppcn_student", "srcnn"])
def test_strips_within_compute_their_own_rows(name: str) -> None:
    chain = cut_at_statistics(make_network(name))
    for segment in chain.segments[1 if chain.statistics else 0 :]:
        inputs = chain.inputs(segment, photo())
        lower = without_rows_around(segment.module, inputs)
        assert lower is not None
        for few, many in zip(lower(*inputs), segment.module(*inputs), strict=True):
            around = (many.shape[2] - few.shape[2]) // 2
            rows = slice(around, many.shape[2] - around)
            assert torch.allclose(few, many[:, :, rows], atol=1e-5)


@pytest.mark.parametrize("name", ["vdsr", "ppcn_sr", "fsrcnn"])
def test_sums_of_maps_of_several_heights_are_left_alone(name: str) -> None:
    chain = cut_at_statistics(make_network(name))
    segment = chain.segments[-1]
    assert without_rows_around(segment.module, chain.inputs(segment, photo())) is None


@pytest.mark.parametrize("pixels", [2, 4])
def test_spreading_puts_channels_beside_each_other(pixels: int) -> None:
    x = np.arange(pixels * 3 * 5 * 2).reshape(1, pixels * 3, 5, 2)
    found = spread(torch.tensor(x), pixels).numpy()
    for pixel in range(pixels):
        assert np.array_equal(found[..., pixel::pixels], x[:, pixel * 3 : (pixel + 1) * 3])
