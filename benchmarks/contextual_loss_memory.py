"""Peak memory of the contextual loss and its gradient, beside the plain formula without chunks.

Usage: python benchmarks/contextual_loss_memory.py

Each size runs in a process of its own; the figure is the peak above what importing torch takes.
"""

import math
import resource
import subprocess
import sys

CHANNELS = 512
SIDES = (33, 65, 130, 260)


def plain(x, y):
    """PPCN eq. 1-2 with all affinities in memory at once."""
    from torch.nn import functional as F

    x, y = (F.normalize(features.flatten(2), dim=1) for features in (x, y))
    distance = (1 - x.transpose(1, 2) @ y).clamp_min(0)
    relative = distance / (distance.amin(dim=2, keepdim=True) + 1e-5)
    nearest = F.log_softmax((1 - relative) / 0.5, dim=2).amax(dim=1)
    return (math.log(nearest.shape[1]) - nearest.logsumexp(dim=1)).mean()


def measure(kind: str, side: int) -> None:
    """Print the peak in MB of one loss and its gradient on (1, 512, side, side) features."""
    import torch

    from ppcn import losses

    loss = {"chunked": losses.contextual, "plain": plain}[kind]
    x = torch.randn(1, CHANNELS, side, side, requires_grad=True)
    y = torch.randn(1, CHANNELS, side, side)
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    loss(x, y).backward()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) // 1024)


def main() -> None:
    """Measure every size; the plain formula only where it fits."""
    print("positions  chunked, MB  plain, MB")
    for side in SIDES:
        kinds = ("chunked", "plain") if side <= 65 else ("chunked",)
        found = []
        for kind in kinds:
            command = [sys.executable, __file__, kind, str(side)]
            found.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        print(f"{side}x{side:<6}", *(f"{megabytes.strip():>11}" for megabytes in found))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(sys.argv[1], int(sys.argv[2]))
    else:
        main()
