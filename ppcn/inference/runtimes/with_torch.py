"""torch, on the GPU or the CPU."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, fx

from ppcn.inference.graph_passes.activations import fuse_activations, without_tanh
from ppcn.inference.graph_passes.simd_packing import SIMD_WIDTH, with_simd_packing
from ppcn.inference.runtimes import Examples, Precision, Run, RuntimeName
from ppcn.inference.segments import Segment
from ppcn.networks.devices import choose_device


class TorchRuntime:
    """Computes segments with torch, convolutions and activations in one call where it can.

    Args:
        precision: "bfloat16" computes convolutions in it, the rest in float32.
        rewrites: whether networks may be rewritten and, on a CPU, computed in strips.
        device: where to compute; the GPU by default, if there is one.
    """

    name: RuntimeName = "torch"
    gives_row_statistics, takes_bytes = False, False

    def __init__(
        self,
        precision: Precision = "float32",
        rewrites: bool = True,
        device: torch.device | None = None,
    ) -> None:
        self.device = device or choose_device()
        self.in_one_piece = not rewrites
        on_cpu = self.device.type == "cpu"
        # A GPU has no caches worth cutting a photo up for, and waits for each launch.
        self.strips = on_cpu
        self.has_bfloat16 = not on_cpu or torch.ops.mkldnn._is_mkldnn_bf16_supported()
        self.precision, self._rewrites = precision, rewrites

    def compile(self, segment: Segment, examples: Examples) -> Run:
        """See `Runtime`."""
        module = without_tanh(segment.module) if self._rewrites else segment.module
        plain = self._ready(module)
        packed = self._ready(with_simd_packing(module)) if self._rewrites else plain
        maps, known = len(segment.maps), len(segment.maps) + len(segment.statistics)
        autocast = torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"
        )

        def run(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
            width = inputs[0].shape[3]
            rows = [_along_rows(x, width) for x in inputs[maps:known]]
            module = plain if width % SIMD_WIDTH else packed
            with autocast:
                return module(*inputs[:maps], *rows, *inputs[known:])

        return run

    def _ready(self, module: fx.GraphModule) -> fx.GraphModule:
        # A copy, for what measures the network stays on the CPU.
        module = copy.deepcopy(module).to(self.device)
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        can_fuse = self.device.type == "cpu" and self.precision == "float32"
        return fuse_activations(module) if self._rewrites and can_fuse else module


def _along_rows(x: Tensor, width: int) -> Tensor:
    """A number per channel (1, C, 1, 1) repeated (1, C, 1, W): torch's loops become longer."""
    return x.expand(-1, -1, -1, width).contiguous(memory_format=torch.channels_last)
