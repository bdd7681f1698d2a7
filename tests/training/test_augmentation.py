"""Joint colour augmentation turns hues as it says, alike on both sides, and follows the seed."""

import colorsys

import numpy as np
import pytest
import torch
from torch import nn

from ppcn.networks.devices import to_tensor
from ppcn.training.augmentation import SATURATIONS, change_colors, color_matrices
from ppcn.training.batches import Batches
from ppcn.training.vgg_cache import TargetFeatures


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_share_of_pairs_is_changed_and_grey_stays() -> None:
    matrices = color_matrices(random(), 2000, 0.25)
    same = (matrices == np.eye(3, dtype=np.float32)).all(axis=(1, 2))
    assert same.mean() == pytest.approx(0.75, abs=0.03)
    assert np.allclose(matrices.sum(axis=2), 1, atol=1e-6)
    assert (color_matrices(random(), 50, 0.0) == np.eye(3)).all()


def test_hues_turn_by_every_angle_and_saturation_stays_within_bounds() -> None:
    matrices = torch.from_numpy(color_matrices(random(), 500, 1.0))
    color = np.array([0.52, 0.48, 0.5])
    images = torch.tensor(color, dtype=torch.float32).view(1, 3, 1, 1).expand(500, -1, -1, -1)
    changed = change_colors(images, matrices)[:, :, 0, 0].double().numpy()
    assert np.allclose(changed.mean(axis=1), 0.5, atol=1e-6)
    scale = np.linalg.norm(changed - 0.5, axis=1) / np.linalg.norm(color - 0.5)
    assert SATURATIONS[0] - 1e-3 < scale.min() < 0.85
    assert 1.95 < scale.max() < SATURATIONS[1] + 1e-3
    hues = np.array([colorsys.rgb_to_hsv(*row)[0] for row in changed])
    assert np.histogram(hues, 6, (0, 1))[0].min() > 40


def test_colors_are_clipped() -> None:
    images = to_tensor(np.full((4, 2, 2, 3), (255, 0, 0), np.uint8), torch.device("cpu"))
    changed = change_colors(images, torch.from_numpy(color_matrices(random(), 4, 1.0)))
    assert 0 <= changed.min() and changed.max() <= 1


class Pairs:
    """Pairs of which the target is twice as bright."""

    held, size, targets, augmented = "in memory", 8, 0, 9

    def __len__(self) -> int:
        return 1

    def pick(self, random: np.random.Generator):
        from ppcn.training.batches import Pick

        return [Pick(int(row), (0, 0), 0) for row in random.integers(0, 9, self.size)]

    def read(self, picks):
        rows = np.array([pick.row for pick in picks], np.uint8)
        base = np.array([40, 50, 60], np.uint8) + rows[:, None]
        x = torch.from_numpy(np.tile(base[:, None, None], (1, 4, 4, 1)))
        return x, 2 * x

    def prepare(self, x):
        return x


def test_both_sides_of_a_pair_change_alike_and_follow_seed_and_step() -> None:
    plain, batches = Batches(Pairs(), 5).at(3), Batches(Pairs(), 5, 0.5)
    changed = batches.at(3)
    turned = [key is None for key in changed.keys]
    assert 0 < sum(turned) < len(turned)
    for place, is_turned in enumerate(turned):
        same = torch.equal(changed.x[place], plain.x[place])
        assert same != is_turned
        assert torch.allclose(changed.y[place], 2 * changed.x[place], atol=1e-6)
        assert changed.keys[place] in (None, plain.keys[place])
    again = Batches(Pairs(), 5, 0.5).at(3)
    assert torch.equal(again.x, changed.x)
    assert not torch.equal(batches.at(4).x, changed.x)


def test_pairs_of_further_sets_keep_their_colours() -> None:
    source = Pairs()
    source.augmented = 4
    plain, changed = Batches(Pairs(), 5).at(3), Batches(source, 5, 1.0).at(3)
    for place, key in enumerate(plain.keys):
        assert torch.equal(changed.x[place], plain.x[place]) == (key // 8 >= 4)
    assert {key // 8 >= 4 for key in plain.keys} == {True, False}


def test_features_of_changed_targets_are_made_anew() -> None:
    class Mean(nn.Module):
        def forward(self, x, layers):
            return {layer: x.mean(dim=(2, 3), keepdim=True) for layer in layers}

    features = TargetFeatures(Mean(), ["conv4_2"], 10**6, 16)  # type: ignore[arg-type]
    y = torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    features(y, [1, None, 2])
    assert features.rows.keys() == {1, 2}
    other = torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    found = features(torch.cat((y[:1], other[1:2], y[2:])), [1, None, 2])["conv4_2"]
    assert torch.equal(found[1], other[1].mean(dim=(1, 2), keepdim=True))
    assert torch.equal(found[0], y[0].mean(dim=(1, 2), keepdim=True))
