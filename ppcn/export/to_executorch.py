"""ExecuTorch with XNNPACK, for photos of one size."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime
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
        program = torch.export.export(with_plain_norms(network), (photo,))
        lowered = to_edge_transform_and_lower(
            program, partitioner=[XnnpackPartitioner()], constant_methods=dict(facts)
        )
    path.write_bytes(lowered.to_executorch().buffer)


def run(path: Path, photo: Floats) -> Floats:
    """See `Writer`."""
    method = Runtime.get().load_program(path).load_method("forward")
    assert method is not None
    return np.asarray(method.execute([torch.from_numpy(photo)])[0].numpy())
