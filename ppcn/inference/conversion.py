"""Networks and their segments in the forms of other runtimes.

Each converter imports what it needs by itself: they are extras.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import onnx
    import openvino

OPSET = 18
"""Of ONNX; the first whose operators compute all networks."""


def to_openvino(module: nn.Module, inputs: Sequence[Tensor]) -> "openvino.Model":
    """Convert to OpenVINO for maps of any height and width.

    Args:
        module: takes (1, C, H, W) each.
        inputs: of any size; those of a single pixel stay so.
    """
    import openvino

    shapes = [openvino.PartialShape([1, x.shape[1], *_sizes(x)]) for x in inputs]
    with _quietly():
        return openvino.convert_model(_frozen(module), example_input=tuple(inputs), input=shapes)


def quantise_openvino(
    model: "openvino.Model", examples: Sequence[Sequence[Tensor]]
) -> "openvino.Model":
    """Let convolutions compute in int8.

    Args:
        model: of float32.
        examples: inputs by which ranges of values are chosen.
    """
    import nncf

    data = nncf.Dataset(examples, lambda inputs: {i: x.numpy() for i, x in enumerate(inputs)})
    with _quietly():
        return nncf.quantize(model, data, subset_size=len(examples), fast_bias_correction=False)


def to_onnx(module: nn.Module, inputs: Sequence[Tensor]) -> "onnx.ModelProto":
    """Convert to ONNX for maps of any height and width, float32.

    Args:
        module: takes (1, C, H, W) each.
        inputs: of any size; those of a single pixel stay so.
    """
    free = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    dynamic = tuple(free if x.shape[2] > 1 else {} for x in inputs)
    with _quietly():
        program = torch.onnx.export(
            _frozen(module),
            tuple(inputs),
            dynamic_shapes=dynamic,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _frozen(module: nn.Module) -> nn.Module:
    return module.eval().requires_grad_(False)


def _sizes(x: Tensor) -> tuple[int, int]:
    return (-1, -1) if x.shape[2] > 1 else (1, 1)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep what converters print to themselves."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
