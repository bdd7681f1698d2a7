"""Strips of a photo that compute no row that their neighbours answer for."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, fx

from ppcn.inference.graph_passes.graphs import conv_of, copy_of, finished, padding_of, replace


def without_rows_around(module: fx.GraphModule, example: Sequence[Tensor]) -> fx.GraphModule | None:
    """Let convolutions add no rows of zeros, so that each gives fewer rows than it is given.

    Args:
        module: of a part of a network.
        example: inputs of it.

    Returns:
        A module for strips as wide as the photo that touch neither its first nor its last row; None
        where a module adds up maps of several heights.
    """
    result = copy_of(module)
    for node in result.graph.nodes:
        if conv := conv_of(result, node):
            lower = copy.copy(conv)
            lower.padding = (0, padding_of(conv)[1])
            replace(result, node, lower)
    finished(result)
    with torch.inference_mode():
        try:
            # Calling the module would print that maps do not fit.
            inner = fx.Interpreter(result).run(*example)
        except RuntimeError:
            return None
        return result if _agree(inner, module(*example)) else None


def _agree(inner: Sequence[Tensor], whole: Sequence[Tensor]) -> bool:
    """Whether maps are others without as many rows above as below."""
    for few, many in zip(inner, whole, strict=True):
        around, odd = divmod(many.shape[2] - few.shape[2], 2)
        rows = slice(around, many.shape[2] - around)
        if odd or not torch.allclose(few, many[:, :, rows], atol=1e-4, rtol=1e-4):
            return False
    return True
