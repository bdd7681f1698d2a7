"""Photos of which a part is invisible: what is hidden has no effect on what is seen."""

from pathlib import Path

import numpy as np
import pytest
import pyvips
import torch
from conftest import make_network, mostly_slow, textured
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import ppcn
import ppcn.inference.tile_grid
import ppcn.inference.tiled
from ppcn.inference.photo_rows import ArrayRows
from ppcn.inference.predictor import Enlarged, Predictor
from ppcn.inference.runtimes import RuntimeName, make_runtime
from ppcn.inference.statistics import visible_cells
from ppcn.inference.tiled import Tiled, assemble
from ppcn.networks.layers import InstanceNorm, PhotoMean, with_mirrored_margin
from ppcn.photos.formats import EncodeOptions
from ppcn.photos.hidden_pixels import filled
from ppcn.photos.photo_file import PhotoFile


def shape_of(height: int, width: int) -> np.ndarray:
    """A slanted part of a photo that is visible, with a hole, (height, width)."""
    y, x = np.mgrid[0:height, 0:width]
    return (x + y < 0.6 * (height + width)) & ((x // 5 + y // 7) % 3 > 0)


def alpha_of(visible: np.ndarray, white: float = 255) -> np.ndarray:
    """Transparency: what is visible is so by any share from the least on."""
    shares = np.random.default_rng(5).integers(1, 256, visible.shape)
    return visible * (shares / 255 * white)


def pair(size: tuple[int, int], kind: type = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    """Two photos (H, W, 4) that differ in hidden pixels alone."""
    visible = shape_of(*size)
    white = {np.uint8: 255, np.uint16: 65535}.get(kind, 1)
    one, other = (textured(*size, seed) / 255 * white for seed in (0, 1))
    other[visible] = one[visible]
    alpha = alpha_of(visible, white)
    first, second = (np.dstack((pixels, alpha)).astype(kind) for pixels in (one, other))
    return first, second


def exact(network: nn.Module, pixels: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """The network in float64 on the whole photo, norms and means over what is visible."""
    mask = torch.tensor(visible)[None, None].double()
    if getattr(network, "padding", "zero") == "mirror":
        mask = with_mirrored_margin(mask, network.margin)

    def mean(x: Tensor) -> Tensor:
        step = 2 ** round(np.log2(mask.shape[3] / x.shape[3]))
        more = [step * x.shape[axis] - mask.shape[axis] for axis in (3, 2)]
        cells = F.max_pool2d(F.pad(mask, (0, more[0], 0, more[1]), mode="replicate"), step)
        return (x * cells).sum((2, 3), keepdim=True) / cells.sum()

    def norm(self: InstanceNorm, x: Tensor) -> Tensor:
        centred = x - mean(x)
        scaled = centred / (mean(centred.square()) + self.epsilon).sqrt()
        return scaled * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)

    x = torch.tensor(pixels).permute(2, 0, 1)[None].double() / 255
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(PhotoMean, "forward", lambda self, x: mean(x))
        patch.setattr(InstanceNorm, "forward", norm)
        result = network.double()(x)[0].permute(1, 2, 0).numpy()
    network.float()
    return result


def of_tiles(tiled: Tiled, pixels: np.ndarray, visible: np.ndarray) -> np.ndarray:
    rows = ArrayRows(pixels, visible)
    return assemble(tiled.tiles(rows), rows.height * tiled.scale, rows.width * tiled.scale)


@pytest.mark.parametrize("memory", [1, 2**40], ids=["in tiles", "maps kept"])
@pytest.mark.parametrize("padding", ["zero", "mirror"])
@pytest.mark.parametrize(
    "name",
    mostly_slow(
        ["ppcn_student", "ppcn_teacher", "ppcn_sr", "mux_high_performance", "mux_normal"],
        ["ppcn_student", "ppcn_sr", "mux_high_performance"],
    ),
)
def test_statistics_count_what_is_visible(
    name: str, padding: str, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, visible = make_network(name), shape_of(70, 90)
    if name != "ppcn_sr":
        network.padding = padding
    pixels = filled(textured(70, 90), visible)
    expected = exact(network, pixels, visible)
    tiled = Tiled(network, memory)
    monkeypatch.setattr(ppcn.inference.tiled, "STRIP_BYTES", 2000 * tiled.bytes_per_pixel)
    monkeypatch.setattr(ppcn.inference.tile_grid, "STRIP_RADII", 2)
    tiled._memory = max(memory, 40**2 * tiled.bytes_per_pixel)
    result = of_tiles(tiled, pixels, visible)
    assert np.abs(result - expected).max() <= 2e-5
    counting_all = assemble(tiled.tiles(ArrayRows(pixels)), *visible.shape)
    assert np.abs(counting_all - expected).max() > 1e-3


@pytest.mark.parametrize("runtime", ["openvino", "onnx"])
def test_norms_of_other_runtimes_count_what_is_visible(runtime: RuntimeName) -> None:
    network, visible = make_network("ppcn_student"), shape_of(48, 64)
    pixels = filled(textured(48, 64), visible)
    tiled = Tiled(network, 2**40, make_runtime(runtime))
    expected = exact(network, pixels, visible)
    assert np.abs(of_tiles(tiled, pixels, visible) - expected).max() <= 1e-5


def test_bfloat16_counts_what_is_visible() -> None:
    runtime = make_runtime("torch", "float32")
    if not runtime.has_bfloat16:
        pytest.skip("this processor does not compute in bfloat16")
    network, visible = make_network("ppcn_student"), shape_of(64, 64)
    pixels = filled(textured(64, 64), visible)
    tiled = Tiled(network, 2**40, make_runtime("torch", "bfloat16"))
    apart = np.abs(of_tiles(tiled, pixels, visible) - exact(network, pixels, visible))
    assert apart.max() < 0.1
    assert apart.mean() < 0.01


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.float64])
def test_what_is_hidden_in_an_array_has_no_effect(weights: Path, kind: type) -> None:
    one, other = pair((60, 80), kind)
    visible = one[..., 3] > 0
    first, second = (ppcn.enhance(image, weights=weights) for image in (one, other))
    assert np.array_equal(first[visible], second[visible])
    assert np.abs(first[visible] - one[visible].astype(float)).max() > 0
    for image, result in ((one, first), (other, second)):
        assert np.array_equal(result[~visible], image[~visible])
    small = slice(0, 20), slice(0, 30)
    assert np.array_equal(ppcn.upscale(one[small]), ppcn.upscale(other[small]))


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (9, 30)], ids=str)
def test_photos_that_are_hidden_or_all_but_one_pixel(size: tuple[int, int], weights: Path) -> None:
    image = np.dstack((textured(*size), np.zeros(size, np.uint8)))
    assert np.array_equal(ppcn.enhance(image, weights=weights), image)
    assert ppcn.upscale(image).shape == (4 * size[0], 4 * size[1], 4)
    image[-1, -1, 3] = 1
    other = image.copy()
    other[..., :3][image[..., 3] == 0] = 255
    first, second = (ppcn.enhance(one, weights=weights)[-1, -1] for one in (image, other))
    assert np.array_equal(first, second)
    assert first[:3].max() > 0
    assert np.array_equal(ppcn.upscale(image)[..., :3], ppcn.upscale(other)[..., :3])


