"""Networks as files of other runtimes, checked against torch by running what was written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ppcn.errors import UserError
from ppcn.inference.conversion import quietly
from ppcn.networks.devices import evaluating

FormatName = Literal["onnx", "openvino", "litert", "coreml", "executorch"]
Floats = NDArray[np.float32]
# Largest difference from torch that rounding explains, of values in [0, 1].
TOLERANCE = 1e-3
# Two sizes of which neither suits every network, px.
SIZES = ((96, 128), (75, 101))


@dataclass(frozen=True)
class Format:
    """A kind of model file.

    Attributes:
        suffix: of the file.
        fixed_size: whether a file serves photos of one size alone.
        runs_here: whether a written file can be run on this kind of machine.
    """

    suffix: str
    fixed_size: bool = False
    runs_here: bool = True


FORMATS: dict[FormatName, Format] = {
    "onnx": Format(".onnx"),
    "openvino": Format(".xml"),
    "litert": Format(".tflite", fixed_size=True),
    "coreml": Format(".mlpackage", fixed_size=True, runs_here=False),
    "executorch": Format(".pte", fixed_size=True),
}


@dataclass(frozen=True)
class Checked:
    """How a written file compares with torch.

    Attributes:
        difference: the largest, of values in [0, 1]; None where it cannot be run here.
        mean: the mean difference.
    """

    difference: float | None
    mean: float | None


class Writer(Protocol):
    """What a module of this package offers."""

    def write(
        self,
        network: nn.Module,
        photo: torch.Tensor,
        path: Path,
        facts: Mapping[str, str],
        calibration: NDArray[np.uint8] | None,
    ) -> None:
        """Write a file; `photo` (1, 3, H, W) has the size that counts where it is fixed."""

    def run(self, path: Path, photo: Floats) -> Floats:
        """Run a written file on (1, 3, H, W)."""


def export(
    network: nn.Module,
    facts: Mapping[str, Any],
    name: FormatName,
    path: Path,
    size: tuple[int, int],
    calibration: NDArray[np.uint8] | None = None,
) -> Checked:
    """Write a network, run what was written, and compare.

    Args:
        network: in evaluation mode, on the CPU; takes (1, 3, H, W) RGB in [0, 1].
        facts: what its weights file says; carried along as JSON.
        name: kind of file.
        path: file to write.
        size: height and width, px, where the kind of file serves one size.
        calibration: patches (N, H, W, 3) uint8 to quantise to int8 by, of OpenVINO alone.

    Raises:
        UserError: the converter is not installed, cannot convert the network, or gave one that
            computes something else.
    """
    writer = _load(name)
    sizes = [size] if FORMATS[name].fixed_size else list(SIZES)
    carried = {key: json.dumps(value, sort_keys=True) for key, value in sorted(facts.items())}
    try:
        with evaluating(network):
            writer.write(network, _noise(sizes[0]), path, carried, calibration)
    except ImportError as error:
        raise _missing(name, error) from None
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{name} cannot take {facts['network']}: {reason}") from None
    if not FORMATS[name].runs_here:
        return Checked(None, None)
    differences = [_difference(network, writer, path, size) for size in sizes]
    largest, mean = (max(found) for found in zip(*differences, strict=True))
    if calibration is None and not largest <= TOLERANCE:
        raise UserError(
            f"{name} computes {facts['network']} differently, by up to {largest:.2g}; choose "
            "another --format"
        )
    return Checked(largest, mean)


def _load(name: FormatName) -> Writer:
    try:
        with quietly():
            module: Any = import_module(f"ppcn.export.to_{name}")
    except ImportError as error:
        raise _missing(name, error) from None
    return module


def _missing(name: FormatName, error: ImportError) -> UserError:
    return UserError(
        f"format {name} lacks {error.name}; install it with: pip install 'ppcn[{name}]' "
        "(converters may ask for another torch; an environment of their own keeps this one)"
    )


def _difference(
    network: nn.Module, writer: Writer, path: Path, size: tuple[int, int]
) -> tuple[float, float]:
    """Largest and mean difference on a picture."""
    photo = _noise(size)
    with evaluating(network):
        expected = network(photo).numpy()
    apart = np.abs(writer.run(path, photo.numpy()) - expected)
    return float(apart.max()), float(apart.mean())


def _noise(size: tuple[int, int]) -> torch.Tensor:
    return torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(0))
