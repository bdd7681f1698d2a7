"""Rewritten graphs against those they were made of."""

import numpy as np
import pytest
import torch
from conftest import make_network
from torch import fx, nn
from torch.nn import functional as F

from ppcn.inference.graph_passes.activations import FusedConv, fuse_activations, without_tanh
from ppcn.inference.graph_passes.channels_last import TO_FIRST, TO_LAST, with_channels_last
from ppcn.inference.graph_passes.row_statistics import with_row_statistics
from ppcn.inference.graph_passes.simd_packing import (
    SIMD_WIDTH,
    channels_to_columns,
    with_simd_packing,
)
from ppcn.inference.graph_passes.split_concatenation import without_concatenation
from ppcn.inference.graph_passes.valid_rows import without_rows_around
from ppcn.inference.segments import cut_at_statistics
from ppcn.networks import NETWORKS


def photo(height: int = 48, width: int = 64) -> torch.Tensor:
    return torch.rand((1, 3, height, width), generator=torch.Generator().manual_seed(1))


def targets(module: fx.GraphModule) -> list[object]:
    return [node.target for node in module.graph.nodes]


@torch.no_grad()
@pytest.mark.parametrize("name", NETWORKS)
def test_tanh_becomes_a_sigmoid(name: str) -> None:
    network, x = make_network(name), photo()
    module = cut_at_statistics(network).whole
    without = without_tanh(module)
    assert torch.tanh not in targets(without)
    assert targets(without).count(torch.sigmoid) == targets(module).count(torch.tanh)
    assert torch.allclose(without(x)[0], network(x), atol=1e-6)
    assert torch.allclose(module(x)[0], network(x), atol=1e-6)


class _TwoTanhs(nn.Module):
    """One after a convolution that others read, too, and one of a map that was given."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = self.conv(x)
        return torch.tanh(y) * 3 + y, torch.tanh(x)


@torch.no_grad()
def test_tanh_of_a_map_that_others_read() -> None:
    module, x = fx.symbolic_trace(_TwoTanhs()), 6 * photo() - 3
    for result, expected in zip(without_tanh(module)(x), module(x), strict=True):
        assert torch.allclose(result, expected, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("name", NETWORKS)
def test_channels_last_compute_the_same(name: str) -> None:
    chain, x = cut_at_statistics(make_network(name)), photo()
    for segment in chain.segments:
        inputs = chain.inputs(segment, x)
        turned = with_channels_last(segment.module)(*(one.permute(TO_LAST) for one in inputs))
        for result, expected in zip(turned, segment.module(*inputs), strict=True):
            assert torch.allclose(result.permute(TO_FIRST), expected, atol=1e-6)


@torch.no_grad()
def test_what_is_pointwise_is_not_turned_over_first() -> None:
    chain = cut_at_statistics(make_network("ppcn_student"))
    turned = with_channels_last(chain.segments[2].module)
    order = [node.target for node in turned.graph.nodes if node.op.startswith("call")]
    assert order[:3] == [torch.addcmul, F.leaky_relu, "permute"]


@torch.no_grad()
@pytest.mark.parametrize("name", ["ppcn_teacher", "mux_normal"])
def test_1x1_convolutions_need_no_concatenation(name: str) -> None:
    network, x = make_network(name), photo()
    module = cut_at_statistics(network).whole
    apart = without_concatenation(module, [x])
    cats = [targets(one).count(torch.cat) for one in (module, apart)]
    assert cats == [1, 0] if name == "ppcn_teacher" else cats[0] == cats[1] > 1
    assert torch.allclose(apart(x)[0], network(x), atol=1e-5)


@torch.no_grad()
def test_rows_come_with_their_statistics() -> None:
    chain = cut_at_statistics(make_network("ppcn_student"))
    segment = chain.segments[1]
    inputs = chain.inputs(segment, photo())
    *maps, means, roots = with_row_statistics(segment.module, 1)(*inputs)
    plain = segment.module(*inputs)
    assert all(torch.equal(a, b) for a, b in zip(maps, plain, strict=True))
    assert torch.allclose(means, plain[1].mean(dim=3, keepdim=True))
    assert torch.allclose(roots.square(), plain[1].square().sum(dim=3, keepdim=True))


@torch.no_grad()
@pytest.mark.parametrize("name", NETWORKS)
def test_packed_convolutions_compute_the_same(name: str) -> None:
    network, x = make_network(name), photo()
    module = cut_at_statistics(network).whole
    packed = with_simd_packing(module)
    narrow = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.out_channels == 3]
    spreads = [node for node in packed.graph.nodes if node.target is channels_to_columns]
    assert len(spreads) >= sum(m.kernel_size[1] > 1 for m in narrow)
    assert torch.allclose(packed(x)[0], network(x), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("outputs", [1, 2, 3, 5, 8])
def test_vectors_are_filled_as_far_as_they_go(outputs: int) -> None:
    conv = nn.Conv2d(4, outputs, (3, 7), padding="same", bias=outputs != 2)
    module = fx.symbolic_trace(nn.Sequential(conv, nn.ReLU()))
    packed = with_simd_packing(module)
    (wide,) = (m for m in packed.modules() if isinstance(m, nn.Conv2d))
    assert SIMD_WIDTH // 2 < wide.out_channels <= SIMD_WIDTH
    x = torch.rand(2, 4, 9, 32)
    assert torch.allclose(packed(x), module(x), atol=1e-6)
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
def test_additions_of_maps_of_several_heights_are_left_alone(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = cut_at_statistics(make_network(name))
    segment = chain.segments[-1]
    assert without_rows_around(segment.module, chain.inputs(segment, photo())) is None
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("pixels", [2, 4])
def test_channels_become_columns_beside_each_other(pixels: int) -> None:
    x = np.arange(pixels * 3 * 5 * 2).reshape(1, pixels * 3, 5, 2)
    columns = channels_to_columns(torch.tensor(x), pixels).numpy()
    for pixel in range(pixels):
        assert np.array_equal(columns[..., pixel::pixels], x[:, pixel * 3 : (pixel + 1) * 3])
