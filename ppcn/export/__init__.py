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
from ppcn.inference.receptive_field import noise_photo
from ppcn.networks.devices import evaluating

FormatName = Literal["onnx", "openvino", "litert", "coreml", "executorch"]
"""Each has a module of this package, `to_NAME`; see `Writer`."""
Floats = NDArray[np.float32]
# Largest difference from torch that rounding explains, in values of [0, 1].
TOLERANCE = 1e-3
# Two sizes of which neither suits every network, px.
SIZES = ((96, 128), (75, 101))


@dataclass(frozen=True)
class Format:
    """A format of model files.

    Attributes:
        suffix: of its files.
        fixed_size: whether a file serves photos of one size alone.
        takes_int8: whether convolutions can be quantised.
        can_run: whether such a file can be run on this kind of machine.
    """

    suffix: str
    fixed_size: bool = False
    takes_int8: bool = False
    can_run: bool = True


FORMATS: dict[FormatName, Format] = {
    "onnx": Format(".onnx"),
    "openvino": Format(".xml", takes_int8=True),
    "litert": Format(".tflite", fixed_size=True),
    "coreml": Format(".mlpackage", fixed_size=True, can_run=False),
    "executorch": Format(".pte", fixed_size=True),
}


@dataclass(frozen=True)
class ExportCheck:
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
) -> ExportCheck:
    """Write a network, run what was written, and compare.

    Args:
        network: in evaluation mode, on the CPU; takes (1, 3, H, W) RGB in [0, 1].
        facts: what its weights file says; carried along as JSON.
        name: of the format.
        path: file to write.
        size: height and width of photos, px, where the format serves one size.
        calibration: patches (N, H, W, 3) uint8 to quantise to int8 by, if the format takes it.

    Raises:
        UserError: the converter is not installed, cannot convert the network, or gave one that
            computes something else.
    """
    writer = _load(name)
    sizes = [size] if FORMATS[name].fixed_size else list(SIZES)
    carried = {key: json.dumps(value, sort_keys=True) for key, value in sorted(facts.items())}
    try:
        with evaluating(network):
            writer.write(network, noise_photo(*sizes[0]), path, carried, calibration)
    except ImportError as error:
        raise _missing(name, error) from None
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{name} cannot take {facts['network']}: {reason}") from None
    if not FORMATS[name].can_run:
        return ExportCheck(None, None)
    differences = [_difference(network, writer, path, size) for size in sizes]
    largest, mean = map(max, zip(*differences, strict=True))
    if calibration is None and not largest <= TOLERANCE:
        raise UserError(
            f"{name} computes {facts['network']} differently, by up to {largest:.2g}; choose "
            "another format"
        )
    return ExportCheck(largest, mean)


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
    photo = noise_photo(*size)
    with evaluating(network):
        expected = network(photo).numpy()
    apart = np.abs(writer.run(path, photo.numpy()) - expected)
    return float(apart.max()), float(apart.mean())
