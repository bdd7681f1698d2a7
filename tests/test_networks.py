from pathlib import Path

import numpy as np
import pytest
import torch

from ppcn.images import read_photo
from ppcn.networks import NETWORKS
from ppcn.networks.ppcn import Discriminator, Student, Teacher
from ppcn.networks.superres import SuperResolver
from ppcn.resize import crop_to_multiple, enlarge, shrink
from ppcn.scoring import do_nothing, run_network, score_enhancement, score_superres

PARAMETERS = {"ppcn_teacher": 21843, "ppcn_student": 2715, "ppcn_sr": 236560}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameter_counts(name: str) -> None:
    assert sum(p.numel() for p in NETWORKS[name]().parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(100, 100), (37, 53), (1, 9), (4, 4)])
def test_any_size(name: str, size: tuple[int, int]) -> None:
    if name != "ppcn_sr" and min(size) == 1:
        size = (2, 9)
    with torch.no_grad():
        output = NETWORKS[name]().eval()(torch.rand(2, 3, *size))
    assert output.shape == (2, 3, *size)


@pytest.mark.parametrize("network", [Teacher, Student])
def test_outputs_are_bounded_and_taps_have_the_images_size(network) -> None:
    enhanced = network().enhance(torch.rand(1, 3, 20, 30) * 50)
    assert enhanced.image.min() >= -0.08
    assert enhanced.image.max() <= 1.08
    assert [tap.shape[2:] for tap in enhanced.taps] == [(20, 30), (20, 30)]


def test_discriminator_gives_a_logit_for_each_patch_and_sees_only_grey() -> None:
    torch.manual_seed(0)
    network = Discriminator().eval()
    x = torch.rand(3, 3, 100, 100)
    grey = (x * torch.tensor([0.2989, 0.5870, 0.1140]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    assert network(x).shape == (3,)
    torch.testing.assert_close(network(x), network(grey.expand(-1, 3, -1, -1) / 0.9999))


def _published_student(path: Path) -> Student:
    stored = {name: torch.from_numpy(value) for name, value in np.load(path).items()}
    scope = "generator_little/"
    state = {}
    for i in range(5):
        state[f"conv{i}.weight"] = stored[f"{scope}W{i}"].permute(3, 2, 0, 1)
        state[f"conv{i}.bias"] = stored[f"{scope}b{i}"]
    names = ("norm2.bias", "norm2.weight", "norm3.bias", "norm3.weight")
    for name, variable in zip(
        names, ("Variable", "Variable_1", "Variable_2", "Variable_3"), strict=True
    ):
        state[name] = stored[scope + variable]
    network = Student()
    network.load_state_dict(state)
    return network


def _published_sr(path: Path) -> SuperResolver:
    stored = {name: torch.from_numpy(value) for name, value in np.load(path).items()}
    scopes = {
        "down1": "downsample/1",
        "down2": "downsample/2",
        "reduce": "n64s1/c1",
        "fuse": "n64s1/c/m",
        "up1": "conv2d",
        "up2": "conv2d_1",
    }
    for b in (0, 1):
        scopes[f"blocks.{b}.transition"] = f"trans/{b + 1}"
        for m in (0, 1):
            scopes[f"blocks.{b}.modules_.{m}.expand"] = f"res{b + 1}/{m}/conv1"
            scopes[f"blocks.{b}.modules_.{m}.reduce"] = f"res{b + 1}/{m}/conv2"
    state = {}
    for name, scope in scopes.items():
        state[f"{name}.weight"] = stored[f"generator/{scope}/kernel"].permute(3, 2, 0, 1)
        state[f"{name}.bias"] = stored[f"generator/{scope}/bias"]
    network = SuperResolver()
    network.load_state_dict(state)
    return network


@pytest.mark.reference
def test_published_student_reaches_its_published_score(reference: Path) -> None:
    folder = reference / "pirm_patches"
    pairs = [
        (read_photo(path), read_photo(folder / "canon" / path.name))
        for path in sorted((folder / "iphone").iterdir())
    ]
    student = run_network(_published_student(reference / "ppcn_student.npz"))
    scores = score_enhancement({"do_nothing": do_nothing, "student": student}, pairs)
    assert (scores["images"], scores["identical"]) == (100, 1)
    assert scores["student"]["psnr"] == pytest.approx(22.607, abs=0.03)
    assert scores["student"]["ms_ssim"] == pytest.approx(0.9284, abs=0.001)


@pytest.mark.reference
def test_published_super_resolution_reaches_its_published_score(reference: Path) -> None:
    sharp = [crop_to_multiple(read_photo(p)) for p in sorted((reference / "set5").glob("*_HR.png"))]
    network = run_network(_published_sr(reference / "ppcn_sr.npz"))
    scores = score_superres(
        {"bicubic": do_nothing, "sr": network}, [(hr, enlarge(shrink(hr))) for hr in sharp]
    )
    assert scores["bicubic"]["psnr"] == pytest.approx(28.429, abs=0.03)
    assert scores["bicubic"]["ssim"] == pytest.approx(0.8111, abs=0.001)
    assert scores["sr"]["psnr"] == pytest.approx(31.386, abs=0.03)
    assert scores["sr"]["ssim"] == pytest.approx(0.8843, abs=0.001)
