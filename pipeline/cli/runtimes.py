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

RuntimeOption = Annotated[
    RuntimeName,
    typer.Option(
        "--runtime",
        help="Program that computes the network; openvino and onnx are installed as extras.",
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision",
        help="Precision of the network's convolutions; exact is float32 with statistics of the "
        "whole photo in float64, and int8 is for openvino alone.",
    ),
]
Calibrate = Annotated[
    Path | None,
    typer.Option(
        "--calibrate",
        help="Set on whose photos --precision int8 is calibrated: a patch set or, for "
        "super-resolution, a set of crops to train on (data/sr/train.h5).",
    ),
]


def calibration(is_int8: bool, patches: Path | None) -> NDArray[np.uint8] | None:
    """Photos that int8 is calibrated on, (N, H, W, 3), of the phone or LR.

    Args:
        is_int8: whether they are needed.
        patches: the patch set or set of crops.

    Raises:
        UserError: it is missing, or not needed.
    """
    if is_int8 and not patches:
        raise UserError(
            "--precision int8 has to be calibrated; give --calibrate a patch set such as "
            "data/patches/PHONE.h5 or, for super-resolution, data/sr/train.h5"
        )
    if patches and not is_int8:
        raise UserError("--calibrate serves --precision int8 alone; leave it out")
    if not patches:
        return None
    # Imported only now, as photos are enhanced without any patch set.
    from ppcn.inference.calibration import read_calibration

    return read_calibration(patches)


def known(name: str, names: Iterable[Name]) -> Name:
    """One of several names.

    Raises:
        UserError: it is none of them.
    """
    for one in names:
        if one == name:
            return one
    raise UserError(f"unknown '{name}'; choose from {', '.join(names)}")
