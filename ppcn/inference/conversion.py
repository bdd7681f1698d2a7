"""Networks and their segments in the forms of other runtimes.

Each converter imports what it needs by itself: they are extras.
"""

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

if TYPE_CHECKING:
    import onnx
    import openvino

logger = logging.getLogger(__name__)

OPSET = 18
"""Version of ONNX's operators, the first that computes all networks."""
CONVOLUTION = "Convolution"
FIDELITY = 40.0
"""Least PSNR of results of int8 against those of float32, dB."""

Inputs = Sequence[Mapping[int, NDArray[np.float32]]]
"""Inputs of a model by their numbers, for one example after the other."""


def to_openvino(
    module: nn.Module, inputs: Sequence[Tensor], channels_last: bool = False
) -> "openvino.Model":
    """Convert to OpenVINO for maps of any height and width.

    Args:
        module: takes (1, C, H, W) each, or (1, H, W, C).
        inputs: of any size; those of a single pixel stay so.
        channels_last: whether it takes (1, H, W, C).
    """
    import openvino

    rows, columns, channels = (1, 2, 3) if channels_last else (2, 3, 1)
    shapes = []
    for x in inputs:
        shape = [1, 1, 1, 1]
        shape[channels] = x.shape[channels]
        shape[rows] = shape[columns] = -1 if x.shape[rows] > 1 else 1
        shapes.append(openvino.PartialShape(shape))
    with quietly():
        return openvino.convert_model(_frozen(module), example_input=tuple(inputs), input=shapes)


def quantise_openvino(
    model: "openvino.Model", examples: Sequence[Sequence[Tensor]]
) -> "openvino.Model":
    """Let convolutions compute in int8, as long as the result stays what it was.

    Beginning with the convolution whose quantisation changes the result least, each is quantised
    if results of the examples stay at a PSNR of `FIDELITY` to those of float32: of a result that is
    23 dB from the camera's, less than 0.1 dB is lost then. The others stay in float32.

    Args:
        model: of float32.
        examples: inputs by which ranges of values are chosen.
    """
    inputs = [{i: x.numpy() for i, x in enumerate(example)} for example in examples]
    names = [op.get_friendly_name() for op in model.get_ops() if op.get_type_name() == CONVOLUTION]
    with quietly():
        expected = _results(model, inputs)

        def fidelity(chosen: Sequence[str]) -> float:
            try:
                quantised = _quantised(model, inputs, names, chosen)
                return _psnr(_results(quantised, inputs), expected)
            except ValueError:
                # NNCF knows no bias that several channels share.
                return -math.inf

        alone = {name: fidelity([name]) for name in names}
        chosen: list[str] = []
        for name in sorted(names, key=lambda name: -alone[name]):
            if fidelity([*chosen, name]) >= FIDELITY:
                chosen.append(name)
    if not chosen:
        logger.warning("no convolution keeps its results in int8; all stay in float32")
        return model
    with quietly():
        return _quantised(model, inputs, names, chosen)


def _results(model: "openvino.Model", inputs: Inputs) -> list[NDArray[np.float32]]:
    import openvino

    ready = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [np.array(x) for one in inputs for x in ready(one).values()]


def _quantised(
    model: "openvino.Model", inputs: Inputs, names: Sequence[str], chosen: Sequence[str]
) -> "openvino.Model":
    """A copy of a model in which the chosen ones of its convolutions compute in int8."""
    import nncf

    types = sorted({op.get_type_name() for op in model.get_ops()} - {CONVOLUTION})
    ignored = [name for name in names if name not in chosen]
    return nncf.quantize(
        model,
        nncf.Dataset(inputs),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(inputs),
        ignored_scope=nncf.IgnoredScope(names=ignored, types=types, validate=False),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            overflow_fix=nncf.OverflowFix.DISABLE
        ),
    )


def _psnr(results: Sequence[NDArray[np.float32]], expected: Sequence[NDArray[np.float32]]) -> float:
    """PSNR of all arrays together, in dB of the largest value."""
    pairs = zip(results, expected, strict=True)
    error = np.mean([np.square(a - b, dtype=np.float64).mean() for a, b in pairs])
    peak = max(float(np.abs(x).max()) for x in expected)
    return float(10 * np.log10(peak**2 / max(float(error), 1e-30)))


def to_onnx(module: nn.Module, inputs: Sequence[Tensor]) -> "onnx.ModelProto":
    """Convert to ONNX for maps of any height and width, float32.

    Args:
        module: takes (1, C, H, W) each.
        inputs: of any size; those of a single pixel stay so.
    """
    free = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    dynamic = tuple(free if x.shape[2] > 1 else {} for x in inputs)
    with quietly():
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


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep what converters print to themselves."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
