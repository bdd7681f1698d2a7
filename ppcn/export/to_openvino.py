"""OpenVINO's IR, for photos of any size: an .xml and beside it a .bin."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ppcn.export import Floats
from ppcn.inference.conversion import quantise_openvino, to_openvino
from ppcn.networks.devices import to_tensor

EXACT = {"INFERENCE_PRECISION_HINT": "f32"}


def write(
    network: nn.Module,
    photo: Tensor,
    path: Path,
    facts: Mapping[str, str],
    calibration: NDArray[np.uint8] | None,
) -> None:
    """See `Writer`."""
    model = to_openvino(network, [photo])
    if calibration is not None:
        cpu = torch.device("cpu")
        model = quantise_openvino(model, [[to_tensor(patch, cpu)] for patch in calibration])
    for key, value in facts.items():
        model.set_rt_info(value, ["ppcn", key])
    openvino.save_model(model, path, compress_to_fp16=False)


def run(path: Path, photo: Floats) -> Floats:
    """See `Writer`."""
    model = openvino.Core().compile_model(path, "CPU", EXACT)
    return np.asarray(model([photo])[0])
