"""Command `review`: judge pairs by eye, in the browser."""

import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.decisions import DecisionsFile, echo_unknown, usual_decisions
from pipeline.cli.options import ParamsFile, Phone, Root, check_phone, load_params
from ppcn.dataset.decisions import read_decisions
from ppcn.errors import UserError
from ppcn.review.catalogue import read_catalogue
from ppcn.review.server import serve
from ppcn.review.session import Session

Aligned = Annotated[
    Path | None, typer.Option(help="Alignment file to read; by default data/aligned/PHONE.h5.")
]
Port = Annotated[
    int,
    typer.Option(
        min=0, max=65535, help="Port of this machine to serve the page at; 0 takes a free one."
    ),
]
NoBrowser = Annotated[
    bool, typer.Option("--no-browser", help="Print the address only; open no browser.")
]


def review(
    phone: Phone,
    root: Root = None,
    aligned: Aligned = None,
    decisions: DecisionsFile = None,
    port: Port = 0,
    no_browser: NoBrowser = False,
    params_file: ParamsFile = None,
) -> None:
    """Accept, reject or align pairs by hand, on a page in the browser.

    The most doubtful pairs come first: rejected ones, then those whose photos agree least, and of
    those that agree alike the ones with the largest residual. Every decision is saved at once;
    `align` and `patches` honour them. Only this machine can open the page.
    """
    params = load_params(params_file)
    check_phone(params, phone, root)
    aligned = aligned or Path(f"data/aligned/{phone}.h5")
    catalogue = read_catalogue(aligned, root or Path(params.data.root))
    if not catalogue.entries:
        raise UserError(f"{aligned}: holds no pair")
    decided = read_decisions(decisions or usual_decisions(params, phone))
    echo_unknown(decided, [entry.stem for entry in catalogue.entries])

    def say(address: str) -> None:
        typer.echo(f"{len(catalogue.entries)} pairs at {address} (Ctrl-C ends it)")
        typer.echo(f"decisions go to {decided.path}")
        if not no_browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    serve(Session(phone, catalogue, decided.path, params), port, say)
