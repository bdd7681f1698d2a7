import re
from datetime import date
from pathlib import Path

import pytest
from conftest import ROOT, edit_yaml, sample_params
from ruamel.yaml import YAML

from ppcn.errors import UserError
from ppcn.params import Params, Recipe


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return sample_params(tmp_path)


def test_committed_values_are_accepted(params: Params) -> None:
    Params.load(ROOT / "params.yaml")
    assert params.loss.kd_weight == 75
    assert list(params.phones) == ["iphone"]


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("loss.kd_wieght", "loss.kd_weight"),
        ("sead", "seed"),
        ("phones.iphone.jpg_quality", "phones.iphone.jpeg_quality"),
        ("patches.split.tets", "patches.split.test"),
        ("recipes.boe.tv_wieght", "recipes.boe.tv_weight"),
        ("tables.enhancement.srcnn.recipes", "tables.enhancement.srcnn.recipe"),
        ("tables.sr.vdsr.mae_wieght", "tables.sr.vdsr.mae_weight"),
        ("baseline.rate", "baseline.rates"),
    ],
)
def test_unknown_key_is_refused_with_the_nearest_name(file: Path, key: str, nearest: str) -> None:
    edit_yaml(file, {key: 1})
    with pytest.raises(UserError, match=f"'{key}'.*'{nearest}'"):
        Params.load(file)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("loss.kd_weight", -1),
        ("loss.kd_weight", "many"),
        ("patches.min_ncc", 1.5),
        ("phones.iphone.jpeg_quality", 101),
        ("features.source", "ftp"),
        ("teacher.steps", 0),
        ("teacher.discriminator_warmup", -1),
        ("baseline.keep", "first"),
        ("loss.kd_output_weight", -1),
        ("sr.train_crop", 4000),
        ("loss.tv_weight", float("inf")),
        ("patches.rotations", []),
        ("patches.split.test", 1.5),
        ("recipes.dped.vgg_layer", "conv6_1"),
        ("tables.enhancement.srcnn.network", "srcn"),
        ("tables.enhancement.srcnn.recipe", "srcn"),
        ("tables.distilled.ppcn_student.recipe", "nothing"),
        ("loss.recipe", "ppnc"),
        ("benchmark.width", 8),
    ],
)
def test_impossible_value_is_refused_by_name(file: Path, key: str, value: object) -> None:
    edit_yaml(file, {key: value})
    with pytest.raises(UserError, match=re.escape(key)):
        Params.load(file)


def test_exponents_without_a_point_are_numbers(file: Path) -> None:
    file.write_text(file.read_text().replace("noise_shot: 0.0012", "noise_shot: 1e-5"))
    camera = Params.load(file).phones["iphone"]
    assert camera is not None
    assert camera.noise_shot == 1e-5


def test_phones_in_comments_are_ready_to_use(file: Path) -> None:
    file.write_text((ROOT / "params.yaml").read_text())
    entry = re.compile(r"^  # (?=(blackberry|sony|  \w+):)", flags=re.MULTILINE)
    file.write_text(entry.sub("  ", file.read_text()))
    phones = Params.load(file).phones
    assert list(phones) == ["iphone", "blackberry", "sony"]
    noise = [camera.noise_shot for camera in phones.values() if camera]
    assert noise == sorted(noise, reverse=True)


def test_a_phone_needs_no_character(file: Path) -> None:
    edit_yaml(file, {"phones.pixel": None, "data.root": "my/photos"})
    assert Params.load(file).phones["pixel"] is None


def test_a_phone_without_character_needs_photos_of_its_own(file: Path) -> None:
    """Photos put into the rig's folder would be replaced with it."""
    edit_yaml(file, {"phones.pixel": None})
    params = Params.load(file)
    params.check_photos_of("iphone")
    with pytest.raises(UserError, match=r"phones\.pixel has no character.*data\.root"):
        params.check_photos_of("pixel")


def test_lists_of_photos_may_hold_whole_numbers(file: Path) -> None:
    edit_yaml(file, {"patches.split.test": [0, 12, "0001"], "sr.test": [1]})
    params = Params.load(file)
    assert params.patches.split.test == ["0", "12", "0001"]
    assert params.sr.test == ["1"]


@pytest.mark.parametrize("value", [1.5, True, date(2024, 1, 1), None])
def test_what_yaml_takes_for_no_name_is_to_be_quoted(file: Path, value: object) -> None:
    edit_yaml(file, {"patches.split.test": ["0001", value]})
    with pytest.raises(UserError, match=r"'patches\.split\.test': .*write names in quotes"):
        Params.load(file)


