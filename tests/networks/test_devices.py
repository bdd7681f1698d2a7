"""How images get to where networks run."""

import numpy as np
import pytest
import torch
from conftest import textured

from ppcn.networks.devices import to_tensor

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
