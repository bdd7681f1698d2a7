"""Command-line options for how many processes share the work, here or on a cluster."""

from typing import Annotated

import typer

from ppcn.machine import worker_count

Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Number of processes; by default as many as cores and memory allow."),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Address of a Dask scheduler, or its JSON file, to run the work on a cluster.",
    ),
]


def process_count(wanted: int | None, cluster: str | None, bytes_per_worker: int) -> int:
    """The number of processes to use here; says so if they may not fit into memory."""
    if cluster:
        return 1
    number, warning = worker_count(wanted, bytes_per_worker)
    if warning:
        typer.echo(f"warning: {warning}", err=True)
    return number
