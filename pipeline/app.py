"""The commands by name; each is loaded when it is called."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

STAGES = "Pipeline stages"
TOOLS = "Use it"

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
        """Import and wrap one command."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        function = getattr(import_module(f"pipeline.{name}"), name)
        single = typer.Typer(pretty_exceptions_enable=False)
        single.command(cmd_name, rich_help_panel=COMMANDS[cmd_name])(function)
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
