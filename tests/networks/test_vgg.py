from pathlib import Path

import pytest
import torch

from ppcn.errors import UserError
from ppcn.networks.vgg import MEAN, VGG19, load_vgg


def test_features_have_ceil_mode_sizes(vgg_file: Path) -> None:
    network, facts = load_vgg(vgg_file)
    assert facts["source"] == "file"
    features = network(torch.rand(1, 3, 100, 100), ("conv4_2", "relu2_2", "relu5_4"))
    shapes = {name: tuple(value.shape) for name, value in features.items()}
    assert shapes == {
        "conv4_2": (1, 512, 13, 13),
        "relu2_2": (1, 128, 50, 50),
        "relu5_4": (1, 512, 7, 7),
    }
    assert features["relu5_4"].min() == 0 > features["conv4_2"].min()
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_the_mean_is_subtracted() -> None:
    network = VGG19()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.conv1_1.weight[0, :, 1, 1] = 1.0
        network.conv1_1.forward = lambda x: captured.append(x) or torch.zeros(1, 64, 8, 8)
    captured: list[torch.Tensor] = []
    network(torch.full((1, 3, 8, 8), 0.5))
    assert captured[0][0, :, 0, 0].tolist() == pytest.approx([127.5 - mean for mean in MEAN])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load_vgg(tmp_path / "none.safetensors")
