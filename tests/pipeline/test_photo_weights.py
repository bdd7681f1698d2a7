"""Each photo gets the weights for its camera, and a line tells it."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Done, refusal, run
from PIL import Image
from torch import nn

import ppcn
import ppcn.inference.predictor
from pipeline.cli.photo_weights import Choice, describe_choice
from ppcn.networks import NETWORKS
from ppcn.photos.decode import read_photo
from ppcn.weights import save_weights
from ppcn.weights.shipped import PREFERRED, find_weights, known_cameras, shipped_names, weights_for

IPHONE, SONY = ("Apple", "iPhone 3GS"), ("Sony", "C6603")


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights that ship, each of which makes something else of a photo."""
    folder = tmp_path / "shipped"
    cameras = {
        "any": [],
        "a-student": ["Apple iPhone 3GS"],
        "iphone-3gs": ["Apple iPhone 3GS", "Apple iPhone 4"],
        "nokia": ["Nokia N95 "],
        "unknown": [],
    }
    torch.manual_seed(0)
    for name, known in cameras.items():
        # Names tell large networks from small ones; small ones are fast.
        made = NETWORKS["ppcn_student"].make(initial_deviation=None)
        save_weights(folder / f"{name}.safetensors", "ppcn_student", made, {"cameras": known})
    sr = NETWORKS["ppcn_sr"].make()
    save_weights(folder / "a-sr.safetensors", "ppcn_sr", sr, {"cameras": ["Apple iPhone 3GS"]})
    monkeypatch.setattr("ppcn.weights.shipped.SHIPPED", folder)
    return folder


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often weights were loaded, by name."""
    counts: Counter[str] = Counter()
    load = ppcn.inference.predictor.load_weights

    def counted(path: Path) -> tuple[nn.Module, dict[str, object]]:
        counts[path.stem] += 1
        return load(path)

    monkeypatch.setattr(ppcn.inference.predictor, "load_weights", counted)
    return counts


def shoot(path: Path, camera: tuple[str, str] | None, **options: object) -> None:
    """A photo taken by a camera."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if camera:
        exif.update(zip((0x010F, 0x0110), camera, strict=True))
    pixels = np.arange(24 * 16 * 3).reshape(16, 24, 3) % 251
    Image.fromarray(pixels.astype(np.uint8)).save(path, exif=exif, **options)


def told(done: Done) -> list[str]:
    """What a command prints, but for its progress."""
    return [line for line in done.stdout.splitlines() if "/s" not in line]


@pytest.mark.parametrize(
    ("camera", "name"),
    [
        ("Apple iPhone 3GS", "iphone-3gs"),
        ("APPLE iphone 3gs\0", "iphone-3gs"),
        ("iPhone 4", "iphone-3gs"),
        ("Nokia N95 V20.0", "nokia"),
        ("Apple iPhone 3G", "any"),
        ("BlackBerry 9700", "any"),
        ("", "any"),
    ],
)
def test_weights_are_chosen_by_what_their_files_say(shipped: Path, camera: str, name: str) -> None:
    assert weights_for(camera) == name


def test_the_table_decides_against_the_files(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PREFERRED, "Apple iPhone 3GS", "any")
    monkeypatch.setitem(PREFERRED, "Sony C6603", "nokia")
    chosen = [weights_for(name) for name in ("iPhone 3GS", "Apple iPhone 4", "SONY C6603", "")]
    assert chosen == ["any", "iphone-3gs", "nokia", "any"]


def test_what_ships_suits_the_table() -> None:
    assert set(PREFERRED.values()) <= set(shipped_names())
    for name, cameras in known_cameras().items():
        if not name.endswith("-student"):
            for camera in cameras:
                assert weights_for(camera) == PREFERRED.get(camera, name)
    assert weights_for("Sony C6603") == "any"


