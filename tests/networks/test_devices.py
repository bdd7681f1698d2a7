"""How images get to where networks run, and how those compute."""

import numpy as np
import pytest
import torch
from conftest import textured
from torch import nn

from ppcn.networks import devices
from ppcn.networks.devices import compile_in_place, hold_weights, tf32, to_tensor
from ppcn.networks.vgg import VGG19

CPU = torch.device("cpu")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.float64])
def test_pixels_of_every_depth_become_tensors(kind: type) -> None:
    grey = np.arange(256).astype(np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    white = {np.uint8: 255, np.uint16: 65535}.get(kind, 1)
    x = to_tensor((grey * (white / 255)).astype(kind), CPU)
    assert (x.shape, x.dtype) == ((1, 3, 16, 16), torch.float32)
    assert torch.equal(x[0, 2], torch.arange(256).view(16, 16) / 255)


@pytest.mark.parametrize("view", ["plain", "turned", "cut"])
def test_channels_are_last_in_memory(view: str) -> None:
    photo = textured(40, 56)
    photo = {"plain": photo, "turned": np.rot90(photo), "cut": photo[3:, 5:40]}[view]
    x = to_tensor(photo, CPU)
    assert torch.equal(x, to_tensor(np.stack((photo, photo)), CPU)[:1])
    assert x.permute(0, 2, 3, 1).is_contiguous()
    assert x.stride(0) == x.numel()


def flags() -> tuple[bool, bool]:
    return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize("has", [True, False])
def test_tf32_is_allowed_for_as_long_as_it_is_wanted(
    has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "has_tf32", lambda: has)
    before = flags()
    with tf32(True):
        assert flags() == (has, has)
        with tf32(False):
            assert flags() == (False, False)
        assert flags() == (has, has)
    assert flags() == before
    with pytest.raises(KeyError), tf32(True):
        raise KeyError
    assert flags() == before


def test_a_network_that_cannot_be_compiled_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(plain, mode):
        def run(x):
            raise torch._dynamo.exc.TorchDynamoException("no compiler\nand more")

        return run

    monkeypatch.setattr(torch, "compile", fails)
    network, x = nn.Conv2d(3, 3, 1), torch.rand(1, 3, 4, 4)
    expected = network(x)
    compile_in_place(network)
    network.eval()
    assert torch.equal(network(x), expected) and not caplog.messages
    network.train()
    assert torch.equal(network(x), expected) and torch.equal(network(x), expected)
    assert caplog.messages == ["not compiled (no compiler)"]


def test_held_weights_are_those_that_autocast_makes() -> None:
    torch.manual_seed(0)
    vgg, x = VGG19(), torch.rand(1, 3, 16, 16)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        expected = vgg(x, ["conv2_2"])["conv2_2"]
        hold_weights(vgg, torch.bfloat16)
        held = vgg(x, ["conv2_2"])["conv2_2"]
    assert vgg.conv1_1.weight.dtype == torch.bfloat16 and vgg.mean.dtype == torch.float32
    assert torch.equal(held, expected)