def test_a_photo_that_is_wholly_visible_is_as_without_transparency(weights: Path) -> None:
    photo = textured(60, 80)
    for alpha in (1, 255):
        image = np.dstack((photo, np.full((60, 80), alpha, np.uint8)))
        plain = ppcn.enhance(photo, weights=weights)
        assert np.array_equal(ppcn.enhance(image, weights=weights)[..., :3], plain)


def write(path: Path, image: np.ndarray) -> None:
    """Write (H, W, 4), or (H, W, 2) grey, of 8 or 16 bits."""
    names = {(1, 4): "srgb", (2, 4): "rgb16", (1, 2): "b-w", (2, 2): "grey16"}
    kind = names[image.dtype.itemsize, image.shape[2]]
    pyvips.Image.new_from_array(image).copy(interpretation=kind).write_to_file(str(path))


def read(path: Path) -> np.ndarray:
    # Not by name, under which libvips remembers what it read before.
    pixels: np.ndarray = pyvips.Image.new_from_buffer(path.read_bytes(), "").numpy()
    return pixels


def predict(predictor: Predictor, path: Path, strength: float = 1.0) -> np.ndarray:
    out = path.parent / "out" / path.name
    predictor.predict(PhotoFile(path), out, EncodeOptions(), lambda done, total: None, strength)
    assert [one.name for one in out.parent.iterdir()] == [path.name]
    result = read(out)
    out.unlink()
    return result


