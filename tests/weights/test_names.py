"""Weights that come with the package are found by name."""

import json
from pathlib import Path

import pytest
from conftest import ROOT, refusal, run, textured

import ppcn
from ppcn.errors import UserError
from ppcn.files.artifacts import sha256
from ppcn.photos.decode import write_photo
from ppcn.weights.shipped import find_weights, shipped_names

NAMES = [
    "any",
    "any-student",
    "iphone-3gs",
    "iphone-3gs-student",
    "photo_sr",
    "plain_sr",
    "ppcn_sr",
]


def test_names_are_those_of_the_files() -> None:
    assert shipped_names() == NAMES
    for name in NAMES:
        assert find_weights(name) == ROOT / f"ppcn/weights/{name}.safetensors"


@pytest.mark.parametrize("path", ["mine.safetensors", "models/mine", "./any", Path("mine")])
def test_paths_are_files(path: str | Path) -> None:
    assert find_weights(path) == Path(path)


def test_a_file_that_is_there_needs_no_suffix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").touch()
    assert find_weights("mine") == Path("mine")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("iphone3gs", f"nearest of {', '.join(NAMES)} is 'iphone-3gs' "),
        ("IPHONE-3GS-STUDENTS", "is 'iphone-3gs-student' "),
        ("ppcn_student", "the weights 'ppcn_student' are called 'iphone-3gs-student' now"),
        ("auto", f"by their cameras; choose from {', '.join(NAMES)}"),
        ("", "unknown weights ''"),
    ],
)
def test_other_names_are_refused_in_a_sentence(name: str, sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        find_weights(name)
    assert sentence in str(refused.value)


COMMANDS = [
    ("export", "--format=onnx", "--out=m.onnx"),
    ("benchmark",),
    ("score-enhancement", "--phone-dir={sample}", "--dslr-dir={sample}", "--json=j"),
    ("score-sr", "--hr-dir={sample}", "--json=j"),
    ("evaluate-sr",),
    ("enhance", "{sample}"),
    ("upscale", "{sample}"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_refuses_alike(command: tuple[str, ...], tmp_path: Path) -> None:
    arguments = [part.format(sample=ROOT / "data/sample") for part in command]
    last = refusal(tmp_path, *arguments, "--weights=anny")
    assert "unknown weights 'anny'; the nearest of " in last
    assert "is 'any' (the name of a weights file ends in .safetensors)" in last
    if command[0] != "enhance":
        assert "'auto' is for enhancing photo" in refusal(tmp_path, *arguments, "--weights=auto")
    assert not list(tmp_path.iterdir())


def test_baselines_are_listed_beside_the_weights(tmp_path: Path) -> None:
    folders = (f"--phone-dir={ROOT}/data/sample", f"--dslr-dir={ROOT}/data/sample", "--json=j")
    last = refusal(tmp_path, "score-enhancement", "--weights=do-nothin", *folders)
    assert "the nearest of do-nothing, any, " in last
    assert "is 'do-nothing'" in last


@pytest.mark.parametrize(
    ("command", "name", "network", "folders"),
    [
        ("score-enhancement", "any-student", "ppcn_student", ("--phone-dir=p", "--dslr-dir=p")),
        ("score-enhancement", "iphone-3gs", "ppcn_teacher", ("--phone-dir=p", "--dslr-dir=p")),
        ("score-sr", "ppcn_sr", "ppcn_sr", ("--hr-dir=p",)),
    ],
)
def test_names_are_scored(
    tmp_path: Path, command: str, name: str, network: str, folders: tuple[str, ...]
) -> None:
    write_photo(tmp_path / "p/a.png", textured(64, 80))
    done = run(tmp_path, command, f"--weights={name}", *folders, "--json=s.json")
    assert done.returncode == 0, done
    scores = json.loads((tmp_path / "s.json").read_text())
    assert scores["network"] == network
    assert scores["sha256"]["weights"] == sha256(find_weights(name))
    path = f"--weights={find_weights(name)}"
    assert run(tmp_path, command, path, *folders, "--json=t.json").returncode == 0
    assert json.loads((tmp_path / "t.json").read_text()) == scores


def test_names_for_the_other_task_are_sent_on(tmp_path: Path) -> None:
    write_photo(tmp_path / "p/a.png", textured(64, 80))
    last = refusal(tmp_path, "score-sr", "--weights=any", "--hr-dir=p", "--json=s.json")
    assert "holds ppcn_teacher, for enhancement; use score-enhancement" in last


def test_arrays_name_no_camera() -> None:
    assert ppcn.enhance.__defaults__ == (1.0, "any")
    assert ppcn.upscale.__defaults__ == ("photo_sr",)
