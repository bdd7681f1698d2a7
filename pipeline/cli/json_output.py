"""The option `--json`: what a command found out, for scripts."""

import functools
import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from ppcn.errors import UserError

OPTIONAL_FILE = "[FILE]"
Json = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar=OPTIONAL_FILE,
        help="Write the result as JSON into this file; without a file name, print it on standard "
        "output and everything else on standard error.",
    ),
]
STANDARD_OUTPUT = Path("-")


@contextmanager
def json_output(target: Path | None) -> Iterator[dict[str, Any]]:
    """Yield a dictionary to be filled with the result, which goes where `--json` said.

    Args:
        target: a file, `STANDARD_OUTPUT`, or None for no JSON.
    """
    # Imported only now, for the listing of commands needs neither HDF5 nor NumPy.
    from ppcn.files.artifacts import rounded, write_json

    result: dict[str, Any] = {}
    prints = target == STANDARD_OUTPUT
    with redirect_stdout(sys.stderr) if prints else nullcontext():
        yield result
    if prints:
        print(json.dumps(rounded(result), indent=2, allow_nan=False))
    elif target:
        write_json(target, result)


def with_json(command: Callable[..., Mapping[str, Any] | None]) -> Callable[..., None]:
    """Give a command that returns its result the option `--json`.

    A command that returns None has no result; then the option is refused.
    """
    own = inspect.signature(command).parameters.values()
    json_option = inspect.Parameter(
        "json", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Json
    )

    @functools.wraps(command)
    def run(json: Path | None = None, **values: Any) -> None:
        with json_output(json) as result:
            value = command(**values)
            if json and value is None:
                raise UserError("--json: pictures are all there is this time; leave it out")
            result |= value or {}

    named = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    vars(run)["__signature__"] = inspect.Signature([*named, json_option])
    return run
