"""ONNX, for photos of any size."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from torch import Tensor, nn

from ppcn.export import Floats
from ppcn.inference.conversion import to_onnx


def write(
    network: nn.Module,
    photo: Tensor,
    path: Path,
    facts: Mapping[str, str],
    calibration: NDArray[np.uint8] | None,
) -> None:
    """See `Writer`."""
    model = to_onnx(network, [photo])
    onnx.helper.set_model_props(model, dict(facts))
    onnx.save(model, path)


def run(path: Path, photo: Floats) -> Floats:
    """See `Writer`."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {session.get_inputs()[0].name: photo})
    return np.asarray(result)
