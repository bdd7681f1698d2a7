import shutil
from pathlib import Path

import pytest
from conftest import ROOT, sample_params
from dvc.utils.serialize import modify_yaml
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipeline.app import app
from ppcn.errors import UserError
from ppcn.params import Params

SAMPLE = ROOT / "scales/sample.yaml"
PAPER, LENGTH = ROOT / "scales/paper.yaml", ROOT / "scales/tables-at-length.yaml"
WHOLE_PHOTOS = ROOT / "scales/whole-photos.yaml"


@pytest.fixture
def params_file(tmp_path: Path) -> Path:
    return sample_params(tmp_path)


def scale(values: Path, params_file: Path) -> str:
    arguments = ["scale", str(values), "--params", str(params_file)]
    return CliRunner().invoke(app, arguments, catch_exceptions=False).stdout


def test_the_samples_scale_is_that_of_params_yaml(params_file: Path) -> None:
    before = params_file.read_bytes()
    assert scale(SAMPLE, params_file) == "nothing to change\n"
    assert params_file.read_bytes() == before


def test_dvc_changes_one_line_of_params_yaml(tmp_path: Path) -> None:
    """As `dvc exp run -S loss.kd_weight=...` writes it."""
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    before = path.read_text().splitlines()
    with modify_yaml(path) as values:
        values["loss"]["kd_weight"] = 1 + values["loss"]["kd_weight"]
    after = path.read_text().splitlines()
    assert len(before) == len(after)
    changed = [line for line in after if line not in before]
    assert len(changed) == 1
    assert "kd_weight" in changed[0]


def test_the_papers_scale_and_back(params_file: Path) -> None:
    before, values = params_file.read_text().splitlines(), Params.load(params_file)
    printed = scale(PAPER, params_file)
    assert "teacher.steps: 900 -> 20000" in printed
    params = Params.load(params_file)
    assert (params.teacher.steps, params.teacher.batch, params.sr.train_crop) == (20000, 50, 384)
    after = params_file.read_text().splitlines()
    changed = [line for line in after if line not in before]
    assert len(before) == len(after)
    assert len(changed) <= len(printed.splitlines())
    scale(SAMPLE, params_file)
    assert Params.load(params_file) == values


def test_the_tables_at_length_and_back(params_file: Path) -> None:
    values = Params.load(params_file)
    assert "baseline.steps: 300 -> 5000" in scale(LENGTH, params_file)
    params = Params.load(params_file)
    tables = params.tables
    assert tables.repeat.rows == [*tables.enhancement, *tables.distilled]
    assert len(tables.seeds_of("srcnn", params.seed)) == 3
    run = params.baseline.of("mux_normal")
    assert (run.steps, run.batch, run.schedule, run.average) == (5000, 50, "cosine", 0.995)
    scale(SAMPLE, params_file)
    assert Params.load(params_file) == values


def test_the_samples_scale_sets_what_the_others_do() -> None:
    sample, *others = (
        YAML(typ="safe").load(path) for path in (SAMPLE, PAPER, LENGTH, WHOLE_PHOTOS)
    )
    changed = {(group, key) for other in others for group in other for key in other[group]}
    assert changed == {(group, key) for group in sample for key in sample[group]}


def test_the_scale_of_whole_photos_and_back(params_file: Path) -> None:
    values = Params.load(params_file)
    assert "patches.size: 100 -> 320" in scale(WHOLE_PHOTOS, params_file)
    params = Params.load(params_file)
    assert params.simulate.size == params.patches.size == 320
    assert params.recipe().l1_weight == 4
    scale(SAMPLE, params_file)
    assert Params.load(params_file) == values


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("techer: {steps: 3}", "params.yaml has no key 'techer'; the nearest is 'teacher'"),
        (
            "teacher: {step: 3}",
            "params.yaml has no key 'teacher.step'; the nearest is 'teacher.steps'",
        ),
        ("teacher: {steps: -3}", "parameter 'teacher.steps' is refused"),
        ("teacher: [", "not a YAML file"),
        ("3", "expected keys such as 'teacher'"),
    ],
)
def test_wrong_values_change_nothing(
    text: str, sentence: str, params_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "own.yaml").write_text(text)
    before = params_file.read_bytes()
    with pytest.raises(UserError, match=sentence):
        scale(tmp_path / "own.yaml", params_file)
    assert params_file.read_bytes() == before
