"""Networks by the names that weights files and the command line use."""

from collections.abc import Callable

from torch import nn

from ppcn.networks.ppcn import Student, Teacher
from ppcn.networks.superres import SuperResolver

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "ppcn_teacher": Teacher,
    "ppcn_student": Student,
    "ppcn_sr": SuperResolver,
}
