"""OpenVINO, on the CPU."""

from collections import OrderedDict
from collections.abc import Sequence

import openvino
import torch
from torch import Tensor

from ppcn.inference.conversion import quantise_openvino, to_openvino
from ppcn.inference.rewriting import WIDTHS, fill_lanes
from ppcn.inference.runtimes import Examples, Precision, Run
from ppcn.inference.segments import Segment

# Models for so many sizes of photos or tiles are kept ready.
SIZES = 8
HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}

Shapes = tuple[tuple[int, ...], ...]


class OpenVinoRuntime:
    """Computes networks with OpenVINO, compiled for each size: those for any size are slower.

    Args:
        precision: "int8" quantises convolutions, calibrated on the examples.
        rewrites: whether to rewrite them.
    """

    takes_whole_photos = True

    def __init__(self, precision: Precision = "float32", rewrites: bool = True) -> None:
        self.device = torch.device("cpu")
        self._precision, self._rewrites = precision, rewrites
        self._core = openvino.Core()
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
            shapes = tuple(tuple(x.shape) for x in inputs)
            if shapes not in ready:
                is_filled = self._rewrites and shapes[0][3] % WIDTHS == 0
                if is_filled not in models:
                    models[is_filled] = self._convert(segment, examples, is_filled)
                ready[shapes] = self._request(models[is_filled], shapes)
                if len(ready) > SIZES:
                    ready.popitem(last=False)
            arrays = [x.permute(0, 2, 3, 1).numpy() for x in inputs]
            outputs = ready[shapes].infer(arrays, share_inputs=True, share_outputs=True)
            return [torch.from_numpy(outputs[i]).permute(0, 3, 1, 2) for i in range(len(outputs))]

        return run

    def _convert(self, segment: Segment, examples: Examples, is_filled: bool) -> openvino.Model:
        module = fill_lanes(segment.module) if is_filled else segment.module
        model = to_openvino(module, examples[0])
        return quantise_openvino(model, examples) if self._precision == "int8" else model

    def _request(self, model: openvino.Model, shapes: Shapes) -> openvino.InferRequest:
        model = model.clone()
        model.reshape(dict(enumerate(map(list, shapes))))
        steps = openvino.preprocess.PrePostProcessor(model)
        ends = [steps.input(number) for number in range(len(model.inputs))]
        ends += [steps.output(number) for number in range(len(model.outputs))]
        for end in ends:
            end.tensor().set_layout(openvino.Layout("NHWC"))
            end.model().set_layout(openvino.Layout("NCHW"))
        return self._core.compile_model(steps.build(), "CPU", self._settings).create_infer_request()
