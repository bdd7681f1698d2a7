"""Command `benchmark`: time of networks beside the SRCNN baseline, as PIRM 2018 took it."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from torch import nn

from pipeline.options import ParamsFile, load_params
from pipeline.progress import showing
from ppcn.artifacts import write_json
from ppcn.complexity import (
    BASELINE,
    count_parameters,
    describe_machine,
    macs_per_pixel,
    time_networks,
)
from ppcn.errors import UserError
from ppcn.networks import NETWORKS
from ppcn.weights import load_weights


def benchmark(
    weights: Annotated[
        list[Path] | None, typer.Option(help="Weights files; all networks by default.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT of the output, px; benchmark's by default.")
    ] = None,
    runs: Annotated[
        int | None, typer.Option(min=1, help="Runs of each that count; benchmark's by default.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Times to write, if wanted.")] = None,
    params_file: ParamsFile = None,
) -> None:
    """Time networks beside SRCNN in the same run (two runs discarded, then the mean)."""
    settings = load_params(params_file).benchmark
    networks = _networks(weights or [])
    size = size or f"{settings.width}x{settings.height}"
    runs = runs or settings.runs
    with showing("benchmark") as report:
        times = time_networks(networks, _parse_size(size), runs, report)
    rows = {
        name: {
            "parameters": count_parameters(network),
            "mac_per_pixel": round(macs_per_pixel(name)),
            "cpu_ms": times[name],
            "share_of_srcnn": times[name] / times[BASELINE],
        }
        for name, network in networks.items()
    }
    machine = describe_machine()
    if json:
        write_json(json, {"size": size, "runs": runs, "machine": machine, "networks": rows})
    table = Table("network", "parameters", "MAC/px", "ms", "of SRCNN's", title=size)
    for name, row in rows.items():
        share = f"{row['share_of_srcnn']:.2f}"
        table.add_row(
            name, f"{row['parameters']:,}", f"{row['mac_per_pixel']:,}", f"{times[name]:.0f}", share
        )
    Console().print(table)


def _networks(weights: list[Path]) -> dict[str, nn.Module]:
    """The networks of the files, or all of them; SRCNN always."""
    if not weights:
        return {name: architecture.make() for name, architecture in NETWORKS.items()}
    networks: dict[str, nn.Module] = {BASELINE: NETWORKS[BASELINE].make()}
    for path in weights:
        network, facts = load_weights(path, "ppcn-pipeline student")
        if facts["network"] in networks and facts["network"] != BASELINE:
            raise UserError(f"{path}: a second {facts['network']}; its time would be the same")
        networks[facts["network"]] = network
    return networks


def _parse_size(size: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", size)
    width, height = (int(group) for group in found.groups()) if found else (0, 0)
    if min(width, height) < 16:
        raise UserError(f"--size {size}: give WIDTHxHEIGHT in px, 16x16 or more, such as 1280x720")
    return height, width
