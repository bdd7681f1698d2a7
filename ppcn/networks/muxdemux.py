"""BOE-SBG's networks (Liu et al. 2018): work on shuffled pixels, in dense blocks, with noise."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ppcn.networks.layers import (
    Enhanced,
    EnhancementNetwork,
    InstanceNorm,
    bounded,
    conv_same,
    crop_like,
    initialise,
    pad_to_multiple,
)


def demux(x: Tensor) -> Tensor:
    """Shuffle (N, C, H, W) into (N, 4C, H/2, W/2); each channel becomes four in a row (Fig. 1)."""
    return F.pixel_unshuffle(x, 2)


def mux(x: Tensor) -> Tensor:
    """Shuffle groups of four channels back, (N, C, H, W) into (N, C/4, 2H, 2W)."""
    return F.pixel_shuffle(x, 2)


def position_noise(like: Tensor, seed: Tensor | int, top: int = 0, left: int = 0) -> Tensor:
    """Noise of mean 0 and variance 1 that depends on seed and position alone.

    Integer arithmetic (a 32-bit mix of the counter), so that every device, batch and tile of a
    photo sees the same values.

    Args:
        like: (N, C, H, W), whose size, kind and device the noise takes.
        seed: from 0 to 2^32.
        top: row of the photo's map at which `like` begins.
        left: column at which it begins.

    Returns:
        (N, 1, H, W), the same for every image, uniform in +-sqrt(3).
    """
    batch, _, height, width = like.shape
    y = torch.arange(top, top + height, device=like.device)
    x = torch.arange(left, left + width, device=like.device)
    start = _mix(torch.as_tensor(seed, device=like.device))
    value = _mix(_mix(start ^ y.view(-1, 1)) ^ x)
    uniform = (value >> 8).to(torch.float32) / 2**24
    noise = ((uniform - 0.5) * 12**0.5).to(like.dtype)
    return noise.expand(batch, 1, -1, -1)


class PositionNoise(nn.Module):
    """`position_noise` of whole photos."""

    def forward(self, like: Tensor, seed: Tensor | int) -> Tensor:
        """Noise (N, 1, H, W) for (N, C, H, W)."""
        return position_noise(like, seed)


def _mix(value: Tensor) -> Tensor:
    """Scatter the bits of integers below 2^32, one to one."""
    value = (value + 0x9E3779B9) & 0xFFFFFFFF
    value = ((value ^ (value >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    value = ((value ^ (value >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return value ^ (value >> 16)


class DenseBlock(nn.Module):
    """3x3 convolutions, each with instance norm and LeakyReLU, each fed with all maps before it.

    A 1x1 convolution without norm picks the output maps from all of them, the input included, so
    that nothing the block was given can get lost.

    Args:
        inputs: channels that come in.
        growth: channels that each convolution adds.
        layers: convolutions.
        outputs: channels that go out.
    """

    def __init__(self, inputs: int, growth: int, layers: int, outputs: int) -> None:
        super().__init__()
        widths = [inputs + growth * index for index in range(layers)]
        self.convs = nn.ModuleList(conv_same(width, growth, 3) for width in widths)
        self.norms = nn.ModuleList(InstanceNorm(growth) for _ in widths)
        self.pick = conv_same(inputs + growth * layers, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = torch.cat((x, F.leaky_relu(norm(conv(x)), 0.05)), dim=1)
        return self.pick(x)


class _Noisy(EnhancementNetwork):
    """Adds noise channels; what the two configurations share."""

    noise_deviation: Tensor

    def __init__(self, noise_deviation: float) -> None:
        super().__init__()
        self.noise = PositionNoise()
        self.register_buffer("noise_deviation", torch.tensor(float(noise_deviation)))

    def _with_noise(self, x: Tensor, seed: Tensor | int) -> Tensor:
        noise = self.noise(x, seed) * self.noise_deviation.to(x.dtype)
        return torch.cat((x, noise), dim=1)

    def _seed(self) -> Tensor | int:
        """A new seed in every training step (from torch's generator), 0 afterwards."""
        if not self.training:
            return 0
        return torch.randint(2**31, ()).to(self.noise_deviation.device, non_blocking=True)


class MuxNormal(_Noisy):
    """BOE-SBG's normal configuration (Fig. 2): three scales.

    demux, dense block, demux, dense block, mux, dense block, mux to RGB. A channel of noise follows
    every demux, also at inference, from a fixed seed; the deviation is kept with the weights.

    Deviation: the paper gives no widths, slopes, output range or deviation of the noise. These
    widths make it take at most 0.56 of the SRCNN baseline's time at 1280x720 (Table 4: 1148 ms
    against 2044).

    Args:
        initial_deviation: of fresh weights, see `initialise`.
        noise_deviation: of the noise; 0 switches it off.
    """

    margin = 24

    def __init__(
        self, initial_deviation: float | None = 0.01, noise_deviation: float = 0.1
    ) -> None:
        super().__init__(noise_deviation)
        self.at_half = DenseBlock(12 + 1, 12, 2, 12)
        self.at_quarter = DenseBlock(48 + 1, 32, 4, 64)
        self.at_half_again = DenseBlock(16, 12, 2, 12)
        initialise(self, initial_deviation)

    def compute(self, x: Tensor) -> Enhanced:
        """The enhanced photo, of any size (padded to a multiple of 4)."""
        seed = self._seed()
        half = self.at_half(self._with_noise(demux(pad_to_multiple(x, 4)), seed))
        quarter = self.at_quarter(self._with_noise(demux(half), seed + 1))
        return Enhanced(crop_like(bounded(mux(self.at_half_again(mux(quarter)))), x))


class MuxHighPerformance(_Noisy):
    """BOE-SBG's high-performance configuration (Fig. 3): all convolutions at quarter size.

    demux twice, dense blocks, mux twice to RGB. A channel of noise follows every demux.

    Deviation: as `MuxNormal`'s. These widths make it take at most 0.39 of the SRCNN baseline's
    time at 1280x720 (Table 4: 806 ms against 2044).

    Args:
        initial_deviation: of fresh weights, see `initialise`.
        noise_deviation: of the noise; 0 switches it off.
    """

    margin = 40

    def __init__(
        self, initial_deviation: float | None = 0.01, noise_deviation: float = 0.1
    ) -> None:
        super().__init__(noise_deviation)
        self.blocks = nn.Sequential(DenseBlock(53, 16, 5, 48), DenseBlock(48, 16, 5, 48))
        initialise(self, initial_deviation)

    def compute(self, x: Tensor) -> Enhanced:
        """The enhanced photo, of any size (padded to a multiple of 4)."""
        seed = self._seed()
        half = self._with_noise(demux(pad_to_multiple(x, 4)), seed)
        quarter = self._with_noise(demux(half), seed + 1)
        return Enhanced(crop_like(bounded(mux(mux(self.blocks(quarter)))), x))
