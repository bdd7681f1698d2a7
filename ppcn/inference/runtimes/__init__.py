"""What computes networks on photos: torch, OpenVINO or ONNX Runtime."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor

from ppcn.errors import UserError
from ppcn.inference.segments import Segment

RuntimeName = Literal["torch", "openvino", "onnx"]
Precision = Literal["float32", "bfloat16", "int8"]
Run = Callable[[Sequence[Tensor]], Sequence[Tensor]]
"""Takes a segment's inputs and gives its maps, channels last in memory."""
Examples = Sequence[Sequence[Tensor]]
"""Inputs of a segment, for one photo or patch after the other."""

PRECISIONS: dict[RuntimeName, tuple[Precision, ...]] = {
    "torch": ("float32", "bfloat16"),
    "openvino": ("float32", "bfloat16", "int8"),
    "onnx": ("float32",),
}


class Runtime(Protocol):
    """Makes segments ready to run.

    Attributes:
        device: where maps lie.
        takes_whole_photos: whether it computes a photo that fits into memory best in one piece,
            and not segment after segment in strips.
    """

    device: torch.device
    takes_whole_photos: bool

    def compile(self, segment: Segment, examples: Examples) -> Run:
        """Make a segment ready to run.

        Args:
            segment: not changed.
            examples: inputs of it.
        """


def make_runtime(
    name: RuntimeName, precision: Precision = "float32", rewrites: bool = True
) -> Runtime:
    """Load a runtime.

    Args:
        name: of the runtime.
        precision: of convolutions.
        rewrites: whether networks may be rewritten to compute the same faster.

    Raises:
        UserError: it is not installed, or does not compute in that precision.
    """
    if precision not in PRECISIONS[name]:
        able = [other for other in get_args(RuntimeName) if precision in PRECISIONS[other]]
        raise UserError(
            f"runtime {name} does not compute in {precision}; choose --runtime {' or '.join(able)} "
            f"or --precision {' or '.join(PRECISIONS[name])}"
        )
    if name == "torch":
        from ppcn.inference.runtimes.with_torch import TorchRuntime

        return TorchRuntime(precision, rewrites)
    try:
        if name == "openvino":
            from ppcn.inference.runtimes.with_openvino import OpenVinoRuntime

            return OpenVinoRuntime(precision, rewrites)
        from ppcn.inference.runtimes.with_onnx import OnnxRuntime

        return OnnxRuntime()
    except ImportError as error:
        extra = "int8" if precision == "int8" else name
        raise UserError(
            f"runtime {name} lacks {error.name}; install it with: pip install 'ppcn[{extra}]'"
        ) from None
