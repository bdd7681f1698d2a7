"""The reference of the command line, from the commands themselves."""

import re
from pathlib import Path

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

from pipeline.app import COMMANDS, ROOMS, app

# What typer takes for markup of the page but means as it stands: the brackets of [x>=1], <path>.
OPTION = re.compile(r"^\* `(?P<names>[^`]+)`:? ?(?P<help>.*)$", re.MULTILINE)


def describe_all(root: Path) -> str:
    """Every command in Markdown, under the panels of `--help`.

    Args:
        root: folder of the project.
    """
    group = get_command(app)
    parts = []
    for panel in ROOMS:
        parts.append(f"## {panel}")
        names = [name for name, command in COMMANDS.items() if command.panel == panel]
        parts += [_describe(group.resolve_command(None, [name])[1], name) for name in names]
    return "\n\n".join(parts)


def _describe(command: typer.core.TyperCommand, name: str) -> str:
    """One command, with its usage, arguments and options."""
    context = typer.Context(command, info_name=name)
    text = get_docs_for_click(obj=command, ctx=context, name=f"ppcn-pipeline {name}", indent=2)
    _, _, body = text.partition("\n")
    body = OPTION.sub(lambda found: _row(found["names"], found["help"]), body)
    return f"### {name} {{#{name}}}\n{body.strip()}"


def _row(names: str, text: str) -> str:
    """An option or argument, with what its help says."""
    return f"* `{names}`: {text.replace('<', '&lt;')}"
