"""Networks of other programs, and this project's for programs that use spandrel."""

import builtins
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import fresh, refusal, run, textured
from safetensors.torch import save_file
from test_foreign import Bomb

import ppcn
from ppcn import losses
from ppcn.errors import UserError
from ppcn.inference.overlapped import Overlapped
from ppcn.inference.photo_rows import ArrayRows
from ppcn.inference.tiled import assemble
from ppcn.photos.decode import read_photo, write_photo
from ppcn.training.sr_teacher import SRTeacher
from ppcn.weights import SHIPPED
from ppcn.weights.spandrel_models import import_spandrel, load_foreign_model
from ppcn.weights.upscalers import load_upscaler

pytestmark = pytest.mark.skipif(not find_spec("spandrel"), reason="spandrel is an extra")
SET = ("--hr-dir=set", "--json=s.json")


def compact(scale: int = 2) -> torch.nn.Module:
    """A network of an architecture that spandrel ships, with random weights."""
    import_spandrel()
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(0)
    return Compact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=4, upscale=scale)


def swin() -> torch.nn.Module:
    """A network with windows of attention."""
    import_spandrel()
    from spandrel.architectures.SwinIR import SwinIR

    torch.manual_seed(0)
    sizes = {"embed_dim": 12, "depths": [2], "num_heads": [2], "window_size": 8, "img_size": 32}
    return SwinIR(upscale=2, mlp_ratio=2, upsampler="pixelshuffledirect", **sizes)