def test_each_photo_gets_its_own(tmp_path: Path, shipped: Path, loaded: Counter[str]) -> None:
    photos = {
        "a.jpg": (IPHONE, "iphone-3gs"),
        "b.jpg": (SONY, "any"),
        "c.tif": (("Apple ", "IPHONE 3GS"), "iphone-3gs"),
        "d.png": (IPHONE, "iphone-3gs"),
        "e.jpg": (None, "any"),
        "f.webp": (IPHONE, "iphone-3gs"),
    }
    for name, (camera, _) in photos.items():
        shoot(tmp_path / "in" / name, camera)
    done = run(tmp_path, "enhance", "in", "--format=png")
    assert done.returncode == 0, done.stderr
    assert told(done) == [
        "4 photos with 'iphone-3gs' (taken by Apple iPhone 3GS), 2 with 'any'",
        "6 photos written",
    ]
    assert "weights" not in done.stderr
    assert loaded == {"iphone-3gs": 1, "any": 1}
    for name, (_, weights) in photos.items():
        expected = ppcn.enhance(read_photo(tmp_path / "in" / name), weights=find_weights(weights))
        result = read_photo(tmp_path / "enhanced" / Path(name).with_suffix(".png"))
        assert np.array_equal(result, expected), name


def test_forced_weights_serve_all_and_warn_once_a_camera(
    tmp_path: Path, shipped: Path, loaded: Counter[str]
) -> None:
    for number, camera in enumerate((IPHONE, SONY, SONY, ("Nokia", "N95"), None)):
        shoot(tmp_path / f"in/{number}.jpg", camera)
    done = run(tmp_path, "enhance", "in", "--weights=iphone-3gs")
    assert told(done) == ["5 photos written"]
    assert done.stderr.count("the weights know Apple iPhone 3GS, Apple iPhone 4") == 2
    assert loaded == {"iphone-3gs": 1}
    done = run(tmp_path, "enhance", "in", "--weights=any", "--overwrite")
    assert told(done) == ["5 photos written"]
    assert "the weights know" not in done.stderr


def test_what_is_wrong_is_told_before_any_photo_is_made(
    tmp_path: Path, shipped: Path, loaded: Counter[str]
) -> None:
    shoot(tmp_path / "a.jpg", SONY)
    shoot(tmp_path / "b.jpg", IPHONE)
    photos = ("a.jpg", "b.jpg")
    assert "is 'iphone-3gs'" in refusal(tmp_path, "enhance", *photos, "--weights=iphone-3g")
    assert not loaded
    (shipped / "iphone-3gs.safetensors").write_bytes(
        (shipped / "iphone-3gs.safetensors").read_bytes()[:-8]
    )
    last = refusal(tmp_path, "enhance", *photos)
    assert last.endswith("iphone-3gs.safetensors: damaged weights file")
    assert not (tmp_path / "enhanced").exists()


def test_a_damaged_photo_is_named_and_the_others_are_made(tmp_path: Path, shipped: Path) -> None:
    shoot(tmp_path / "a.jpg", IPHONE)
    (tmp_path / "b.jpg").write_bytes(b"")
    done = run(tmp_path, "enhance", "a.jpg", "b.jpg")
    assert done.returncode == 1
    assert "1 of 2 photos failed:\n  b.jpg: an empty file" in done.stderr
    assert (tmp_path / "enhanced/a.jpg").is_file()


def test_nothing_due_loads_nothing(tmp_path: Path, shipped: Path, loaded: Counter[str]) -> None:
    shoot(tmp_path / "a.jpg", IPHONE)
    shoot(tmp_path / "enhanced/a.jpg", IPHONE)
    done = run(tmp_path, "enhance", "a.jpg")
    assert told(done)[1:] == ["0 photos written"]
    assert not loaded


@pytest.mark.parametrize(
    ("choices", "line"),
    [
        ([], ""),
        ([Choice("any", ""), Choice("any", None)], "1 photo with 'any'"),
        (
            [Choice("any", "Sony C6603")] * 12 + [Choice("iphone-3gs", "Apple iPhone 3GS")] * 3,
            "12 photos with 'any', 3 with 'iphone-3gs' (taken by Apple iPhone 3GS)",
        ),
        (
            [Choice("apple", "B"), Choice("apple", "A"), Choice("apple", "a")],
            "3 photos with 'apple' (taken by B, a)",
        ),
    ],
)
def test_the_line(choices: list[Choice], line: str) -> None:
    assert describe_choice(choices) == line
