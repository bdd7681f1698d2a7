import numpy as np

from ppcn.evaluation.photo_protocol import DO_NOTHING
from ppcn.report.held_out_pictures import EnhancedPhoto, middle_photo, sr_sliders, worst_and_best


def _photo(stem: str, gain: float) -> EnhancedPhoto:
    return EnhancedPhoto(stem, {}, {DO_NOTHING: {"psnr": 20.0}, "x": {"psnr": 20.0 + gain}})


def test_the_worst_come_first_the_best_last_and_none_twice() -> None:
    gains = [3.0, 1.0, 9.0, 2.0, 7.0, 5.0, 8.0]
    photos = [_photo(str(number), gain) for number, gain in enumerate(gains)]
    assert [photo.gain("x") for photo in worst_and_best(photos, "x")] == [1, 2, 3, 8, 9]
    assert middle_photo(photos, "x").gain("x") == 5
    for few in (1, 2, 4):
        chosen = worst_and_best(photos[:few], "x")
        assert len({photo.stem for photo in chosen}) == len(chosen) == few


def test_details_of_super_resolution_are_where_the_edges_are() -> None:
    photo = np.full((800, 1000, 3), 128, np.uint8)
    photo[500:700:2, 600:900] = 0
    methods = {"flat": lambda lr: np.zeros(photo.shape), "same": lambda lr: photo / 255}
    (slider,) = sr_sliders([("one", (photo, photo[::4, ::4]))], methods, "same")
    assert [layer.title for layer in slider.layers] == ["flat", "same", "original"]
    assert slider.layers[1].uri == slider.layers[2].uri
    assert (slider.layers[0].width, slider.layers[0].height) == (480, 360)
    assert slider.right == 1
