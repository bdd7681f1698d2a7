"""The weights that come with the package do what their model cards say."""

import json
import re
from pathlib import Path

import cv2
import pytest
from conftest import ROOT
from safetensors import safe_open
from typer.testing import CliRunner

from pipeline.app import app
from ppcn.images import read_photo
from ppcn.networks.superres import SuperResolver
from ppcn.resize import shrink
from ppcn.scoring import bicubic, run_upscaler, score_superres
from ppcn.weights import load_network

WEIGHTS = ROOT / "ppcn/weights"
SHIPPED = sorted(WEIGHTS.glob("*.safetensors"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_file_is_small_has_a_card_and_names_no_place(path: Path) -> None:
    assert path.stat().st_size < 1_000_000
    card = path.with_suffix(".md").read_text()
    assert all(title in card for title in ("## Trained on", "## How good", "## Limits"))
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata["network"] == path.stem
    facts = json.loads(metadata["facts"])
    assert {"training", "seed", "versions", "sha256"} <= facts.keys()
    assert not re.search(r'"/', metadata["facts"])


def test_super_resolution_beats_bicubic() -> None:
    """No score, for these photos were trained on at other sizes."""
    network, _ = load_network(WEIGHTS / "ppcn_sr.safetensors", SuperResolver, "sr")
    upscale = run_upscaler("ppcn_sr", network)
    photo = read_photo(ROOT / "data/sample/casa-mila.jpg")
    hr = cv2.resize(photo, (640, 360), interpolation=cv2.INTER_AREA)
    scores = score_superres({"ours": upscale, "bicubic": bicubic}, [(hr, shrink(hr))])
    assert scores["ours"]["psnr"] > scores["bicubic"]["psnr"] + 1


@pytest.mark.reference
def test_super_resolution_scores_as_its_card_says(reference: Path, tmp_path: Path) -> None:
    score = tmp_path / "set5.json"
    arguments = ["score-sr", f"--weights={WEIGHTS}/ppcn_sr.safetensors", f"--json={score}"]
    arguments += [f"--hr-dir={reference}/set5"]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    found = json.loads(score.read_text())
    card = (WEIGHTS / "ppcn_sr.md").read_text()
    row = re.search(r"these weights \| \**([\d.]+)\** \| \**([\d.]+)", card)
    assert row
    assert found["psnr"] == pytest.approx(float(row[1]), abs=0.005)
    assert found["ssim"] == pytest.approx(float(row[2]), abs=0.0005)
    assert found["psnr"] > 31
