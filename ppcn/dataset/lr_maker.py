"""LR photos of sharp ones: reduced bicubically, or as photos are that people have (`sr.lr`)."""

from dataclasses import dataclass

from ppcn.params import SuperResolution
from ppcn.photos.decode import Photo
from ppcn.photos.resize import SCALE, shrink
from ppcn.rig.camera import random_stream
from ppcn.rig.random_camera import record_at_random

# Cameras of held-out photos are the same whatever `seed` is, so that trainings can be compared.
HELD_OUT_SEED = 0


@dataclass(frozen=True)
class LRMaker:
    """Makes LR photos.

    Attributes:
        sr: the `sr` group of params.yaml. With `lr: camera` what a random camera records of the
            reduced photo is taken, blurred, noisy, sharpened and compressed, with its colours;
            a share stays as it was reduced.
        seed: of cameras and noise.
    """

    sr: SuperResolution
    seed: int

    def train(self, hr: Photo, *names: str, scale: int = SCALE) -> Photo:
        """The LR version of a crop to train on.

        Args:
            hr: (H, W, 3) uint8; H and W divide by the scale.
            names: what tells the crop from all others.
            scale: HR pixels per LR pixel, along a side.

        Returns:
            (H / scale, W / scale, 3) uint8.
        """
        return self._made(hr, scale, self.seed, "train", *names)

    def held_out(self, hr: Photo, name: str) -> Photo:
        """The LR version of a held-out photo; see `train`."""
        return self._made(hr, SCALE, HELD_OUT_SEED, "held out", name)

    def _made(self, hr: Photo, scale: int, seed: int, *names: str) -> Photo:
        small = shrink(hr, scale)
        if self.sr.lr != "camera":
            return small
        return record_at_random(small, self.sr.camera, random_stream(seed, "lr", *names))
