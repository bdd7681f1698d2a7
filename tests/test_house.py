"""The house keeps its order: rooms, floors, short functions, one word for one thing."""

import ast
import io
import re
import statistics
import tokenize
from pathlib import Path

import pytest
from conftest import ROOT
from typer.main import get_command

from pipeline.app import COMMANDS, app

MODULES = sorted([*ROOT.glob("ppcn/**/*.py"), *ROOT.glob("pipeline/**/*.py")])
# From the top floor down; a room imports from its own floor and from those below it.
FLOORS = (
    "pipeline",
    "ppcn.review",
    "ppcn.jobs",
    "ppcn.report",
    "ppcn.export",
    "ppcn.evaluation",
    "ppcn.training",
    "ppcn.inference",
    "ppcn.dataset",
    "ppcn.rig",
    "ppcn.registration",
    "ppcn.downloads",
    "ppcn.weights",
    "ppcn.networks",
    "ppcn.losses",
    "ppcn.photos",
    "ppcn.files",
    "ppcn.params",
    "ppcn.machine",
    "ppcn.errors",
    "ppcn",
)
LOOSE = 6
LONGEST, MEDIAN = 50, 12
# Words that have given way to the field's, and where something else fixes one.
RETIRED = set(
    "rival rivals judged follow descent totals plan learn savepoint improver improve "
    "sharpener superres superresolver here there laid seen worth found refuse refused refusal "
    "reach lane lanes sums form pack unpack master apprentice dslr canon".split()
)
FIXED = {
    "FileNotFoundError",
    "ModuleNotFoundError",
    "PackageNotFoundError",
    "pack",  # of struct
    "unpack",
    "pack_into",
    "unpack_from",
    "dslr_dir",
    "follow_redirects",  # of httpx
}
LIBRARY = [path for path in MODULES if path.is_relative_to(ROOT / "ppcn")]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")


def floor_of(module: str) -> int:
    return next(
        number
        for number, room in enumerate(FLOORS)
        if module == room or module.startswith(f"{room}.")
    )


def imports(path: Path) -> set[str]:
    """Names of the project's modules that a file imports, wherever it does."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    known = {name_of(path).removesuffix(".__init__") for path in MODULES}
    return names & known


def functions(path: Path) -> dict[str, int]:
    """Lines of every function."""
    return {
        f"{name_of(path)}.{node.name}": node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno
    }


def test_few_modules_lie_loose() -> None:
    assert len([*(ROOT / "ppcn").glob("*.py")]) <= LOOSE
    assert {path.name for path in (ROOT / "pipeline").glob("*.py")} == {
        "__init__.py",
        "__main__.py",
        "app.py",
    }


@pytest.mark.parametrize("room", FLOORS[:-1])
def test_a_room_imports_only_from_the_floors_below(room: str) -> None:
    upwards = [
        f"{name_of(path)} imports {module}"
        for path in MODULES
        if path.name != "__init__.py" or path.parent != ROOT / "ppcn"
        if name_of(path).startswith(room) and floor_of(name_of(path)) == FLOORS.index(room)
        for module in imports(path)
        if floor_of(module) < FLOORS.index(room)
    ]
    assert not upwards


def test_stages_and_tools_do_not_import_each_other() -> None:
    for kind in ("stages", "tools"):
        for path in (ROOT / "pipeline" / kind).glob("*.py"):
            others = {
                m for m in imports(path) if m.startswith(("pipeline.stages", "pipeline.tools"))
            }
            assert not others, path


def test_functions_are_short() -> None:
    lengths = {name: n for path in MODULES for name, n in functions(path).items()}
    assert not {name: n for name, n in lengths.items() if n > LONGEST}
    assert statistics.median(lengths.values()) < MEDIAN


def options() -> set[str]:
    """Every option of every command."""
    group = get_command(app)
    commands = [group.resolve_command(None, [name])[1] for name in COMMANDS]
    return {option for command in commands for p in command.params for option in p.opts}


def test_the_library_names_no_command_and_no_option() -> None:
    ours = "|".join(re.escape(option) for option in options() if option.startswith("--"))
    named = re.compile(rf"ppcn-pipeline|dvc (repro|exp)|(?<![\w-])({ours})(?![\w-])")
    assert len(ours) > 500
    for path in LIBRARY:
        lines = [line for line in path.read_text().splitlines() if "dask " not in line]
        assert not [line for line in lines if named.search(line)], path


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_retired_words_name_nothing(path: Path) -> None:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    names = {token.string for token in tokens if token.type == tokenize.NAME} - FIXED
    parts = {name: re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name) for name in names}
    assert not {n for n, found in parts.items() if RETIRED & {part.lower() for part in found}}
