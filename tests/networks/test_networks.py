from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import fresh, make_network, mostly_slow
from torch import nn
from torch.export import Dim, export
from torch.nn import functional as F

from ppcn.evaluation.complexity import count_parameters, macs_per_pixel
from ppcn.evaluation.protocols import (
    bicubic,
    do_nothing,
    run_network,
    run_upscaler,
    score_enhancement,
    score_sr,
)
from ppcn.inference.receptive_field import ReceptiveFieldProbe
from ppcn.inference.segments import cut_at_statistics
from ppcn.networks import NETWORKS
from ppcn.networks.discriminators import Discriminator
from ppcn.networks.layers import with_mirrored_margin, without_margin
from ppcn.networks.muxdemux import MuxHighPerformance, MuxNormal, demux, mux, position_noise
from ppcn.networks.ppcn import Student, Teacher
from ppcn.params import NetworkName
from ppcn.photos.decode import read_photo
from ppcn.photos.resize import SCALE, crop_to_multiple, shrink
from ppcn.weights.tensorflow import import_checkpoint

PARAMETERS = {
    "ppcn_teacher": 21_843,
    "ppcn_student": 2_715,
    "ppcn_sr": 236_560,
    "plain_sr": 144_240,
    "srcnn": 69_249,
    "dped_resnet_12_64": 401_475,
    "resnet_8_32": 71_331,
    "johnson": 401_859,
    "mux_normal": 133_468,
    "mux_high_performance": 131_904,
    "vdsr": 665_921,
    "fsrcnn": 12_809,
}
SIZES = [(100, 100), (37, 53), (1, 9), (1, 1)]


@pytest.mark.parametrize("name", NETWORKS)
def test_parameter_counts(name: str) -> None:
    assert count_parameters(NETWORKS[name].make()) == PARAMETERS[name]


def test_multiply_adds_per_pixel_are_the_papers() -> None:
    assert macs_per_pixel("ppcn_teacher") == pytest.approx(21_500, rel=0.01)
    assert macs_per_pixel("ppcn_student") == pytest.approx(2_600, rel=0.01)
    kernels = 81 * 3 * 64 + 25 * 64 * 32 + 25 * 32 * 3
    assert macs_per_pixel("srcnn") == kernels
    fsrcnn = 25 * 56 + 56 * 12 + 4 * 9 * 12 * 12 + 12 * 56 + 81 * 56
    assert macs_per_pixel("fsrcnn") == pytest.approx(fsrcnn / SCALE**2)


def test_the_enhancement_networks_of_the_parameters_are_the_networks() -> None:
    enhancing = {name for name, network in NETWORKS.items() if network.input == "image"}
    assert enhancing == set(NetworkName.__args__)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", SIZES)
def test_any_size(name: str, size: tuple[int, int]) -> None:
    scale = SCALE if NETWORKS[name].input == "lr" else 1
    with torch.no_grad():
        output = fresh(name)(torch.rand(2, 3, *size))
    assert output.shape == (2, 3, scale * size[0], scale * size[1])
    assert torch.isfinite(output).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_gives_nearly_the_same(name: str) -> None:
    network, x = fresh(name), torch.rand(1, 3, 40, 52)
    with torch.no_grad():
        exact = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = network(x)
        low = network.bfloat16()(x.bfloat16())
    assert low.dtype == torch.bfloat16
    # Eight bits of mantissa, in a range of 1, after some twenty roundings.
    for rounded in (mixed, low):
        assert float((rounded.float() - exact).abs().mean()) < 0.02


@pytest.mark.parametrize("name", mostly_slow(NETWORKS, ["ppcn_student", "ppcn_sr"]))
def test_one_export_serves_every_size(name: str) -> None:
    network = fresh(name)
    sizes = {"x": {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}}
    exported = export(network, (torch.rand(2, 3, 40, 52),), dynamic_shapes=sizes).module()
    for size in ((1, 33, 47), (2, 64, 70)):
        x = torch.rand(size[0], 3, *size[1:])
        torch.testing.assert_close(exported(x), network(x))


@pytest.mark.gpu
@pytest.mark.parametrize("name", NETWORKS)
def test_a_gpu_gives_the_same(name: str) -> None:
    network, x = fresh(name), torch.rand(1, 3, 60, 84)
    with torch.no_grad():
        torch.testing.assert_close(
            network.cuda()(x.cuda()).cpu(), network.cpu()(x), atol=2e-3, rtol=0
        )


