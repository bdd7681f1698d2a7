"""Decisions about pairs, for `align`, `patches` and `review`: the option, and what is said."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from ppcn.dataset.decisions import Decisions, read_decisions
from ppcn.params import Params

DecisionsFile = Annotated[
    Path | None,
    typer.Option(
        "--decisions",
        help="CSV file of what a person decided about pairs (stem, verdict, points); by default "
        "PHONE.csv in the folder data.decisions.",
    ),
]


def usual_decisions(params: Params, phone: str) -> Path:
    """The file of decisions that commands read and write for a phone."""
    return Path(params.data.decisions) / f"{phone}.csv"


def load_decisions(params: Params, phone: str, path: Path | None) -> Decisions:
    """The decisions of a phone, from the file that was named or from the usual one.

    Raises:
        UserError: the file is damaged.
    """
    if path and not path.exists():
        typer.echo(f"{path}: no such file, so nothing was decided about any pair")
    return read_decisions(path or usual_decisions(params, phone))


def echo_unknown(decisions: Decisions, stems: Collection[str]) -> None:
    """Name the decisions that are about no pair."""
    if unknown := decisions.unknown(stems):
        named = ", ".join(unknown[:10]) + (", ..." if len(unknown) > 10 else "")
        typer.echo(f"{decisions.path}: decides about {len(unknown)} stems of no pair: {named}")
