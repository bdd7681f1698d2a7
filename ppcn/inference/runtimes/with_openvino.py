"""OpenVINO, on the CPU."""

from collections import OrderedDict
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import openvino
import torch
from torch import Tensor

from ppcn.inference.conversion import quantise_openvino, to_openvino
from ppcn.inference.graph_passes.activations import without_tanh
from ppcn.inference.graph_passes.channels_last import TO_FIRST, TO_LAST, with_channels_last
from ppcn.inference.graph_passes.simd_packing import SIMD_WIDTH, with_simd_packing
from ppcn.inference.graph_passes.split_concatenation import without_concatenation
from ppcn.inference.runtimes import Examples, Precision, Run, RuntimeName
from ppcn.inference.segments import Segment

# Models for so many sizes of photos or tiles are kept ready.
SIZES = 8
# OpenVINO's names of the precisions of convolutions.
HINTS: dict[Precision, str] = {
    "float32": "f32",
    "exact": "f32",
    "bfloat16": "bf16",
    "int8": "f32",
}

BYTES, WHITE = np.dtype(np.uint8).str, 255.0

Shapes = tuple[tuple[Any, ...], ...]
"""Kind of number, and shape, of each input."""


class OpenVinoRuntime:
    """Computes networks with OpenVINO, compiled for each size: those for any size are slower.

    Args:
        precision: "int8" quantises convolutions, calibrated on the examples.
        rewrites: whether networks may be rewritten.
        device: ignored; OpenVINO computes on the CPU.
    """

    name: RuntimeName = "openvino"
    strips, gives_row_statistics, takes_bytes = False, True, True

    def __init__(
        self,
        precision: Precision = "float32",
        rewrites: bool = True,
        device: torch.device | None = None,
    ) -> None:
        self.device = torch.device("cpu")
        self.precision, self._rewrites = precision, rewrites
        self.in_one_piece = precision != "exact"
        if precision == "int8":
            # Now, so that whoever lacks it is told before any photo is read.
            import_module("nncf")
        self._core = openvino.Core()
        self.has_bfloat16 = "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self._settings = {
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
        }

    def compile(self, segment: Segment, examples: Examples) -> Run:
        """See `Runtime`."""
        models: dict[bool, openvino.Model] = {}
        ready: OrderedDict[Shapes, openvino.InferRequest] = OrderedDict()

        def run(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
            arrays = [x.permute(TO_LAST).numpy() for x in inputs]
            shapes = tuple((x.dtype.str, *x.shape) for x in arrays)
            if shapes not in ready:
                is_packed = self._rewrites and inputs[0].shape[3] % SIMD_WIDTH == 0
                if is_packed not in models:
                    models[is_packed] = self._convert(segment, examples, is_packed)
                ready[shapes] = self._request(models[is_packed], shapes)
                if len(ready) > SIZES:
                    ready.popitem(last=False)
            outputs = ready[shapes].infer(arrays, share_inputs=True, share_outputs=True)
            return [torch.from_numpy(outputs[i]).permute(TO_FIRST) for i in range(len(outputs))]

        return run

    def _convert(self, segment: Segment, examples: Examples, is_packed: bool) -> openvino.Model:
        module = segment.module
        if self._rewrites:
            module = without_tanh(without_concatenation(module, examples[0]))
        if is_packed:
            module = with_simd_packing(module)
        turned = [[x.permute(TO_LAST) for x in example] for example in examples]
        model = to_openvino(with_channels_last(module), turned[0], channels_last=True)
        return quantise_openvino(model, turned) if self.precision == "int8" else model

    def _request(self, model: openvino.Model, shapes: Shapes) -> openvino.InferRequest:
        model = model.clone()
        model.reshape({number: list(shape) for number, (_, *shape) in enumerate(shapes)})
        steps = openvino.preprocess.PrePostProcessor(model)
        for number, (kind, *_) in enumerate(shapes):
            if kind == BYTES:
                one = steps.input(number)
                one.tensor().set_element_type(openvino.Type.u8)
                one.preprocess().convert_element_type(openvino.Type.f32).scale(WHITE)
        model = steps.build()
        return self._core.compile_model(model, "CPU", self._settings).create_infer_request()
