"""What computes networks on photos: torch, OpenVINO or ONNX Runtime."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from ppcn.errors import UserError
from ppcn.inference.segments import Segment

RuntimeName = Literal["torch", "openvino", "onnx"]
Precision = Literal["float32", "exact", "bfloat16", "int8"]
"""Precision of convolutions; "exact" is float32 with statistics of the whole photo in float64."""
Run = Callable[[Sequence[Tensor]], Sequence[Tensor]]
"""Takes a segment's inputs and gives its maps, channels last in memory."""
Examples = Sequence[Sequence[Tensor]]
"""Inputs of a segment, for one photo or patch after the other."""


@dataclass(frozen=True)
class RuntimeEntry:
    """Where a runtime is found, and what it can do.

    Attributes:
        module: of this package, which holds the class.
        type_name: of the class; it takes precision, rewrites and device, as `make_runtime` does.
        precisions: in which it computes.
        library: whose version is the runtime's.
        extra: of this project, which installs it.
        int8_extra: of this project, which installs what int8 needs.
    """

    module: str
    type_name: str
    precisions: tuple[Precision, ...]
    library: str
    extra: str = ""
    int8_extra: str = ""


RUNTIMES: dict[RuntimeName, RuntimeEntry] = {
    "torch": RuntimeEntry(
        "with_torch", "TorchRuntime", ("float32", "exact", "bfloat16"), library="torch"
    ),
    "openvino": RuntimeEntry(
        "with_openvino",
        "OpenVinoRuntime",
        ("float32", "exact", "bfloat16", "int8"),
        library="openvino",
        extra="openvino",
        int8_extra="int8",
    ),
    "onnx": RuntimeEntry(
        "with_onnx",
        "OnnxRuntime",
        ("float32", "exact"),
        library="onnxruntime",
        extra="onnx",
    ),
}


class Runtime(Protocol):
    """Makes segments ready to run.

    Attributes:
        name: as in `RUNTIMES`.
        precision: of convolutions.
        device: where maps lie.
        in_one_piece: whether norms of a photo that fits into memory find out their statistics by
            themselves, in the precision that the runtime has for it.
        strips: whether it computes segments best in strips that fit into the processor's caches.
        gives_row_statistics: whether it computes statistics of rows well; else torch does, later.
        takes_bytes: whether it turns photos of 8 bits into numbers in [0, 1] by itself.
        has_bfloat16: whether the processor computes in bfloat16; without it torch would be slow,
            and OpenVINO would compute in float32.
    """

    name: RuntimeName
    precision: Precision
    device: torch.device
    in_one_piece: bool
    strips: bool
    gives_row_statistics: bool
    takes_bytes: bool
    has_bfloat16: bool

    def compile(self, segment: Segment, examples: Examples) -> Run:
        """Make a segment ready to run.

        Args:
            segment: not changed.
            examples: inputs of it.
        """


def make_runtime(
    name: RuntimeName,
    precision: Precision = "float32",
    rewrites: bool = True,
    device: torch.device | None = None,
) -> Runtime:
    """Load a runtime.

    Args:
        name: of the runtime.
        precision: of convolutions.
        rewrites: whether networks may be rewritten to compute the same faster.
        device: where torch computes, the GPU by default if there is one; the others have the CPU.

    Raises:
        UserError: it is not installed, or does not compute in that precision, here or at all.
    """
    entry = RUNTIMES[name]
    if precision not in entry.precisions:
        able = [other for other, row in RUNTIMES.items() if precision in row.precisions]
        raise UserError(
            f"runtime {name} does not compute in {precision}; choose runtime {' or '.join(able)}, "
            f"or precision {' or '.join(entry.precisions)}"
        )
    try:
        module: Any = import_module(f"{__name__}.{entry.module}")
        runtime: Runtime = getattr(module, entry.type_name)(precision, rewrites, device)
    except ImportError as error:
        extra = entry.int8_extra if precision == "int8" else entry.extra
        raise UserError(
            f"runtime {name} lacks {error.name}; install it with: pip install 'ppcn[{extra}]'"
        ) from None
    if precision == "bfloat16" and not runtime.has_bfloat16:
        raise UserError(
            "this processor does not compute in bfloat16 (those with AVX-512 do); choose another "
            "precision"
        )
    return runtime
