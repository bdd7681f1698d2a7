"""Command-line options for how many processes share the work, on this machine or a cluster."""

from typing import Annotated

import typer

from ppcn.machine import worker_count

Workers = Annotated[
    int | None,
    typer.Option(
        min=1, help="Number of processes; by default as many as cores and free memory allow."
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Run on the workers of this Dask scheduler instead of this machine: its address, such "
        "as tcp://host:8786, or the JSON file that it writes.",
    ),
]


def process_count(wanted: int | None, cluster: str | None, bytes_per_worker: int) -> int:
    """The number of processes of this machine; prints a warning if memory may not suffice.

    Args:
        wanted: by the user; None for as many as cores and memory allow.
        cluster: what runs the tasks instead, if anything.
        bytes_per_worker: that each process needs.
    """
    if cluster:
        return 1
    number, warning = worker_count(wanted, bytes_per_worker)
    if warning:
        typer.echo(f"warning: {warning}", err=True)
    return number
