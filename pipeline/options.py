"""Command-line options and checks that several commands share."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from ppcn.errors import UserError
from ppcn.params import Params

ParamsFile = Annotated[
    Path | None,
    typer.Option("--params", help="Parameter file; params.yaml of this folder by default."),
]
Phone = Annotated[str, typer.Option(help="Name of the phone: its folder and its results.")]
Root = Annotated[Path | None, typer.Option(help="Folder of photo folders; data.root by default.")]
PatchesFile = Annotated[
    Path | None, typer.Option(help="Patch set; PHONE.h5 under data.patches by default.")
]
Reference = Annotated[
    str | None, typer.Option(help="Folder name of the better camera; data.reference by default.")
]


def load_params(path: Path | None) -> Params:
    """Read the parameter file that was named, or this folder's, or the one that was installed.

    Raises:
        UserError: the file is refused.
    """
    if path is None:
        path = Path("params.yaml")
        if not path.exists():
            # Inside the installed package, or at the top of the checkout it was installed from.
            package = Path(__file__).parent
            places = (package / "params.yaml", package.parent / "params.yaml")
            path = next((place for place in places if place.exists()), path)
            typer.echo(f"no params.yaml here; using {path}")
    return Params.load(path)


def check_phone(params: Params, phone: str, root: Path | None) -> None:
    """Refuse a phone that params.yaml does not know, unless its folder was named.

    Raises:
        UserError: naming the nearest known phone.
    """
    if phone not in params.phones and root is None:
        near = nearest(phone, params.phones)
        raise UserError(
            f"unknown phone '{phone}'; the nearest of params.yaml is '{near}' "
            f"(add it under phones:, or name its photos' folder with --root)"
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like a name that a user gave."""
    return difflib.get_close_matches(name, list(known), n=1, cutoff=0)[0]
