"""Advice on a missing or damaged file names the command that makes it."""

import pickle
from pathlib import Path

import pytest

from pipeline.app import COMMANDS
from pipeline.cli.hints import MAKERS, maker_of, with_hint
from ppcn.errors import FileError, FileKind, UserError, missing_file


@pytest.mark.parametrize(
    ("path", "kind", "command"),
    [
        ("data/aligned/pixel.h5", FileKind.ALIGNMENTS, "ppcn-pipeline align --phone pixel"),
        ("elsewhere/a.h5", FileKind.ALIGNMENTS, "ppcn-pipeline align"),
        ("data/models/sr/ppcn_sr.safetensors", FileKind.WEIGHTS, "ppcn-pipeline sr"),
        (
            "data/models/student/pixel.safetensors",
            FileKind.WEIGHTS,
            "ppcn-pipeline student --phone pixel",
        ),
        ("data/models/baseline/p/srcnn.safetensors", FileKind.WEIGHTS, "dvc repro -R tables"),
        ("data/models/baseline/p/srcnn/15.safetensors", FileKind.WEIGHTS, "dvc repro -R tables"),
        ("metrics/patches/pixel.csv", FileKind.METRICS, "ppcn-pipeline patches --phone pixel"),
        ("metrics/evaluate/sr.json", FileKind.METRICS, "ppcn-pipeline evaluate-sr"),
        ("times/h100.json", FileKind.TIMES, "ppcn-pipeline benchmark --json {path}"),
        ("data/sr/train.h5", FileKind.SR_SET, "ppcn-pipeline lr"),
    ],
)
def test_the_command_follows_from_kind_and_place(path: str, kind: FileKind, command: str) -> None:
    missing = missing_file(Path(path), kind)
    made = command.format(path=path)
    assert with_hint(missing) == f"{path}: no such file; make it with '{made}'"
    damaged = FileError(Path("/somewhere") / path, kind, "unfinished")
    made = command.format(path=f"/somewhere/{path}")
    assert with_hint(damaged) == f"/somewhere/{path}: unfinished; remake it with '{made}'"


def test_metrics_of_no_stage_get_no_wrong_advice() -> None:
    assert maker_of(missing_file(Path("metrics/benchmark/h100.json"), FileKind.METRICS)) is None


def test_weights_of_the_users_own_get_no_wrong_advice() -> None:
    damaged = FileError(Path("mine/sr.safetensors"), FileKind.WEIGHTS, "damaged weights file")
    assert with_hint(damaged) == "mine/sr.safetensors: damaged weights file"
    assert with_hint(UserError("anything else")) == "anything else"


def test_the_commands_exist() -> None:
    named = {maker.command.split()[1] for maker in MAKERS if maker.command.startswith("ppcn-")}
    assert named <= COMMANDS.keys()


def test_the_error_survives_the_way_back_from_a_worker() -> None:
    error = FileError(Path("a.h5"), FileKind.PATCH_SET, "unfinished")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.kind, again.missing) == (str(error), error.kind, False)