def expected(path: Path, photo: np.ndarray) -> np.ndarray:
    """What spandrel itself makes of a whole photo."""
    model = import_spandrel().ModelLoader().load_from_file(path).eval()
    x = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    return model(x)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_photos_are_enlarged_as_spandrel_does(tmp_path: Path, scale: int, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    state = compact(scale).state_dict()
    save_file(state, path) if suffix == ".safetensors" else torch.save({"params": state}, path)
    photo = textured(37, 50)
    result = ppcn.upscale(photo, path)
    assert result.shape == (37 * scale, 50 * scale, 3)
    assert np.abs(result - expected(path, photo) * 255).max() < 0.51


@pytest.mark.parametrize("make", [compact, swin])
def test_tiles_have_no_seams_where_they_overlap_enough(tmp_path: Path, make) -> None:
    """Convolutions, and windows of attention, on a photo whose sides are no multiple of these."""
    torch.save(make().state_dict(), tmp_path / "model.pth")
    photo = textured(130, 175)
    whole = expected(tmp_path / "model.pth", photo)
    model = load_foreign_model(tmp_path / "model.pth")

    def differs(overlap: int) -> float:
        tiles = Overlapped(model, side=96, overlap=overlap).tiles(ArrayRows(photo))
        return float(np.abs(assemble(tiles, 260, 350) - whole).max())

    assert differs(32) < 1e-5
    assert differs(0) > 1e-3


def test_commands_take_the_file(tmp_path: Path) -> None:
    torch.save(compact().state_dict(), tmp_path / "model.pth")
    write_photo(tmp_path / "a.png", textured(40, 60))
    done = run(tmp_path, "upscale", "a.png", "--weights=model.pth", "--out=large.png")
    assert done.returncode == 0, done.stderr
    photo = read_photo(tmp_path / "a.png")
    large = read_photo(tmp_path / "large.png")
    assert np.abs(large - expected(tmp_path / "model.pth", photo) * 255).max() < 0.51
    (tmp_path / "set").mkdir()
    write_photo(tmp_path / "set/a.png", textured(80, 80))
    done = run(tmp_path, "score-sr", "--weights=model.pth", *SET)
    assert "RealESRGAN Compact: psnr" in done.stdout and "shave2" in done.stdout, done


def test_they_teach(tmp_path: Path) -> None:
    """Squares of what is learnt from keep the teacher's photo for the way back."""
    torch.save(compact().state_dict(), tmp_path / "model.pth")
    teacher = SRTeacher(tmp_path / "model.pth")
    photo = textured(16, 20)
    taught = teacher(torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255)
    whole = expected(tmp_path / "model.pth", photo)
    assert np.abs(taught[0].permute(1, 2, 0).numpy() - whole).max() < 1e-5
    learns = torch.zeros_like(taught, requires_grad=True)
    losses.squared(learns, taught).backward()
    assert teacher.scale == 2 and float(learns.grad.abs().max()) > 0


OPTIONS = [
    ("--runtime=openvino", "model.pth: networks of other programs are computed with torch"),
    ("--memory=64", "computed in tiles of 256 px, whatever memory they take"),
]


@pytest.mark.parametrize(("option", "sentence"), OPTIONS)
def test_what_only_our_networks_can_is_refused(tmp_path: Path, option: str, sentence: str) -> None:
    torch.save(compact().state_dict(), tmp_path / "model.pth")
    write_photo(tmp_path / "a.png", textured(40, 60))
    assert sentence in refusal(tmp_path, "upscale", "a.png", "--weights=model.pth", option)
    assert not (tmp_path / "upscaled").exists()


def test_files_that_cannot_be_read_are_told_apart(tmp_path: Path) -> None:
    state = compact().state_dict()
    torch.save({**state, "bomb": Bomb(tmp_path / "exploded")}, tmp_path / "bomb.pth")
    torch.save({"a": torch.zeros(3)}, tmp_path / "unknown.pth")
    torch.save(state, tmp_path / "whole.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:3000])
    torch.save({**state, "body.2.weight": torch.zeros(3, 3, 3, 3)}, tmp_path / "other.pth")
    torch.save(compact(1).state_dict(), tmp_path / "same.pth")
    torch.save([torch.zeros(3)], tmp_path / "list.pth")
    for name, sentence in {
        "bomb": "holds more than tensors, which is not unpickled",
        "unknown": "of no architecture that spandrel",
        "cut": "damaged weights file",
        "other": "spandrel cannot make a network of it .RuntimeError",
        "same": "holds RealESRGAN Compact, which does not enlarge photos",
        "list": "holds no tensors by name",
    }.items():
        with pytest.raises(UserError, match=rf"{name}\.pth: {sentence}"):
            load_foreign_model(tmp_path / f"{name}.pth")
    assert not (tmp_path / "exploded").exists()


def test_without_spandrel_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(compact().state_dict(), tmp_path / "model.pth")
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(UserError, match=r"pip install 'ppcn\[spandrel\]'"):
        ppcn.upscale(textured(20, 20), tmp_path / "model.pth")


def test_torchvision_is_not_needed_and_stands_in_for_nobody_else() -> None:
    import_spandrel()
    if not find_spec("torchvision"):
        assert "torchvision" not in sys.modules
        with pytest.raises(ImportError):
            builtins.__import__("torchvision")


def test_our_networks_can_be_added_to_spandrel(tmp_path: Path) -> None:
    from ppcn.weights.for_spandrel import SUPPORTED

    spandrel = import_spandrel()
    registry = spandrel.MAIN_REGISTRY.copy()
    registry.add(*SUPPORTED)
    loader = spandrel.ModelLoader(registry=registry)
    photo = textured(24, 30)
    x = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    plain = fresh("plain_sr")
    torch.save(plain.state_dict(), tmp_path / "plain.pth")
    loaded = loader.load_from_file(tmp_path / "plain.pth")
    assert (loaded.architecture.name, loaded.scale) == ("PPCN plain_sr", 4)
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), plain(x).clamp(0, 1))
    loaded = loader.load_from_file(SHIPPED / "ppcn_sr.safetensors")
    ours = ppcn.upscale(photo, "ppcn_sr").astype(float)
    theirs = loaded(x)[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(ours - theirs).mean() < 0.5 and np.abs(ours - theirs).max() < 4


def test_our_weights_stay_ours() -> None:
    upscaler = load_upscaler(SHIPPED / "ppcn_sr.safetensors")
    assert (upscaler.input, upscaler.scale, upscaler.is_foreign) == ("lr_bicubic", 4, False)
    with pytest.raises(UserError, match="holds ppcn_teacher, which does not enlarge photos"):
        load_upscaler(SHIPPED / "any.safetensors")
