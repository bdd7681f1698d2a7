"""Core ML, for photos of one size; converted here, run on Apple's devices alone."""

from collections.abc import Mapping
from pathlib import Path

import coremltools
import numpy as np
import torch
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
        model = coremltools.convert(
            torch.export.export(with_plain_norms(network), (photo,)).run_decompositions({}),
            inputs=[coremltools.TensorType("photo", photo.shape)],
            outputs=[coremltools.TensorType("result")],
            compute_precision=coremltools.precision.FLOAT32,
            minimum_deployment_target=coremltools.target.iOS16,
        )
    model.user_defined_metadata.update({f"ppcn.{key}": value for key, value in facts.items()})
    model.save(str(path))


def run(path: Path, photo: Floats) -> Floats:
    """Cannot be done here."""
    raise NotImplementedError
