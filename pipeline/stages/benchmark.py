"""Command `benchmark`: times beside the SRCNN baseline on the CPU, as PIRM 2018 took them."""

from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli.json_output import with_json
from pipeline.cli.options import ParamsFile, load_params, parse_size
from pipeline.cli.progress import counted, showing
from pipeline.cli.runtimes import Calibrate, calibration, known
from ppcn.errors import UserError
from ppcn.evaluation.benchmark import (
    Row,
    add_scores,
    check_runtimes,
    choose_subjects,
    describe_setting,
    find_networks,
    is_scored,
    network_costs,
    time_rows,
)
from ppcn.evaluation.photo_folders import find_pairs, read_pairs
from ppcn.evaluation.timing import Subject, peak_memories
from ppcn.files.artifacts import replacing
from ppcn.inference.runtimes import RUNTIMES, Precision, RuntimeName

COLUMNS = {
    "network": "{}",
    "runtime": "{}",
    "precision": "{}",
    "parameters": "{:,}",
    "mac_per_pixel": "{:,}",
    "cpu_ms": "{:.1f}",
    "speedup": "{:.2f}",
    "ram_mb": "{:.0f}",
    "psnr": "{:.2f}",
    "ms_ssim": "{:.4f}",
    "score_a": "{:.2f}",
    "score_b": "{:.2f}",
    "score_c": "{:.2f}",
}
"""Every figure that a row can have, and how it is shown; columns without any are left out."""
TEXTS = {"network", "runtime", "precision"}


Weights = Annotated[
    list[str] | None,
    typer.Option(
        help="Weights file to time, or the name of weights that come with this program; give it "
        "again for more. By default every network is timed, with fresh weights."
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        help="Width and height of the output in pixels, such as 1280x720; by default those of the "
        "parameters benchmark.width and benchmark.height."
    ),
]
Runs = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Number of runs whose times are averaged, warm-up runs not counted; by default the "
        "parameter benchmark.runs.",
    ),
]
Runtimes = Annotated[
    list[str] | None,
    typer.Option(
        "--runtime",
        help=f"Program that computes the networks: {', '.join(RUNTIMES)}. Give it again to compare "
        "several; the default is torch.",
    ),
]
Precisions = Annotated[
    list[str] | None,
    typer.Option(
        "--precision",
        help=f"Precision of the convolutions: {', '.join(get_args(Precision))}. Give it again to "
        "compare several; the default is float32.",
    ),
]
PhoneDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the phone's patches, on which trained weights are scored, too."),
]
ReferenceDir = Annotated[
    Path | None,
    typer.Option(
        "--dslr-dir",
        help="Folder of the better camera's patches, under the same file names as the phone's.",
    ),
]
MemoryWanted = Annotated[
    bool, typer.Option("--memory/--no-memory", help="Measure the memory of each network, too.")
]
MarkdownOut = Annotated[
    Path | None, typer.Option("--markdown", help="Write the table to this Markdown file.")
]


@with_json
def benchmark(
    weights: Weights = None,
    size: Size = None,
    runs: Runs = None,
    runtime: Runtimes = None,
    precision: Precisions = None,
    calibrate: Calibrate = None,
    phone_dir: PhoneDir = None,
    reference_dir: ReferenceDir = None,
    memory: MemoryWanted = True,
    markdown: MarkdownOut = None,
    params_file: ParamsFile = None,
) -> Row:
    """Time networks on the CPU beside SRCNN, as PIRM 2018 did.

    The table also has parameters, multiply-adds per pixel and memory, and the challenge's scores
    where folders of patches are given.
    """
    settings = load_params(params_file).benchmark
    size = size or f"{settings.width}x{settings.height}"
    height_width = parse_size(size)
    runs = runs or settings.runs
    runtimes: list[RuntimeName] = [known(name, RUNTIMES) for name in runtime or ["torch"]]
    names = precision or ["float32"]
    precisions: list[Precision] = [known(name, get_args(Precision)) for name in names]
    check_runtimes(runtimes, precisions)
    patches = calibration("int8" in precisions, calibrate)
    subjects = choose_subjects(find_networks(weights or []), runtimes, precisions, patches)
    _check_folders(subjects, phone_dir, reference_dir)
    with showing("time") as report:
        rows = time_rows(subjects, height_width, runs, report)
    if memory:
        _add_memory(subjects, rows, height_width)
    if phone_dir and reference_dir:
        _add_scores(subjects, rows, phone_dir, reference_dir)
    machine = describe_setting(subjects, precisions[0])
    result: Row = {"size": size, "runs": runs, "machine": machine, "rows": rows}
    result["networks"] = network_costs(subjects, rows)
    if markdown:
        with replacing(markdown) as path:
            path.write_text(_markdown(result))
    _show(result)
    return result


def _check_folders(
    subjects: list[Subject], phone_dir: Path | None, reference_dir: Path | None
) -> None:
    if (phone_dir is None) != (reference_dir is None):
        raise UserError("--phone-dir and --dslr-dir belong together; give both or none")
    if phone_dir and not any(is_scored(subject) for subject in subjects):
        raise UserError("--phone-dir scores trained enhancement networks; name some with --weights")


def _add_memory(subjects: list[Subject], rows: list[Row], size: tuple[int, int]) -> None:
    with showing("memory") as report:
        peaks = counted(peak_memories(subjects, size), len(subjects), report)
        for row, peak in zip(rows, peaks, strict=True):
            row["ram_mb"] = peak


def _add_scores(
    subjects: list[Subject], rows: list[Row], phone_dir: Path, reference_dir: Path
) -> None:
    pairs = find_pairs(phone_dir, reference_dir)
    with showing("score") as report:
        add_scores(subjects, rows, counted(read_pairs(pairs), len(pairs), report))


def _table(rows: list[Row]) -> tuple[dict[str, str], list[list[str]]]:
    """The columns that have figures with their titles, and the cells of each row."""
    titles = {
        name: name.replace("_", " ")
        for name in COLUMNS
        if any(row.get(name) is not None for row in rows)
    }
    cells = [
        ["" if row.get(name) is None else COLUMNS[name].format(row[name]) for name in titles]
        for row in rows
    ]
    return titles, cells


def _markdown(result: Row) -> str:
    """The table as a page, with what the times depend on."""
    machine = result["machine"]
    runtimes = ", ".join(f"{name} {number}" for name, number in machine["runtimes"].items())
    allocator = ", ".join(f"{key}={value}" for key, value in sorted(machine["allocator"].items()))
    titles, cells = _table(result["rows"])
    lines = [
        f"{result['size']}, mean of {result['runs']} runs, two discarded before each turn; "
        f"{machine['processor']}, {machine['threads']} threads; {runtimes}; "
        f"allocator: {allocator or 'as the system has it'}. Speedup is over SRCNN in float32, not "
        "rewritten, with the same runtime in the same run.",
        "",
        f"| {' | '.join(titles.values())} |",
        f"|{''.join('---|' if name in TEXTS else '---:|' for name in titles)}",
    ]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in cells), ""])


def _show(result: Row) -> None:
    """A table on a terminal, the page elsewhere."""
    console = Console()
    if not console.is_terminal:
        typer.echo(_markdown(result))
        return
    titles, cells = _table(result["rows"])
    table = Table(title=result["size"])
    for name, title in titles.items():
        table.add_column(title, justify="left" if name in TEXTS else "right", overflow="fold")
    for row in cells:
        table.add_row(*row)
    console.print(table)
