"""Networks by the names that weights files and the command line use."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from ppcn.networks.dped import ResNet
from ppcn.networks.fsrcnn import FSRCNN
from ppcn.networks.johnson import Johnson
from ppcn.networks.muxdemux import MuxHighPerformance, MuxNormal
from ppcn.networks.plain_sr import BranchedSR, PlainSR
from ppcn.networks.ppcn import Student, Teacher
from ppcn.networks.ppcn_sr import PPCNSR
from ppcn.networks.srcnn import SRCNN
from ppcn.networks.vdsr import VDSR

Input = Literal["image", "lr", "lr_bicubic"]


@dataclass(frozen=True)
class Architecture:
    """How a network is made and what it is for.

    Attributes:
        make: gives a freshly initialised network; enhancement networks take `initial_deviation`.
        input: "image" enhances it, keeping its size; "lr" enlarges a low-resolution photo x4;
            "lr_bicubic" sharpens one that was enlarged x4 bicubically.
        also: another input that the same layers are trained for.
        train: gives what is trained, where that is another network, whose `fold` gives this one.
    """

    make: Callable[..., nn.Module]
    input: Input = "image"
    also: Input | None = None
    train: Callable[..., nn.Module] | None = None


NETWORKS = {
    "ppcn_teacher": Architecture(Teacher),
    "ppcn_student": Architecture(Student),
    "ppcn_sr": Architecture(PPCNSR, "lr_bicubic"),
    "plain_sr": Architecture(PlainSR, "lr", train=BranchedSR),
    "srcnn": Architecture(SRCNN, also="lr_bicubic"),
    "dped_resnet_12_64": Architecture(lambda **k: ResNet(64, 4, **k)),
    "resnet_8_32": Architecture(lambda **k: ResNet(32, 2, **k)),
    "johnson": Architecture(Johnson),
    "mux_normal": Architecture(MuxNormal),
    "mux_high_performance": Architecture(MuxHighPerformance),
    "vdsr": Architecture(VDSR, "lr_bicubic"),
    "fsrcnn": Architecture(FSRCNN, "lr"),
}
