from pathlib import Path

import numpy as np
import pytest
import torch

from ppcn.dataset.patch_set import Patch, PatchWriter, open_patches
from ppcn.dataset.sr_set import open_crops, write_crops
from ppcn.errors import UserError
from ppcn.files.artifacts import create_hdf5
from ppcn.networks import devices
from ppcn.params import Params
from ppcn.photos.resize import enlarge, shrink
from ppcn.training.batches import Batches, CropSource, PatchSource, enlarge_parts, turn


def test_the_eight_turns_are_distinct_and_keep_pixels() -> None:
    image = torch.arange(48).reshape(1, 4, 4, 3)
    turned = turn(image.repeat(8, 1, 1, 1), torch.arange(8))
    assert torch.equal(turned[0], image[0])
    assert len({one.numpy().tobytes() for one in turned}) == 8
    assert all(set(one.flatten().tolist()) == set(range(48)) for one in turned)


def test_pairs_are_turned_together(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    with create_hdf5(tmp_path / "p.h5", {}) as file:
        writer = PatchWriter(file, ["a"], 100)
        for split in (0, 0, 0, 2):
            phone = random.integers(0, 200, (100, 100, 3), np.uint8)
            writer.add(0, split, [Patch(phone, phone + 10 + split, (0, 0), (0, 0), 0, 1)])
    with open_patches(tmp_path / "p.h5") as patches:
        source = PatchSource([patches], 16)
        assert (len(source), source.targets, source.held) == (3, 24, "in memory")
        batch = Batches(source, 1).at(0)
    assert batch.x.shape == (16, 3, 100, 100)
    assert torch.allclose(batch.y, batch.x + 10 / 255)
    pixels = dict(zip(batch.keys, batch.y, strict=True))
    assert all(torch.equal(pixels[k], y) for k, y in zip(batch.keys, batch.y, strict=True))
    assert len({image.numpy().tobytes() for image in batch.x}) == len(pixels) > 8


@pytest.fixture
def patch_file(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    with create_hdf5(tmp_path / "p.h5", {}) as file:
        images = random.integers(0, 255, (5, 2, 36, 36, 3), np.uint8)
        patches = [Patch(phone, reference, (0, 0), (0, 0), 0, 1) for phone, reference in images]
        PatchWriter(file, ["a"], 36).add(0, 0, patches)
    return tmp_path / "p.h5"


def test_a_set_that_does_not_fit_is_read_from_its_file(
    patch_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_patches(patch_file) as patches:
        held = list(Batches(PatchSource([patches], 4), 7).from_step(3, 9))
        monkeypatch.setattr(devices, "free_memory", lambda: 1000)
        source = PatchSource([patches], 4)
        assert source.held == "in its file"
        streamed = list(Batches(source, 7).from_step(3, 9))
    assert len(held) == len(streamed) == 6
    for one, other in zip(held, streamed, strict=True):
        assert torch.equal(one.x, other.x) and torch.equal(one.y, other.y)
        assert one.keys == other.keys


def test_several_sets_are_drawn_from_alike(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name, count, shade in (("few", 2, 0), ("many", 40, 128)):
        with create_hdf5(tmp_path / f"{name}.h5", {}) as file:
            images = random.integers(0, 100, (count, 36, 36, 3), np.uint8) + np.uint8(shade)
            patches = [Patch(image, image, (0, 0), (0, 0), 0, 1) for image in images]
            PatchWriter(file, ["a"], 36).add(0, 0, patches)
    with open_patches(tmp_path / "few.h5") as few, open_patches(tmp_path / "many.h5") as many:
        source = PatchSource([few, many], 400)
        batch = Batches(source, 7).at(0)
        rows = np.array(batch.keys) // 8
        dark = batch.x.amax(dim=(1, 2, 3)) < 0.5
        assert np.array_equal(rows < 2, dark.numpy())
        assert 150 < dark.sum() < 250
        assert len(source) == 42 and 38 < len(set(rows)) <= 42
        assert torch.equal(batch.x, batch.y)


def test_sets_of_other_sizes_are_refused(tmp_path: Path, patch_file: Path) -> None:
    with create_hdf5(tmp_path / "larger.h5", {}) as file:
        image = np.zeros((40, 40, 3), np.uint8)
        PatchWriter(file, ["a"], 40).add(0, 0, [Patch(image, image, (0, 0), (0, 0), 0, 1)])
    with (
        open_patches(patch_file) as one,
        open_patches(tmp_path / "larger.h5") as other,
        pytest.raises(UserError, match=r"larger.h5: its patches are of 40 px, .* of 36"),
    ):
        PatchSource([one, other], 4)


def test_batches_follow_from_seed_and_step(patch_file: Path) -> None:
    with open_patches(patch_file) as patches:
        batches, others = (Batches(PatchSource([patches], 4), seed) for seed in (7, 8))
        first = list(batches.from_step(0, 5))
        assert torch.equal(next(batches.from_step(3, 5)).x, first[3].x)
        assert len({batch.keys for batch in first}) == 5
        assert others.at(0).keys != first[0].keys


def test_enlarging_parts_is_pillows(scene: np.ndarray) -> None:
    part = shrink(scene[:192, :192])
    ours = enlarge_parts(torch.from_numpy(part.copy()).permute(2, 0, 1)[None].float())
    difference = (ours[0].permute(1, 2, 0).numpy() - enlarge(part)).__abs__()
    assert difference.max() <= 2
    assert (difference > 0).mean() < 0.01


def test_crops_of_much_detail_are_drawn_more_often(tmp_path: Path, params: Params) -> None:
    """In proportion to their gradients: noise of three strengths, and none."""
    noise = np.random.default_rng(0).integers(-10, 11, (64, 64, 1)).repeat(3, 2)
    images = [(128 + strength * noise).astype(np.uint8) for strength in (0, 1, 2, 3)]
    with create_hdf5(tmp_path / "c.h5", {}) as file:
        write_crops(file, [(0, image, shrink(image)) for image in images], ["a"], 64)
    shares = {}
    with open_crops(tmp_path / "c.h5") as crops:
        for detail in (0.0, 0.5, 1.0):
            update = {"train_crop": 32, "batch": 4000, "detail": detail}
            source = CropSource(crops, params.sr.model_copy(update=update), enlarged=False)
            rows = [pick.row for pick in source.pick(np.random.default_rng(1))]
            shares[detail] = np.bincount(rows, minlength=4) / len(rows)
    assert shares[0.0] == pytest.approx([0.25] * 4, abs=0.03)
    assert shares[1.0] == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6], abs=0.03)
    assert shares[0.5] == pytest.approx((shares[0.0] + shares[1.0]) / 2, abs=0.03)


def test_sr_batches_hold_the_right_part(tmp_path: Path, params: Params, scene: np.ndarray) -> None:
    crops = [(0, scene[:192, :192], shrink(scene[:192, :192]))]
    with create_hdf5(tmp_path / "c.h5", {}) as file:
        assert write_crops(file, crops, ["a"], 192) == 1
    sr = params.sr.model_copy(update={"train_crop": 64, "batch": 8})
    with open_crops(tmp_path / "c.h5") as crops_file:
        large = Batches(CropSource(crops_file, sr, enlarged=True), 0).at(0)
        small = Batches(CropSource(crops_file, sr, enlarged=False), 0).at(0)
    assert small.x.shape == (8, 3, 16, 16)
    assert torch.equal(small.y, large.y)
    assert small.lr is None and torch.equal(large.lr, small.x)
    inputs, targets = ((i * 255).permute(0, 2, 3, 1).numpy() for i in (large.x, large.y))
    part = (small.x[0] * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.abs(enlarge(part) - inputs[0]).max() < 2.01
    assert inputs.shape == targets.shape == (8, 64, 64, 3)
    difference = np.abs(inputs[:, 8:-8, 8:-8].astype(int) - targets[:, 8:-8, 8:-8]).mean()
    unrelated = np.abs(inputs.astype(int) - np.roll(targets, 1, axis=0)).mean()
    assert difference < 0.6 * unrelated
