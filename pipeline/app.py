"""The commands by name; each is loaded when it is called."""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

STAGES = "Pipeline stages"
TOOLS = "Use it"
ROOMS = {STAGES: "stages", TOOLS: "tools"}

COMMANDS = {
    "rig": STAGES,
    "align": STAGES,
    "patches": STAGES,
    "accuracy": STAGES,
    "features": STAGES,
    "teacher": STAGES,
    "student": STAGES,
    "evaluate": STAGES,
    "lr": STAGES,
    "sr": STAGES,
    "evaluate-sr": STAGES,
    "report": STAGES,
    "baseline": STAGES,
    "baseline-sr": STAGES,
    "benchmark": STAGES,
    "tables": STAGES,
    "enhance": TOOLS,
    "upscale": TOOLS,
    "export": TOOLS,
    "doctor": TOOLS,
    "scale": TOOLS,
    "import-dped": TOOLS,
    "import-checkpoint": TOOLS,
    "score-enhancement": TOOLS,
    "score-sr": TOOLS,
}


class LazyGroup(TyperGroup):
    """A group whose commands are the functions of the same name in pipeline/<name>.py."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # The names alone, for the listing and for "did you mean".
        names: Any = dict.fromkeys(COMMANDS)
        self.commands = names

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command as the listing shows it; nothing is imported."""
        return _listed(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that was called, ready to run."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed and _loaded(args[0]), rest


@cache
def _listed(command: str) -> TyperCommand:
    name = command.replace("-", "_")
    folder = Path(__file__).parent / ROOMS[COMMANDS[command]]
    source = ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))
    (function,) = (n for n in source.body if isinstance(n, ast.FunctionDef) and n.name == name)
    text = ast.get_docstring(function)
    return TyperCommand(command, help=text, rich_help_panel=COMMANDS[command])


def _loaded(command: str) -> Any:
    name = command.replace("-", "_")
    function = getattr(import_module(f"pipeline.{ROOMS[COMMANDS[command]]}.{name}"), name)
    single = typer.Typer(pretty_exceptions_enable=False)
    single.command(command)(function)
    return typer.main.get_command(single)


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Phone photos into camera-quality photos: align, cut patches, train, distil, score.",
)


@app.callback()
def _root() -> None:
    pass
