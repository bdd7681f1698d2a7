"""The commands by name; each is loaded when it is called."""

import inspect
from importlib import import_module
from itertools import pairwise
from os.path import expanduser
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from pipeline.cli.json_output import OPTIONAL_FILE
from pipeline.cli.several import SEVERAL, repeated
from ppcn import __version__

STAGES = "Pipeline stages"
TOOLS = "Use it"
ROOMS = {STAGES: "stages", TOOLS: "tools"}


class Command(NamedTuple):
    """A command in the listing.

    Attributes:
        panel: under which heading; it tells the folder of its module, too.
        summary: the first sentence of its help.
    """

    panel: str
    summary: str


COMMANDS = {
    "rig": Command(STAGES, "Render photo pairs with known geometry from the sample scenes."),
    "align": Command(
        STAGES, "Find homography, local displacement and common crop of every photo pair."
    ),
    "patches": Command(STAGES, "Cut matching patches out of the aligned pairs."),
    "accuracy": Command(STAGES, "Measure the alignment error in pixels where the truth is known."),
    "features": Command(STAGES, "Fetch VGG-19's weights, which the perceptual losses need."),
    "teacher": Command(STAGES, "Train the teacher, the large enhancement network."),
    "student": Command(STAGES, "Distil the teacher into the student, which runs on a phone."),
    "evaluate": Command(STAGES, "Score teacher and student on photos that training never saw."),
    "lr": Command(STAGES, "Make training crops and low-resolution photos for super-resolution."),
    "sr": Command(STAGES, "Train a super-resolution network."),
    "evaluate-sr": Command(STAGES, "Score the super-resolution network beside bicubic."),
    "report": Command(STAGES, "Write tables, curves and pictures of every phone into one page."),
    "baseline": Command(STAGES, "Train one enhancement network at the budget of the tables."),
    "baseline-sr": Command(
        STAGES, "Train one super-resolution network at the budget of the tables."
    ),
    "benchmark": Command(STAGES, "Time networks on the CPU beside SRCNN, as PIRM 2018 did."),
    "tables": Command(STAGES, "Score every row of a table of the papers."),
    "review": Command(TOOLS, "Accept, reject or align pairs by hand, on a page in the browser."),
    "enhance": Command(TOOLS, "Enhance photos of any size."),
    "upscale": Command(TOOLS, "Enlarge photos to four times their height and width."),
    "export": Command(TOOLS, "Write a network as a model file of another runtime."),
    "export-pairs": Command(
        TOOLS, "Write aligned photos and patches as files that other trainers read."
    ),
    "doctor": Command(TOOLS, "Say what is missing on this machine and in this folder."),
    "fetch": Command(TOOLS, "Download a public data set, check it and unpack it."),
    "scale": Command(TOOLS, "Write a set of values, such as the papers', into params.yaml."),
    "simulate": Command(TOOLS, "Make pairs for cameras of which there are none."),
    "import-dped": Command(TOOLS, "Read DPED's released patches into one patch set."),
    "import-patches": Command(
        TOOLS, "Read folders of patches in BasicSR's layout into one patch set."
    ),
    "import-checkpoint": Command(TOOLS, "Read the authors' published weights without TensorFlow."),
    "score-enhancement": Command(TOOLS, "Score an enhancement network on folders of patches."),
    "score-sr": Command(TOOLS, "Score a super-resolution network on folders of photos."),
}


class LazyGroup(TyperGroup):
    """A group whose commands are functions in pipeline/stages/<name>.py and pipeline/tools."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # The names alone, for the listing and for "did you mean".
        names: Any = dict.fromkeys(COMMANDS)
        self.commands = names

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command as the listing shows it; nothing is imported."""
        if cmd_name not in COMMANDS:
            return None
        panel, summary = COMMANDS[cmd_name]
        return TyperCommand(cmd_name, help=summary, rich_help_panel=panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that was called, ready to run."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed and _loaded(args[0]), rest


class LoadedCommand(TyperCommand):
    """A command whose paths may begin with ~, and whose options may take no or several values."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put in the home folder, which shells leave out of --root=~/photos, and standard output.

        Without a file name `--json` prints the result. An option of several values is repeated.
        """
        several = {o for p in self.params if p.metavar == SEVERAL for o in p.opts}
        args = list(repeated([_with_home(argument) for argument in args], several))
        if not any(parameter.metavar == OPTIONAL_FILE for parameter in self.params):
            return super().parse_args(ctx, args)
        given = []
        for argument, following in pairwise([*args, "--"]):
            given.append(argument)
            if argument == "--json" and following.startswith("-") and following != "-":
                given.append("-")
        return super().parse_args(ctx, given)


def _with_home(argument: str) -> str:
    """An argument, or an option with its value, whose path begins with the home folder, not ~."""
    option, equals, value = argument.partition("=")
    if option.startswith("--") and equals:
        return f"{option}={expanduser(value)}"
    return expanduser(argument)


def _loaded(command: str) -> Any:
    """A command ready to run."""
    name = command.replace("-", "_")
    function = getattr(import_module(f"pipeline.{ROOMS[COMMANDS[command].panel]}.{name}"), name)
    paragraphs = inspect.cleandoc(function.__doc__).split("\n\n")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    single = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    single.command(command, cls=LoadedCommand, help=text)(function)
    return typer.main.get_command(single)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ppcn-pipeline {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Phone photos into camera-quality photos: align, cut patches, train, distil, score.",
)


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Print the version and stop.",
        ),
    ] = False,
) -> None:
    pass