@pytest.mark.parametrize("network", [Teacher, Student])
def test_outputs_are_bounded_and_taps_have_the_images_size(network) -> None:
    enhanced = network().enhance(torch.rand(1, 3, 20, 30) * 50)
    assert enhanced.image.min() >= -0.08
    assert enhanced.image.max() <= 1.08
    assert [tap.shape[2:] for tap in enhanced.taps] == [(20, 30), (20, 30)]


ENHANCERS = [name for name, row in NETWORKS.items() if row.input == "image"]


@pytest.mark.parametrize("name", ENHANCERS)
def test_mirrored_padding_is_zero_padding_of_a_mirrored_photo(name: str) -> None:
    network = make_network(name)
    margin = network.margin
    x = torch.rand(1, 3, 2 * margin + 4, 3 * margin + 4)
    wide = torch.from_numpy(
        np.pad(x.numpy(), ((0,) * 2, (0,) * 2, *((margin,) * 2,) * 2), "reflect")
    )
    with torch.no_grad():
        expected = network(wide)[:, :, margin:-margin, margin:-margin]
        with_zeros = network(x)
        network.padding = "mirror"
        assert torch.equal(network(x), expected)
    assert (with_zeros - expected).abs().max() > 1e-3


@pytest.mark.parametrize("name", ENHANCERS)
def test_a_margin_is_what_a_network_sees_in_its_groups(name: str) -> None:
    network = make_network(name)
    probe = ReceptiveFieldProbe(cut_at_statistics(network))
    assert network.margin == probe.radius
    assert network.margin % probe.group == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3, 30), (10, 11)])
def test_photos_smaller_than_the_margin_are_mirrored_again_and_again(size: tuple[int, int]) -> None:
    x = torch.rand(1, 3, *size)
    expected = np.pad(x.numpy(), ((0, 0), (0, 0), (10, 10), (10, 10)), mode="reflect")
    wide = with_mirrored_margin(x, 10)
    assert np.array_equal(wide.numpy(), expected)
    assert torch.equal(without_margin(wide, 10), x)


def test_maps_to_distil_have_the_photos_size_when_it_is_mirrored() -> None:
    network = Teacher()
    network.padding = "mirror"
    assert {x.shape[2:] for x in network.enhance(torch.rand(1, 3, 20, 30)).taps} == {(20, 30)}


