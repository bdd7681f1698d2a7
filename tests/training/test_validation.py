from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from torch import nn

from ppcn.dataset.sr_set import open_held_out, write_photos
from ppcn.errors import UserError
from ppcn.files.artifacts import create_hdf5
from ppcn.photos.color import luma
from ppcn.photos.niqe import niqe
from ppcn.photos.resize import enlarge, shrink, tile
from ppcn.training.validation import ValidationPairs, validation_photos


def test_validation_photos_are_the_middle_of_held_out_photos(
    tmp_path: Path, scene: np.ndarray
) -> None:
    with create_hdf5(tmp_path / "v.h5", {}) as file:
        assert write_photos(file, [("a", scene, shrink(scene))]) == 1
    with open_held_out(tmp_path / "v.h5") as held_out:
        small = validation_photos(held_out, enlarged=False)
        pairs = validation_photos(held_out, enlarged=True)
    assert np.array_equal(small.inputs[0], shrink(scene)[68:132, 118:182])
    assert pairs.inputs.shape == (1, 256, 256, 3)
    assert np.array_equal(pairs.targets[0], scene[272:528, 472:728])
    assert np.array_equal(pairs.inputs[0], enlarge(shrink(scene))[272:528, 472:728])
    assert 20 < pairs.psnr(nn.Identity()) < 60


def test_outputs_on_patches_have_one_niqe(scene: np.ndarray) -> None:
    patches = np.stack(list(tile(scene, 100)))[:40]
    blurred = gaussian_filter(patches, (0, 2, 2, 0))
    sharp, soft = (ValidationPairs(p, patches).niqe(nn.Identity()) for p in (patches, blurred))
    assert sharp == pytest.approx(niqe(luma(scene / 255)), rel=0.3)
    assert soft > sharp + 1
    flat = np.full_like(patches, 90)
    assert ValidationPairs(flat, patches).niqe(nn.Identity()) == np.inf


@pytest.mark.parametrize("count, size, defined", [(2, 96, True), (1, 192, True), (1, 100, False)])
def test_images_without_niqe_are_refused(count: int, size: int, defined: bool) -> None:
    images = np.zeros((count, size, size, 3), np.uint8)
    small = ValidationPairs(images[:, :80, :80], images[:, :80, :80])
    for pairs, allowed in ((ValidationPairs(images, images), defined), (small, False)):
        if allowed:
            pairs.check_niqe()
        else:
            with pytest.raises(UserError, match="keep is niqe, which needs two validation images"):
                pairs.check_niqe()
