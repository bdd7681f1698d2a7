from pathlib import Path

import numpy as np
from torch import nn

from ppcn.dataset.sr_set import read_photos, save_photos
from ppcn.photos.resize import enlarge, shrink
from ppcn.training.validation import validation_photos


def test_validation_photos_are_the_middle_of_held_out_photos(
    tmp_path: Path, scene: np.ndarray
) -> None:
    assert save_photos(tmp_path / "v.h5", [("a", scene, shrink(scene))]) == 1
    small = validation_photos(read_photos(tmp_path / "v.h5"), enlarged=False)
    assert np.array_equal(small.inputs[0], shrink(scene)[68:132, 118:182])
    pairs = validation_photos(read_photos(tmp_path / "v.h5"), enlarged=True)
    assert pairs.inputs.shape == (1, 256, 256, 3)
    assert np.array_equal(pairs.targets[0], scene[272:528, 472:728])
    assert np.array_equal(pairs.inputs[0], enlarge(shrink(scene))[272:528, 472:728])
    assert 20 < pairs.psnr(nn.Identity()) < 60
