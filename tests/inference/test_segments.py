"""Networks cut at their statistics, against the networks themselves."""

import pytest
import torch
from conftest import make_network
from torch import nn

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
def test_cutting_at_the_photos_own_statistics_alone(name: str) -> None:
    network, x = make_network(name), photo(50, 66)
    chain = cut_at_statistics(network, of_photo_alone=True)
    assert {statistic.of for statistic in chain.statistics} <= {PHOTO}
    assert bool(chain.statistics) == (name in ("ppcn_teacher", "ppcn_student"))
    assert torch.allclose(run(chain, x), network(x), atol=1e-5)
