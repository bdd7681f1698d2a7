"""Options of the commands that run networks with one runtime or another."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import typer
from numpy.typing import NDArray

from ppcn.errors import UserError
from ppcn.inference.runtimes import Precision, RuntimeName

Name = TypeVar("Name", bound=str)

# As many as ranges of values need to settle.
CALIBRATION_PATCHES = 64

RuntimeOption = Annotated[
    RuntimeName,
    typer.Option(
        "--runtime", help="Library that runs the network; openvino and onnx are optional extras."
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option("--precision", help="Precision of the convolutions; only openvino offers int8."),
]
Calibrate = Annotated[
    Path | None,
    typer.Option("--calibrate", help="Patch set on which --precision int8 is calibrated."),
]


def calibration(is_int8: bool, patches: Path | None) -> NDArray[np.uint8] | None:
    """Patches that int8 is calibrated on, (N, H, W, 3) of the phone's training photos.

    Args:
        is_int8: whether they are needed.
        patches: the patch set.

    Raises:
        UserError: it is missing, or not needed.
    """
    if is_int8 and not patches:
        raise UserError(
            "--precision int8 has to be calibrated; give --calibrate a patch set such as "
            "data/patches/iphone.h5"
        )
    if patches and not is_int8:
        raise UserError("--calibrate serves --precision int8 alone; leave it out")
    if not patches:
        return None
    # Here, for who only enhances photos needs no memory for these.
    from ppcn.dataset.patch_set import open_patches
    from ppcn.dataset.splits import TRAIN

    with open_patches(patches) as cut:
        indices = cut.of_split(TRAIN, "training")
        chosen = indices[:: max(1, len(indices) // CALIBRATION_PATCHES)][:CALIBRATION_PATCHES]
        return cut.read(chosen)[0]


def known(name: str, names: Iterable[Name]) -> Name:
    """One of several names.

    Raises:
        UserError: it is none of them.
    """
    for one in names:
        if one == name:
            return one
    raise UserError(f"unknown '{name}'; choose from {', '.join(names)}")
