import io

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from ppcn.photos.decode import encode_jpeg, read_photo
from ppcn.photos.likeness import ALIKE, gradient_key, likeness


@pytest.mark.parametrize("name", ["casa-mila", "lake-sherburne"])
def test_a_copy_is_known_by_any_size_and_quality_and_nothing_else(name: str) -> None:
    photo = read_photo(ROOT / f"data/sample/{name}.jpg")
    key = gradient_key(photo)
    encoded = np.asarray(Image.open(io.BytesIO(encode_jpeg(photo, 30))))
    small = np.asarray(Image.fromarray(photo).resize((150, 100)))
    for copy in (encoded, small, (photo * 0.7).astype(np.uint8), photo[:-3, :-3]):
        assert likeness(key, gradient_key(copy)) > ALIKE + 0.05
    other = read_photo(ROOT / "data/sample/canyon-wren.jpg")
    assert likeness(key, gradient_key(other)) < 0.3
    plain = gradient_key(np.full((50, 60, 3), 90, np.uint8))
    assert likeness(plain, plain) == 0
