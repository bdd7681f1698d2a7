"""ONNX Runtime, on the CPU."""

from collections.abc import Sequence

import onnxruntime
import torch
from torch import Tensor

from ppcn.inference.conversion import to_onnx
from ppcn.inference.runtimes import Examples, Precision, Run, RuntimeName
from ppcn.inference.segments import Segment


class OnnxRuntime:
    """Computes networks with ONNX Runtime.

    Args:
        precision: "float32", or "exact".
        rewrites: ignored; ONNX Runtime rewrites networks itself.
        device: ignored; ONNX Runtime computes on the CPU.
    """

    name: RuntimeName = "onnx"
    strips, gives_row_statistics, takes_bytes, has_bfloat16 = False, False, False, False

    def __init__(
        self,
        precision: Precision = "float32",
        rewrites: bool = True,
        device: torch.device | None = None,
    ) -> None:
        self.precision = precision
        self.in_one_piece = precision != "exact"
        self.device = torch.device("cpu")
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = torch.get_num_threads()
        self._options.log_severity_level = 3

    def compile(self, segment: Segment, examples: Examples) -> Run:
        """See `Runtime`."""
        model = to_onnx(segment.module, examples[0]).SerializeToString()
        session = onnxruntime.InferenceSession(model, self._options, ["CPUExecutionProvider"])
        names = [one.name for one in session.get_inputs()]

        def run(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
            arrays = {n: x.contiguous().numpy() for n, x in zip(names, inputs, strict=True)}
            return [
                torch.from_numpy(x).contiguous(memory_format=torch.channels_last)
                for x in session.run(None, arrays)
            ]

        return run