def test_paths_may_begin_with_the_home_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ("data.root", "data.pair_by", "data.patches", "sr.hr_train", "sr.hr_valid")
    edit_yaml(file, {key: "~/x.csv" for key in keys} | {"features.path": "~/x.csv"})
    monkeypatch.setenv("HOME", "/home/ann")
    params = Params.load(file)
    paths = (params.data.root, params.data.pair_by, params.data.patches)
    paths += (params.sr.hr_train, params.sr.hr_valid, params.features.path)
    assert set(paths) == {"/home/ann/x.csv"}


def test_phone_with_the_reference_cameras_name_is_refused(file: Path) -> None:
    edit_yaml(file, {"phones.canon": None})
    with pytest.raises(UserError, match=r"phones\.canon"):
        Params.load(file)


def test_the_tables_phone_is_one_of_the_phones(file: Path) -> None:
    edit_yaml(file, {"tables.phone": "ipone"})
    with pytest.raises(UserError, match=r"tables\.phone is 'ipone'.*such as 'iphone'"):
        Params.load(file)


def test_a_warm_up_that_never_ends_is_refused(file: Path) -> None:
    edit_yaml(file, {"student.warmup_steps": 1000, "student.steps": 1000})
    with pytest.raises(UserError, match=r"warmup_steps must be smaller than steps"):
        Params.load(file)


def test_two_rows_of_a_table_cannot_share_a_name(file: Path) -> None:
    edit_yaml(file, {"tables.distilled.srcnn": {"recipe": "ppcn", "without": "none"}})
    with pytest.raises(UserError, match="row name 'srcnn' is taken"):
        Params.load(file)


@pytest.mark.parametrize(
    "repeat, sentence",
    [
        ({"rows": ["srcn"], "seeds": [15]}, "no row 'srcn'; the nearest is 'srcnn'"),
        ({"rows": ["srcnn"], "seeds": [15, 14]}, "seeds holds 14, which is `seed`"),
        ({"rows": ["srcnn"], "seeds": [15, 15]}, "tables.repeat.seeds names one of its entries"),
        ({"rows": ["srcnn"], "seeds": [-1]}, "tables.repeat.seeds"),
    ],
)
def test_rows_are_repeated_with_other_seeds(
    file: Path, repeat: dict[str, object], sentence: str
) -> None:
    edit_yaml(file, {"tables.repeat": repeat})
    with pytest.raises(UserError, match=sentence):
        Params.load(file)
    edit_yaml(file, {"tables.repeat": {"rows": ["srcnn"], "seeds": [15, 16]}})
    tables = Params.load(file).tables
    assert (tables.seeds_of("srcnn", 14), tables.seeds_of("johnson", 14)) == ([14, 15, 16], [14])


def test_a_network_of_the_tables_may_have_its_own_learning_rate(params: Params) -> None:
    common, own = params.baseline.of("srcnn"), params.baseline.of("ppcn_student")
    assert common.learning_rate == params.baseline.learning_rate
    assert own == common.model_copy(update={"learning_rate": 0.01})


def test_a_recipe_gives_only_what_is_not_usual(file: Path) -> None:
    edit_yaml(file, {"recipes.mine": {"tv_weight": 3}, "loss.recipe": "mine"})
    mine = Params.load(file).recipe()
    weights = {k: v for k, v in mine.model_dump().items() if k.endswith("_weight") and v}
    assert weights == {"tv_weight": 3}
    usual = {"l1_channels": "equal", "vgg_layer": "conv4_2", "vgg_distance": "mean_squared"}
    assert usual.items() <= mine.model_dump().items()
    edit_yaml(file, {"loss.tv_weight": 0, "loss.mse_weight": 2, "loss.l1_weight": None})
    changed = Params.load(file).recipe()
    assert changed == mine.model_copy(update={"tv_weight": 0.0, "mse_weight": 2.0})


def test_a_weight_of_loss_need_not_be_there(file: Path) -> None:
    yaml = YAML()
    values = yaml.load(file.read_text())
    del values["loss"]["tv_weight"]
    with file.open("w") as opened:
        yaml.dump(values, opened)
    assert Params.load(file).recipe().tv_weight == 2000


@pytest.mark.parametrize("text", ["a: [", "just words", ""])
def test_a_file_that_holds_no_parameters_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"p\.yaml"):
        Params.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml: no such parameter file"):
        Params.load(tmp_path / "nowhere.yaml")


def test_what_a_recipe_leaves_out_is_fixed() -> None:
    """No stage depends on these defaults, so that they must not change."""
    defaults = Recipe().model_dump()
    variants = {key: defaults.pop(key) for key in [*defaults] if not key.endswith("_weight")}
    assert set(defaults.values()) == {0.0}
    assert variants == {
        "l1_channels": "equal",
        "vgg_layer": "conv4_2",
        "vgg_distance": "mean_squared",
        "discriminator": "ppcn",
    }


def test_the_better_cameras_folder_is_a_name(file: Path) -> None:
    edit_yaml(file, {"data.reference": "photos/canon"})
    with pytest.raises(UserError, match=r"data\.reference"):
        Params.load(file)
