"""dvc.yaml and tables/dvc.yaml say the truth about code, parameters and outputs."""

import ast
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from conftest import ROOT
from pydantic import BaseModel
from ruamel.yaml import YAML

from pipeline.app import COMMANDS
from pipeline.app import STAGES as PANEL
from ppcn.params import Params

ALL = {
    name: stage.get("do", stage)
    for file in ("dvc.yaml", "tables/dvc.yaml")
    for name, stage in YAML(typ="safe").load((ROOT / file).read_text())["stages"].items()
}
# What cannot alter a result; the values of params.yaml are tracked one by one.
NO_DEPENDENCIES = [
    ROOT / name
    for name in ("pipeline/cli", "ppcn/errors.py", "ppcn/files", "ppcn/machine.py", "ppcn/params")
]
MOST = 7
# `--explain`, `--calibrate`, and what programs import from the package itself.
FOR_OPTIONS = {
    ROOT / name
    for name in (
        "pipeline/cli/explain_pair.py",
        "ppcn/inference/calibration.py",
        "ppcn/__init__.py",
    )
}


def code(stage: str) -> list[Path]:
    """The modules and packages that a stage lists."""
    return [ROOT / dep for dep in ALL[stage]["deps"] if dep.startswith(("pipeline/", "ppcn"))]


def module_of(stage: str) -> Path:
    return ROOT / "pipeline/stages" / f"{ALL[stage]['cmd'].split()[3].replace('-', '_')}.py"


def is_in(file: Path, places: list[Path]) -> bool:
    return any(place in (file, *file.parents) for place in places)


@cache
def imported(path: Path) -> frozenset[Path]:
    """Files of this project that one file imports, but for what serves options no stage sets."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            base = ROOT / name.replace(".", "/")
            for file in (base.with_suffix(".py"), base / "__init__.py"):
                if file.is_file() and name.split(".")[0] in ("ppcn", "pipeline"):
                    found.add(file)
    return frozenset(found - FOR_OPTIONS)


def closure(path: Path) -> set[Path]:
    seen, todo = {path}, [path]
    while todo:
        for file in imported(todo.pop()) - seen:
            seen.add(file)
            todo.append(file)
    return seen - {ROOT / "pipeline/__init__.py"}


@pytest.mark.parametrize("stage", ALL)
def test_code_dependencies_are_the_import_closure(stage: str) -> None:
    needed = {f for f in closure(module_of(stage)) if not is_in(f, NO_DEPENDENCIES)}
    missing = {f for f in needed if not is_in(f, code(stage))}
    assert not missing, sorted(str(f.relative_to(ROOT)) for f in missing)
    idle = [place for place in code(stage) if not any(is_in(f, [place]) for f in needed)]
    assert not idle, idle


@pytest.mark.parametrize("stage", ALL)
def test_a_stage_depends_on_few_packages(stage: str) -> None:
    assert 1 < len(code(stage)) <= MOST
    assert not [place for place in code(stage) if is_in(place, NO_DEPENDENCIES)]


@pytest.mark.parametrize("stage", ["rig", "align", "patches"])
def test_networks_and_trainings_are_nothing_to_the_data(stage: str) -> None:
    assert not {ROOT / f"ppcn/{name}" for name in ("networks", "training", "losses.py")} & set(
        code(stage)
    )


@pytest.mark.parametrize("stage", ALL)
def test_every_stage_is_described_and_its_parameters_exist(stage: str) -> None:
    assert ALL[stage]["desc"]
    assert stage != "report" or ALL[stage]["params"] == [{"params.yaml": None}]
    for dotted in (key for key in ALL[stage].get("params", []) if isinstance(key, str)):
        model: object = Params
        for part in dotted.partition(".${")[0].split("."):
            if entries := get_args(model):  # a dictionary, whose keys are listed by its type
                assert part in get_args(entries[0]), dotted
                model = entries[1]
                continue
            assert isinstance(model, type) and issubclass(model, BaseModel), dotted
            assert part in model.model_fields, dotted
            model = model.model_fields[part].annotation


def test_the_teacher_does_not_depend_on_distillation() -> None:
    distilling = {"kd_weight", "kd_output_weight", "distillation"}
    assert "loss" not in ALL["teacher"]["params"]
    named = {name for name in Params.model_fields["loss"].annotation.model_fields}
    listed = {p.split(".")[1] for p in ALL["teacher"]["params"] if p.startswith("loss.")}
    assert listed == named - distilling


def test_outputs_are_only_what_the_pipeline_makes() -> None:
    for stage in ALL:
        outs = [
            path if isinstance(path, str) else next(iter(path))
            for kind in ("outs", "metrics", "plots")
            for path in ALL[stage].get(kind, [])
        ]
        for path in outs:
            assert path.startswith(("data/", "metrics/", "report/")), path
            assert not path.startswith(("data/sample", "data/dped")), path
            assert "${data." not in path
            assert "${sr.hr_" not in path


def test_every_stage_is_a_file_a_command_and_an_entry() -> None:
    files = {path.stem.replace("_", "-") for path in (ROOT / "pipeline/stages").glob("[!_]*.py")}
    commands = {name for name, command in COMMANDS.items() if command.panel == PANEL}
    entries = {stage["cmd"].split()[3] for stage in ALL.values()}
    assert files == commands == entries
