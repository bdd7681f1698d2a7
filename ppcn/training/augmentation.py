"""Joint colour augmentation: the same change of colours on patches and on their targets.

Photos of one town in one winter teach a network which colours there are rather than what a camera
does to colours. Turning hues and changing saturation of a pair alike keeps what the cameras differ
by and shows it on colours that the photos lack.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Uniform bounds of the factor by which saturation changes.
SATURATIONS = (0.8, 2.0)
GREY = np.full((3, 3), 1 / 3)
# Turns by a right angle about the grey axis, of what lies beside it.
QUARTER_TURN = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)


def color_matrices(random: np.random.Generator, count: int, share: float) -> NDArray[np.float32]:
    """Changes of colour for a batch of pairs.

    Args:
        random: source of the draws.
        count: number of pairs.
        share: probability that the colours of a pair are changed, 0..1.

    Returns:
        (count, 3, 3): for each pair a rotation of R'G'B' about the grey axis by a uniform angle,
        times a uniform factor of saturation; the identity where colours stay.
    """
    chosen = random.random(count) < share
    angles = random.uniform(0, 2 * np.pi, (count, 1, 1))
    saturations = random.uniform(*SATURATIONS, (count, 1, 1))
    chroma = np.eye(3) - GREY
    turned = np.cos(angles) * chroma + np.sin(angles) * QUARTER_TURN
    matrices = np.where(chosen[:, None, None], GREY + saturations * turned, np.eye(3))
    return matrices.astype(np.float32)


def change_colors(images: Tensor, matrices: Tensor) -> Tensor:
    """Multiply the colours of images by matrices, and clip.

    Args:
        images: (N, 3, H, W) in [0, 1].
        matrices: (N, 3, 3).
    """
    changed = torch.einsum("nij,njhw->nihw", matrices, images).clamp(0, 1)
    return changed.contiguous(memory_format=torch.channels_last)
