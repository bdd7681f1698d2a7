"""VGG-19 features (Simonyan and Zisserman 2015)."""

from collections.abc import Collection
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ppcn.errors import FileError, FileKind, missing_file

MEAN = (123.68, 116.779, 103.939)
BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
LAYERS = tuple(f"conv{b}_{i}" for b, (_, n) in enumerate(BLOCKS, 1) for i in range(1, n + 1))

State = dict[str, Tensor]


class VGG19(nn.Module):
    """The sixteen convolutions of VGG-19, frozen; pools round up (SAME), 100 px -> 13 px."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        channels = 3
        for name in LAYERS:
            width = BLOCKS[int(name[4]) - 1][0]
            self.add_module(name, nn.Conv2d(channels, width, 3, padding=1))
            channels = width
        self.requires_grad_(False)

    def forward(self, x: Tensor, wanted: Collection[str] = ("conv4_2",)) -> State:
        """Features by name; layers deeper than the deepest wanted one are not computed.

        Args:
            x: (N, 3, H, W) RGB in [0, 1]; the published mean is subtracted here.
            wanted: such as "conv4_2", before ReLU, (N, 512, ceil(H/8), ceil(W/8)), or "relu5_4",
                after it.
        """
        x = x * 255 - self.mean
        features: State = {}
        for name in LAYERS:
            if name.endswith("_1") and name != "conv1_1":
                x = F.max_pool2d(x, 2, ceil_mode=True)
            x = self.get_submodule(name)(x)
            features[name] = x
            x = F.relu(x)
            features[f"relu{name[4:]}"] = x
            if all(layer in features for layer in wanted):
                break
        return {layer: features[layer] for layer in wanted}


def load_vgg(path: Path) -> tuple[VGG19, dict[str, str]]:
    """Read what the features stage wrote.

    Returns:
        The network and its provenance: `source` and `sha256` of the file it was made from.

    Raises:
        UserError: the file is missing or holds something else.
    """
    if not path.is_file():
        raise missing_file(path, FileKind.VGG)
    network = VGG19()
    try:
        network.load_state_dict(load_file(path))
        with safe_open(path, "pt") as file:
            return network, dict(sorted((file.metadata() or {}).items()))
    except (SafetensorError, RuntimeError):
        raise FileError(path, FileKind.VGG, "not VGG-19 weights") from None
