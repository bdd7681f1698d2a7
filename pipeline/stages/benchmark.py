"""Command `benchmark`: times beside the SRCNN baseline on the CPU, as PIRM 2018 took them."""

from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli.options import ParamsFile, load_params, parse_size
from pipeline.cli.progress import counted, showing
from pipeline.cli.runtimes import Calibrate, calibration, known
from ppcn.errors import UserError
from ppcn.evaluation.complexity import BASELINE, count_parameters, describe_machine, macs_per_pixel
from ppcn.evaluation.metrics import pirm_scores
from ppcn.evaluation.photo_folders import find_pairs, read_pairs
from ppcn.evaluation.protocols import score_enhancement
from ppcn.evaluation.timing import (
    Subject,
    describe_runtimes,
    peak_memories,
    run_subject,
    time_subjects,
)
from ppcn.files.artifacts import replacing, write_json
from ppcn.inference.runtimes import PRECISIONS, Precision, RuntimeName, make_runtime
from ppcn.networks import NETWORKS
from ppcn.weights import load_weights
from ppcn.weights.shipped import find_weights

Row = dict[str, Any]
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


def benchmark(
    weights: Annotated[
        list[str] | None,
        typer.Option(help="Weights files, or names of those that ship; all networks by default."),
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT of the output, px; benchmark's by default.")
    ] = None,
    runs: Annotated[
        int | None, typer.Option(min=1, help="Runs of each that count; benchmark's by default.")
    ] = None,
    runtime: Annotated[
        list[str] | None,
        typer.Option(help="torch (default), openvino, onnx; give it again for more."),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(help="float32 (default), exact, bfloat16, int8; give it again for more."),
    ] = None,
    calibrate: Calibrate = None,
    phone_dir: Annotated[
        Path | None, typer.Option(help="The phone's patches, to score trained weights.")
    ] = None,
    dslr_dir: Annotated[
        Path | None, typer.Option(help="The camera's, under the same file names.")
    ] = None,
    memory: Annotated[bool, typer.Option(help="Measure memory, too.")] = True,
    json: Annotated[Path | None, typer.Option(help="File to write, if wanted.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Table to write, if wanted.")] = None,
    params_file: ParamsFile = None,
) -> None:
    """Time networks on the CPU beside SRCNN in the same run, as PIRM 2018 did."""
    settings = load_params(params_file).benchmark
    size = size or f"{settings.width}x{settings.height}"
    height_width = parse_size(size)
    runs = runs or settings.runs
    runtimes: list[RuntimeName] = [known(name, PRECISIONS) for name in runtime or ["torch"]]
    precisions: list[Precision] = [
        known(name, get_args(Precision)) for name in precision or ["float32"]
    ]
    subjects = _subjects(weights or [], runtimes, precisions, calibrate)
    if (phone_dir is None) != (dslr_dir is None):
        raise UserError("--phone-dir and --dslr-dir belong together; give both or none")
    if phone_dir and not any(_is_scored(subject) for subject in subjects):
        raise UserError("--phone-dir scores trained enhancement networks; name some with --weights")
    with showing("time") as report:
        times = time_subjects(subjects, height_width, runs, report)
    bases = {s.runtime: t for s, t in zip(subjects, times, strict=True) if s.is_baseline}
    rows = [_row(s, t, bases[s.runtime]) for s, t in zip(subjects, times, strict=True)]
    if memory:
        with showing("memory") as report:
            measured = counted(peak_memories(subjects, height_width), len(subjects), report)
            for row, peak in zip(rows, measured, strict=True):
                row["ram_mb"] = peak
    if phone_dir and dslr_dir:
        _score(subjects, rows, phone_dir, dslr_dir)
    versions = describe_runtimes(list(bases))
    first = {"runtime": " ".join(next(iter(versions.items()))), "precision": precisions[0]}
    machine = {**describe_machine(), **first, "runtimes": versions}
    result = {"size": size, "runs": runs, "machine": machine, "rows": rows}
    result["networks"] = _costs(subjects, rows)
    if json:
        write_json(json, result)
    if markdown:
        with replacing(markdown) as path:
            path.write_text(_markdown(result))
    _show(result)


def _subjects(
    weights: list[str],
    runtimes: list[RuntimeName],
    precisions: list[Precision],
    calibrate: Path | None,
) -> list[Subject]:
    """Every network with every runtime and precision that it knows; SRCNN as a baseline first."""
    for runtime in runtimes:
        make_runtime(runtime)
    for precision in precisions:
        if not any(precision in PRECISIONS[runtime] for runtime in runtimes):
            make_runtime(runtimes[0], precision)
    patches = calibration("int8" in precisions, calibrate)
    networks = _networks(weights)
    subjects = []
    for runtime in runtimes:
        subjects.append(Subject(BASELINE, networks.get(BASELINE), runtime, "float32", False))
        subjects += [
            Subject(name, path, runtime, precision, True, patches if precision == "int8" else None)
            for precision in precisions
            if precision in PRECISIONS[runtime]
            for name, path in networks.items()
        ]
    return subjects


def _networks(weights: list[str]) -> dict[str, Path | None]:
    """The networks of the files, or all of them, untrained."""
    if not weights:
        return dict.fromkeys(NETWORKS)
    networks: dict[str, Path | None] = {}
    for name in weights:
        path = find_weights(name)
        _, facts = load_weights(path)
        if facts["network"] in networks:
            raise UserError(f"{path}: a second {facts['network']}; its time would be the same")
        networks[facts["network"]] = path
    return networks


def _row(subject: Subject, milliseconds: float, base: float) -> Row:
    name = subject.network if subject.rewrites else f"{subject.network} (baseline)"
    return {
        "network": name,
        "runtime": subject.runtime,
        "precision": subject.precision,
        "parameters": count_parameters(subject.module()),
        "mac_per_pixel": round(macs_per_pixel(subject.network)),
        "cpu_ms": milliseconds,
        "speedup": base / milliseconds,
    }


def _costs(subjects: list[Subject], rows: list[Row]) -> dict[str, Row]:
    """What each network costs with the first runtime and precision, for the papers' tables."""
    costs: dict[str, Row] = {}
    for subject, row in zip(subjects, rows, strict=True):
        if subject.rewrites and subject.network not in costs:
            kept = {name: row[name] for name in ("parameters", "mac_per_pixel", "cpu_ms")}
            costs[subject.network] = {**kept, "share_of_srcnn": 1 / row["speedup"]}
    return costs


def _score(subjects: list[Subject], rows: list[Row], phone_dir: Path, dslr_dir: Path) -> None:
    """Add the challenge's scores of trained enhancement networks, each with its runtime."""
    scored = [
        (subject, row) for subject, row in zip(subjects, rows, strict=True) if _is_scored(subject)
    ]
    pairs = find_pairs(phone_dir, dslr_dir)
    methods = {str(i): run_subject(subject.load()) for i, (subject, _) in enumerate(scored)}
    with showing("score") as report:
        found = score_enhancement(methods, counted(read_pairs(pairs), len(pairs), report))
    for number, (_, row) in enumerate(scored):
        psnr, ms_ssim = (found[str(number)][name] for name in ("psnr", "ms_ssim"))
        scores = pirm_scores("B", psnr, ms_ssim, row["speedup"])
        row |= {"psnr": psnr, "ms_ssim": ms_ssim}
        row |= {f"score_{name.lower()}": value for name, value in scores.items()}


def _is_scored(subject: Subject) -> bool:
    return subject.weights is not None and NETWORKS[subject.network].input == "image"


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