@pytest.mark.parametrize("kind", ["ppcn", "dped"])
def test_discriminators_give_a_logit_for_each_patch_and_see_only_grey(kind: str) -> None:
    torch.manual_seed(0)
    network = Discriminator(kind=kind).eval()
    x = torch.rand(3, 3, 100, 100)
    grey = (x * torch.tensor([0.2989, 0.5870, 0.1140]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    assert network(x).shape == (3,)
    torch.testing.assert_close(network(x), network(grey.expand(-1, 3, -1, -1) / 0.9999))


def test_discriminators_have_the_papers_layers() -> None:
    for kind, features in (("ppcn", 256 * 7 * 7), ("dped", 128 * 7 * 7)):
        network = Discriminator(kind=kind)
        assert network.hidden.in_features == features
        assert [conv.stride[0] for conv in network.convs][:2] == [4, 2]
    assert [conv.out_channels for conv in network.convs] == [48, 128, 192, 192, 128]


def test_mux_and_demux_are_inverses_and_only_move_pixels() -> None:
    x = torch.rand(2, 12, 16, 20)
    assert torch.equal(mux(demux(x)), x)
    assert torch.equal(demux(mux(x)), x)
    assert demux(x).shape == (2, 48, 8, 10)
    # Fig. 1: each map becomes four maps in a row, its even and odd rows and columns.
    assert torch.equal(demux(x)[:, 4], x[:, 1, ::2, ::2])
    assert torch.equal(demux(x)[:, 7], x[:, 1, 1::2, 1::2])


def test_noise_depends_on_seed_and_position_alone() -> None:
    noise = position_noise(torch.zeros(2, 1, 300, 400), seed=5)
    assert torch.equal(noise[0], noise[1])
    assert torch.equal(noise[..., :40, :70], position_noise(torch.zeros(2, 9, 40, 70), 5))
    part = position_noise(torch.zeros(2, 9, 40, 70), 5, top=100, left=200)
    assert torch.equal(noise[..., 100:140, 200:270], part)
    drawn = position_noise(torch.zeros(2, 1, 300, 400), torch.tensor(5))
    assert torch.equal(noise, drawn)
    field, other = noise[0, 0], position_noise(torch.zeros(1, 1, 300, 400), seed=6)[0, 0]
    moved = [field.roll(by, axis) for by in (1, -1) for axis in (0, 1)]
    samples = torch.stack([field, other, other.roll(1, 0), other.roll(-1, 0), *moved])
    assert samples.mean(dim=(1, 2)).abs().max() < 0.02
    assert (samples.var(dim=(1, 2)) - 1).abs().max() < 0.02
    correlation = torch.corrcoef(samples.flatten(1)) - torch.eye(len(samples))
    assert correlation.abs().max() < 0.02


@pytest.mark.parametrize("kind", [MuxNormal, MuxHighPerformance])
def test_noise_is_fixed_at_inference_fresh_in_training_and_can_be_switched_off(kind) -> None:
    x = torch.rand(1, 3, 32, 32)
    network = kind(None, noise_deviation=1.0).eval()
    assert torch.equal(network(x), network(x))
    network.train()
    assert not torch.equal(network(x), network(x))
    silent = kind(None, noise_deviation=0.0)
    assert torch.equal(silent(x), silent(x))
    silent.load_state_dict(network.state_dict())
    assert torch.equal(silent.eval()(x), network.eval()(x))


@pytest.mark.parametrize("name", ["vdsr", "fsrcnn"])
def test_brightness_networks_keep_colour_differences(name: str) -> None:
    x = torch.rand(1, 3, 20, 24)
    output = fresh(name)(x)
    before = x
    if name == "fsrcnn":
        before = F.interpolate(x, scale_factor=SCALE, mode="bicubic", antialias=True)
    for a, b in ((0, 1), (1, 2)):
        torch.testing.assert_close(
            output[:, a] - output[:, b], before[:, a] - before[:, b], atol=1e-5, rtol=0
        )
    assert not torch.allclose(output, before)


def test_wide_networks_can_start_from_he_weights() -> None:
    torch.manual_seed(0)
    network = NETWORKS["dped_resnet_12_64"].make(initial_deviation=None)
    for conv in (module for module in network.modules() if isinstance(module, nn.Conv2d)):
        expected = (2 / conv.weight[0].numel()) ** 0.5
        # A normal distribution cut at two deviations has 0.88 of its own.
        assert float(conv.weight.detach().std()) == pytest.approx(0.88 * expected, rel=0.1)


PUBLISHED = {
    ("ppcn_student", "ppcn_student.npz"): (22.607, 0.9284),
    ("resnet_8_32", "challenge_dped_resnet_8_32.npz"): (22.463, 0.9187),
    ("srcnn", "challenge_dped_srcnn.npz"): (21.592, 0.9098),
}


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.parametrize("name, file", PUBLISHED)
def test_published_enhancers_reach_their_published_scores(
    reference: Path, name: str, file: str
) -> None:
    folder = reference / "pirm_patches"
    pairs = [
        (read_photo(path), read_photo(folder / "canon" / path.name))
        for path in sorted((folder / "iphone").iterdir())
    ]
    network = run_network(import_checkpoint(reference / file, name))
    scores = score_enhancement({"do_nothing": do_nothing, name: network}, pairs)
    assert (scores["images"], scores["identical"]) == (100, 1)
    psnr, ms_ssim = PUBLISHED[name, file]
    assert scores[name]["psnr"] == pytest.approx(psnr, abs=0.03)
    assert scores[name]["ms_ssim"] == pytest.approx(ms_ssim, abs=0.001)


@pytest.mark.reference
def test_published_super_resolution_reaches_its_published_score(reference: Path) -> None:
    sharp = [crop_to_multiple(read_photo(p)) for p in sorted((reference / "set5").glob("*_HR.png"))]
    network = import_checkpoint(reference / "ppcn_sr.npz", "ppcn_sr")
    scores = score_sr(
        {"bicubic": bicubic, "sr": run_upscaler("ppcn_sr", network)},
        [(hr, shrink(hr)) for hr in sharp],
    )
    assert scores["bicubic"]["psnr"] == pytest.approx(28.429, abs=0.03)
    assert scores["bicubic"]["ssim"] == pytest.approx(0.8111, abs=0.001)
    assert scores["sr"]["psnr"] == pytest.approx(31.386, abs=0.03)
    assert scores["sr"]["ssim"] == pytest.approx(0.8843, abs=0.001)
