"""Every command of README and docs runs, or would: its program, options, keys and values exist."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch.distributed.run
import typer
from conftest import PARAMS, ROOT
from dvc.cli import parse_args
from dvc.utils.hydra import apply_overrides
from packaging.requirements import Requirement
from page_blocks import BLOCKS, Block
from ruamel.yaml import YAML
from typer.main import get_command

from pipeline.app import app
from ppcn.params import Params

STAGES = {
    name
    for file in ("dvc.yaml", "tables/dvc.yaml")
    for name in YAML(typ="safe").load((ROOT / file).read_text())["stages"]
}
EXTRAS = re.search(
    r"optional-dependencies\]\n(.*?)\n\[", (ROOT / "pyproject.toml").read_text(), re.DOTALL
)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
# A program that does nothing but write down what it was called with.
RECORDER = """#!/bin/bash
printf '%s\\0' "${0##*/}" "$@" >> "$CALLS"
printf '\\n\\0' >> "$CALLS"
"""
CHECKED = [b for b in BLOCKS if b.language == "sh" and not b.mark]
# Pages whose blocks are all run, by `test_walks.py`.
WALKS = "docs/extend/"


def check_pipeline(arguments: list[str], folder: Path) -> None:
    group = get_command(app)
    if arguments[0].startswith("--"):
        return
    name, command, rest = group.resolve_command(typer.Context(group), arguments)
    command.make_context(name, rest)


def check_python(arguments: list[str], folder: Path) -> None:
    if arguments[:2] == ["-m", "pipeline"]:
        check_pipeline(arguments[2:], folder)
    elif arguments[0] == "-m":
        assert arguments[1] in ("venv", "pytest", "mkdocs", "pip"), arguments
    else:
        script = (ROOT / arguments[0]).read_text()
        for option in (a.partition("=")[0] for a in arguments[1:] if a.startswith("--")):
            assert option in script or option[2:].replace("-", "_") in script, (arguments, option)


def check_torchrun(arguments: list[str], folder: Path) -> None:
    given = torch.distributed.run.get_args_parser().parse_args(arguments)
    assert given.module
    check_python(["-m", given.training_script, *given.training_script_args], folder)


def check_dvc(arguments: list[str], folder: Path) -> None:
    given = parse_args(arguments)
    for target in getattr(given, "targets", None) or ():
        path = target.partition(":")[0]
        known = target.rpartition(":")[2].partition("@")[0] in STAGES
        assert known or (path.endswith((".yaml", ".csv")) or (ROOT / path).is_dir()), target
    if overrides := [
        v.removeprefix("params.yaml:") for v in getattr(given, "set_param", None) or ()
    ]:
        shutil.copy(PARAMS, folder / "params.yaml")
        apply_overrides(folder / "params.yaml", overrides)
        Params.load(folder / "params.yaml")


def check_srun(arguments: list[str], folder: Path) -> None:
    """SLURM starts the program behind its options."""
    program = next(n for n, word in enumerate(arguments) if not word.startswith("--"))
    CHECKS[arguments[program]](arguments[program + 1 :], folder)


def check_make(arguments: list[str], folder: Path) -> None:
    targets = [a for a in arguments if "=" not in a]
    assert targets and set(targets) <= TARGETS, targets


def check_pip(arguments: list[str], folder: Path) -> None:
    assert EXTRAS
    for requirement in (Requirement(a) for a in arguments if a.startswith("ppcn[")):
        for extra in requirement.extras:
            assert re.search(rf"^{extra} = ", EXTRAS[1], re.MULTILINE), extra


def let_pass(arguments: list[str], folder: Path) -> None:
    """A program of others, of which nothing is checked but that it is one of these."""


CHECKS: dict[str, Callable[[list[str], Path], None]] = {
    "ppcn-pipeline": check_pipeline,
    "python": check_python,
    "python3": check_python,
    "torchrun": check_torchrun,
    "srun": check_srun,
    "dvc": check_dvc,
    "make": check_make,
    "pip": check_pip,
    "pipx": check_pip,
    **dict.fromkeys(("git", "tensorboard", "dask", "sudo", "docker", "pre-commit"), let_pass),
}


def calls_of(block: Block, folder: Path) -> list[list[str]]:
    """The programs that a shell starts for a block, with their arguments; none of them is run."""
    programs = folder / "programs"
    programs.mkdir()
    for name in CHECKS:
        (programs / name).write_text(RECORDER)
        (programs / name).chmod(0o755)
    # `source .venv/bin/activate` changes nothing here.
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/activate").touch()
    environment = {"PATH": str(programs), "CALLS": str(folder / "calls"), "HOME": str(folder)}
    done = subprocess.run(
        ["/bin/bash", "-euc", block.text], cwd=folder, env=environment, capture_output=True
    )
    assert done.returncode == 0, f"{block}: {done.stderr.decode()}"
    words = (folder / "calls").read_text().split("\0")
    calls: list[list[str]] = [[]]
    for word in words[:-1]:
        if word == "\n":
            calls.append([])
        else:
            calls[-1].append(word)
    return calls[:-1]


def test_every_block_of_commands_is_run_or_checked_or_says_why_not() -> None:
    commands = [b for b in BLOCKS if b.language in ("sh", "bash", "shell", "console")]
    assert {b.language for b in commands} == {"sh"}, "commands are blocks of the language sh"
    assert not [str(b) for b in commands if b.mark and not (b.is_run or b.reason)]
    assert len(commands) > 40
    assert sum(b.reason is not None for b in commands) < len(commands) / 5


@pytest.mark.parametrize("block", [b for b in CHECKED if not b.page.startswith(WALKS)], ids=str)
def test_a_command_would_run(block: Block, tmp_path: Path) -> None:
    calls = calls_of(block, tmp_path)
    assert calls, "a block without commands"
    for program, *arguments in calls:
        CHECKS[program](arguments, tmp_path)


def test_a_wrong_command_is_found(tmp_path: Path) -> None:
    """Options, stages, keys, values, targets, extras, scripts and programs that do not exist."""
    wrong = (
        "ppcn-pipeline align --phone x --rot y",
        "ppcn-pipeline allign --phone x",
        "dvc exp run -S loss.kd_wieght=1",
        "dvc exp run -S teacher.batch=none",
        "dvc repro allign",
        "make tset",
        "pip install 'ppcn[heif]'",
        "python benchmarks/trainig.py",
        "python benchmarks/training.py --speeed",
        "tourchrun --nproc-per-node 4 -m pipeline teacher --phone x",
    )
    for number, line in enumerate(wrong):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises((Exception, SystemExit)):
            for program, *arguments in calls_of(Block("a.md", 1, "sh", None, "", line), folder):
                CHECKS[program](arguments, folder)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "python"], ids=str)
def test_python_of_the_pages_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")
