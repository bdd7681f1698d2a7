from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ppcn.networks.plain_sr import BranchedConv, BranchedSR, PlainSR
from ppcn.photos.resize import SCALE
from ppcn.training.base_run import fresh_network
from ppcn.weights import load_weights, save_weights


def _with_biases(network: nn.Module) -> nn.Module:
    for parameter in network.parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 32), (32, 32), (32, 48)])
def test_one_convolution_is_the_sum_of_its_branches(inputs: int, outputs: int) -> None:
    """Borders included, where zeros are what all branches see."""
    torch.manual_seed(0)
    conv = _with_biases(BranchedConv(inputs, outputs)).double()
    u = torch.rand(2, inputs, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(conv(u), conv.sum_of_branches(u), atol=1e-12, rtol=0)
    kernel, bias = conv.fold()
    assert kernel.shape == (outputs, inputs, 3, 3)
    torch.testing.assert_close(F.conv2d(u, kernel, bias, padding=1), conv(u))


def test_the_folded_network_is_the_trained_one() -> None:
    torch.manual_seed(0)
    trained = _with_biases(BranchedSR())
    x = torch.rand(1, 3, 20, 24)
    with torch.no_grad():
        torch.testing.assert_close(trained.fold()(x), trained(x), atol=1e-5, rtol=0)


def test_every_branch_learns() -> None:
    trained = BranchedSR(8, 2)
    trained(torch.rand(1, 3, 12, 12)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in trained.parameters())


def test_it_begins_near_the_repeated_photo() -> None:
    network = fresh_network("plain_sr", 0)
    x = torch.rand(1, 3, 30, 30)
    repeated = x.repeat_interleave(SCALE, 2).repeat_interleave(SCALE, 3)
    with torch.no_grad():
        assert float((network(x) - repeated).square().mean().sqrt()) < 0.5


def test_it_learns_from_the_first_steps_on() -> None:
    """It does not fall back to repeating pixels, as when brightness rules the first gradients."""
    torch.manual_seed(0)
    network = BranchedSR(16)
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    ratios = []
    for step in range(60):
        small = torch.rand(4, 3, 6, 6, generator=generator)
        sharp = F.interpolate(small, size=48, mode="bicubic", align_corners=False).clamp(0, 1)
        x = F.avg_pool2d(sharp, SCALE)
        optimizer.param_groups[0]["lr"] = 1e-3 * min(1, (step + 1) / 50)
        loss = (network(x) - sharp).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        repeated = F.interpolate(x, scale_factor=SCALE, mode="nearest")
        ratios.append(float(loss.detach() / (repeated - sharp).abs().mean()))
    assert sum(ratios[-5:]) / 5 < 0.9


def test_weights_are_stored_folded(tmp_path: Path) -> None:
    trained = fresh_network("plain_sr", 3)
    assert isinstance(trained, BranchedSR)
    save_weights(tmp_path / "w.safetensors", "plain_sr", trained, {})
    loaded, _ = load_weights(tmp_path / "w.safetensors", "plain_sr")
    assert type(loaded) is PlainSR
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), trained(x), atol=1e-5, rtol=0)