@pytest.mark.parametrize("memory", [1, None], ids=["in tiles", "maps kept"])
@pytest.mark.parametrize(
    ("kind", "grey", "suffix"),
    [
        (np.uint8, False, ".png"),
        (np.uint8, True, ".png"),
        (np.uint16, True, ".png"),
        (np.uint16, False, ".tif"),
    ],
)
def test_what_is_hidden_in_a_file_has_no_effect(
    tmp_path: Path, weights: Path, grey: bool, kind: type, suffix: str, memory: int | None
) -> None:
    predictor = Predictor(weights, "enhance", memory)
    images = [image[..., 2:] if grey else image for image in pair((60, 80), kind)]
    visible = images[0][..., -1] > 0
    results = []
    for number, image in enumerate(images):
        write(path := tmp_path / f"{number}{suffix}", image)
        results.append(predict(predictor, path))
        assert np.array_equal(results[-1][~visible], image[~visible])
        assert np.array_equal(results[-1][..., -1], image[..., -1])
        if not grey:
            apart = results[-1].astype(float) - ppcn.enhance(image, weights=weights)
            assert np.abs(apart).max() <= (1 if kind is np.uint8 else 2)
        assert np.array_equal(predict(predictor, path, strength=0), image)
    assert np.array_equal(results[0][visible], results[1][visible])
    halves = [predict(predictor, tmp_path / f"{n}{suffix}", strength=0.5) for n in (0, 1)]
    assert np.array_equal(halves[0][visible], halves[1][visible])


def test_what_is_hidden_in_a_file_has_no_effect_on_its_enlargement(tmp_path: Path) -> None:
    results = []
    for number, image in enumerate(pair((20, 30))):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
        results.append(predict(Predictor("ppcn_sr", "upscale"), tmp_path / f"{number}.png"))
    assert np.array_equal(*results)


@pytest.mark.parametrize("alpha", [0, 1, 255])
def test_files_that_are_wholly_hidden_or_visible(tmp_path: Path, weights: Path, alpha: int) -> None:
    photo = textured(40, 50)
    image = np.dstack((photo, np.full((40, 50), alpha, np.uint8)))
    Image.fromarray(image).save(tmp_path / "a.png")
    result = predict(Predictor(weights, "enhance"), tmp_path / "a.png")
    expected = ppcn.enhance(photo, weights=weights) if alpha else photo
    assert np.array_equal(result[..., :3], expected)
    assert np.array_equal(result[..., 3], image[..., 3])


def test_cells_of_smaller_maps_hold_a_visible_pixel() -> None:
    visible = np.zeros((5, 6), bool)
    visible[3, 1] = visible[4, 5] = True
    assert np.array_equal(visible_cells(visible, 1, 5, 6), visible)
    half = visible_cells(visible, 0.5, 4, 4)
    assert half.tolist() == [[0] * 4, [1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    assert visible_cells(visible, 0.25, 2, 2).tolist() == [[1, 0], [0, 1]]
    assert np.array_equal(
        visible_cells(visible, 2, 10, 12), visible.repeat(2, axis=0).repeat(2, axis=1)
    )
    assert visible_cells(np.ones((1, 1), bool), 0.5, 2, 2).all()


def test_enlarged_rows_are_visible_where_the_photo_is() -> None:
    visible = shape_of(11, 13)
    rows = Enlarged(ArrayRows(textured(11, 13), visible))
    whole = visible.repeat(4, axis=0).repeat(4, axis=1)
    for top, bottom in ((0, 44), (3, 9), (8, 12), (0, 1)):
        assert np.array_equal(rows.read_visible(top, bottom), whole[top:bottom])
    assert Enlarged(ArrayRows(textured(11, 13))).read_visible(0, 3) is None
