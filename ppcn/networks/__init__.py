"""Networks by the names that weights files and the command line use."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from ppcn.networks.dped import Johnson, ResNet
from ppcn.networks.muxdemux import MuxHighPerformance, MuxNormal
from ppcn.networks.ppcn import Student, Teacher
from ppcn.networks.ppcn_sr import SuperResolver
from ppcn.networks.sr_baselines import FSRCNN, SRCNN, VDSR


@dataclass(frozen=True)
class Architecture:
    """How a network is made and what it is for.

    Attributes:
        make: gives a freshly initialised network; enhancement networks take `initial_deviation`.
        reads: "photo" to enhance it, keeping its size; "enlarged" to sharpen a photo that was
            enlarged x4 bicubically; "small" to enlarge it x4. `srcnn` serves the first two.
    """

    make: Callable[..., nn.Module]
    reads: Literal["photo", "enlarged", "small"] = "photo"


NETWORKS = {
    "ppcn_teacher": Architecture(Teacher),
    "ppcn_student": Architecture(Student),
    "ppcn_sr": Architecture(SuperResolver, "enlarged"),
    "srcnn": Architecture(SRCNN),
    "dped_resnet_12_64": Architecture(lambda **k: ResNet(64, 4, **k)),
    "resnet_8_32": Architecture(lambda **k: ResNet(32, 2, **k)),
    "johnson": Architecture(Johnson),
    "mux_normal": Architecture(MuxNormal),
    "mux_high_performance": Architecture(MuxHighPerformance),
    "vdsr": Architecture(VDSR, "enlarged"),
    "fsrcnn": Architecture(FSRCNN, "small"),
}
