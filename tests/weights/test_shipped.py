"""The weights that come with the package do what their model cards say."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import PARAMS, ROOT
from safetensors import safe_open
from typer.testing import CliRunner

from pipeline.app import app
from ppcn.dataset.patch_set import open_patches
from ppcn.evaluation.photo_protocol import HeldOutPhoto, score_photos
from ppcn.evaluation.protocols import (
    bicubic,
    do_nothing,
    run_network,
    run_upscaler,
    score_enhancement,
    score_sr,
)
from ppcn.inference.tiled import Tiled, run_tiled
from ppcn.networks.ppcn_sr import PPCNSR
from ppcn.photos.decode import read_photo
from ppcn.photos.resize import shrink
from ppcn.weights import load_network, load_weights

WEIGHTS = ROOT / "ppcn/weights"
SHIPPED = sorted(WEIGHTS.glob("*.safetensors"))
IPHONE_3GS = ("iphone-3gs", "iphone-3gs-student")
CARD = (WEIGHTS / "iphone-3gs.md").read_text()


def stated(title: str) -> dict[str, list[float]]:
    """A table of the card by rows; the first cell of its header is the title."""
    table = CARD.partition(f"| {title} |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    return {
        name: [float(cell.removesuffix(" %")) for cell in cells]
        for name, *cells in rows[2:]
        if name in ("do nothing", *IPHONE_3GS)
    }


def network_of(name: str) -> str:
    """What weights of a name must hold."""
    if name.endswith("_sr"):
        return "ppcn_sr" if name == "ppcn_sr" else "plain_sr"
    return "ppcn_student" if name.endswith("-student") else "ppcn_teacher"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_file_is_small_has_a_card_and_names_no_place(path: Path) -> None:
    assert path.stat().st_size < 1_000_000
    card = path.with_suffix(".md").read_text()
    assert all(title in card for title in ("## Trained on", "## How good", "## Limits"))
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata["network"] == network_of(path.stem)
    facts = json.loads(metadata["facts"])
    assert {"training", "seed", "versions", "sha256"} <= facts.keys()
    assert not re.search(r'"/', metadata["facts"])


def test_super_resolution_beats_bicubic() -> None:
    """No score, for these photos were trained on at other sizes."""
    network, _ = load_network(WEIGHTS / "ppcn_sr.safetensors", PPCNSR)
    upscale = run_upscaler("ppcn_sr", network)
    photo = read_photo(ROOT / "data/sample/casa-mila.jpg")
    hr = cv2.resize(photo, (640, 360), interpolation=cv2.INTER_AREA)
    scores = score_sr({"ours": upscale, "bicubic": bicubic}, [(hr, shrink(hr))])
    assert scores["ours"]["psnr"] > scores["bicubic"]["psnr"] + 1


@pytest.fixture(scope="module")
def unseen(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patches of the three scenes that enhancement was neither trained nor chosen on."""
    folder = tmp_path_factory.mktemp("unseen")
    for camera in ("iphone", "sony"):
        (folder / camera).mkdir()
        for scene in (16, 17, 18):
            shutil.copy(reference / f"dped_photos/{camera}/{scene}.jpg", folder / camera)
    common = [f"--root={folder}", "--phone=iphone", f"--metrics={folder}/metrics.json"]
    common += [f"--params={PARAMS}"]
    aligned, patches = f"{folder}/aligned.h5", f"{folder}/patches.h5"
    commands = [
        ["align", *common, "--reference=sony", f"--out={aligned}"],
        ["patches", *common, f"--aligned={aligned}", f"--out={patches}", f"--quicklook={folder}"],
    ]
    for command in commands:
        CliRunner().invoke(app, command, catch_exceptions=False)
    return Path(patches)


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.xdist_group("unseen")
def test_patches_score_as_the_card_says(unseen: Path) -> None:
    with open_patches(unseen) as cut:
        every = cut.pairs(range(len(cut.ncc)))
        networks = {n: load_weights(WEIGHTS / f"{n}.safetensors")[0] for n in IPHONE_3GS}
        methods = {n: run_network(network) for n, network in networks.items()}
        scores = score_enhancement({**methods, "do nothing": do_nothing}, every)
    assert f"the {scores['images']} patches" in CARD
    rows = stated("patches")
    for name, cells in rows.items():
        measured = [scores[name][metric] for metric in ("psnr", "ssim", "ms_ssim")]
        assert measured == pytest.approx(cells, abs=0.0051), name
    assert len(rows) == 3


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.xdist_group("unseen")
def test_whole_photos_score_as_the_card_says(unseen: Path) -> None:
    with open_patches(unseen) as cut:
        photos = [
            HeldOutPhoto(stem, read_photo(unseen.parent / f"iphone/{stem}.jpg"), corners, pixels)
            for number, stem in enumerate(cut.stems)
            if len(rows := np.flatnonzero(cut.photo == number))
            for corners, pixels in [(cut.field("xy")[rows], cut.read(rows)[1])]
        ]
        networks = {n: load_weights(WEIGHTS / f"{n}.safetensors")[0] for n in IPHONE_3GS}
        for name in ("any", "any-student"):
            networks[name] = load_weights(WEIGHTS / f"{name}.safetensors")[0]
        scores = score_photos({n: run_tiled(Tiled(m)) for n, m in networks.items()}, photos)
    figures = ("psnr", "ssim", "ciede2000", "color_error", "detail_error", "made_worse")
    rows = stated("whole photos")
    for name, cells in rows.items():
        measured = [scores[name.replace(" ", "_")][figure] for figure in figures]
        measured[-1] *= 100
        for value, cell, digits in zip(measured, cells, (2, 3, 2, 0, 0, 1), strict=True):
            assert value == pytest.approx(cell, abs=0.51 * 10**-digits), name
    assert len(rows) == 3
    for name in ("any", "any-student"):
        card = (WEIGHTS / f"{name}.md").read_text()
        line = card.partition(f"| iPhone 3GS, {name} |")[2].splitlines()[0]
        cells = [float(cell.strip().removesuffix(" %")) for cell in line.split("|")[1:-1]]
        measured = [scores[name][figure] for figure in ("psnr", "ssim", "ciede2000", "made_worse")]
        measured[-1] *= 100
        for value, cell, digits in zip(measured, cells, (2, 3, 2, 1), strict=True):
            assert value == pytest.approx(cell, abs=0.51 * 10**-digits), name


def test_enhancement_knows_its_camera() -> None:
    for name in IPHONE_3GS:
        _, facts = load_weights(WEIGHTS / f"{name}.safetensors")
        assert facts["cameras"] == ["Apple iPhone 3GS"]


@pytest.mark.reference
@pytest.mark.parametrize("name", ["ppcn_sr", "plain_sr", "photo_sr"])
def test_super_resolution_scores_as_its_card_says(
    reference: Path, tmp_path: Path, name: str
) -> None:
    score = tmp_path / "set5.json"
    arguments = ["score-sr", f"--weights={WEIGHTS}/{name}.safetensors", f"--json={score}"]
    arguments += [f"--hr-dir={reference}/set5"]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    scored = json.loads(score.read_text())
    card = (WEIGHTS / f"{name}.md").read_text()
    row = re.search(r"these weights \| \**([\d.]+)\** \| \**([\d.]+)", card)
    assert row
    assert scored["psnr"] == pytest.approx(float(row[1]), abs=0.005)
    assert scored["ssim"] == pytest.approx(float(row[2]), abs=0.0005)
    assert scored["psnr"] > 30
