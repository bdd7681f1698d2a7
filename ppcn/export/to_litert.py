"""LiteRT, formerly TensorFlow Lite, for photos of one size."""

from collections.abc import Mapping
from pathlib import Path

import litert_torch
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ppcn.export import Floats
from ppcn.export.plain_operators import with_plain_norms
from ppcn.inference.conversion import quietly


def write(
    network: nn.Module,
    photo: Tensor,
    path: Path,
    facts: Mapping[str, str],
    calibration: NDArray[np.uint8] | None,
) -> None:
    """See `Writer`."""
    with quietly():
        model = litert_torch.convert(with_plain_norms(network), (photo,))
        model.export(str(path))


def run(path: Path, photo: Floats) -> Floats:
    """See `Writer`."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], photo)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
