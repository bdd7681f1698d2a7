"""The papers' tables as Markdown: what was measured, beside what was published."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ppcn.evaluation.published import BOE_TABLES_2_TO_5, PPCN_TABLE_1, PPCN_TABLE_3
from ppcn.evaluation.table_rows import compared as rows_compared

Rows = Mapping[str, Mapping[str, Any]]
ENHANCEMENT_SAMPLES = 20_000 * 50
"""Patches that PPCN's networks are trained on, steps times batch (section 4.2)."""
SR_SAMPLES = 50_000 * 16
"""Crops until PPCN's learning rate decays first; the paper does not say when training ends."""
FEW = 0.1
"""Share of the paper's below which a training says little of a network."""
FORMATS = {
    "rank": ("rank", "d"),
    "psnr": ("PSNR, dB", ".2f"),
    "ssim": ("SSIM", ".4f"),
    "ms_ssim": ("MS-SSIM", ".4f"),
    "niqe": ("NIQE", ".2f"),
    "parameters": ("parameters", ",d"),
    "mac_per_pixel": ("MAC/px", ",d"),
    "cpu_ms": ("CPU, ms", ".0f"),
    "share_of_srcnn": ("of SRCNN's", ".2f"),
    "score_a": ("score A", ".2f"),
    "score_b": ("B", ".2f"),
    "score_c": ("C", ".2f"),
}
"""Title and format of every figure a row can have."""


def enhancement_markdown(table: Mapping[str, Any]) -> str:
    """The enhancement table and the ablations as a Markdown page.

    Args:
        table: what `metrics/tables/enhancement.json` holds.
    """
    rows: Rows = table["rows"]
    compared = rows_compared(rows)
    quality = ("psnr", "ssim", "ms_ssim", "niqe")
    parts = [
        "# Enhancement",
        f"{table['images']} test patches of {table['test_photos']} photos of {table['phone']}, "
        f"protocol {table['protocol']}; NIQE on the whole photos. Scores A, B and C are those of "
        "PIRM 2018's track B. The papers' columns are on their own test sets and machines: PPCN "
        "Table 3 on 400 patches under pirm2018, BOE-SBG Tables 2 to 4 on DPED's test images.",
        f"{_budget(table, ENHANCEMENT_SAMPLES)} {_seeds(rows)}",
        _markdown(
            (
                _columns(compared, tuple(FORMATS)),
                _columns(_of(PPCN_TABLE_3, compared), ("psnr", "ms_ssim", "cpu_ms"), "PPCN: "),
                _columns(
                    _of(BOE_TABLES_2_TO_5, compared), ("psnr", "ssim", "niqe", "cpu_ms"), "BOE: "
                ),
            ),
            compared,
        ),
        f"Times: {_machine(table['machine'])}.",
    ]
    for whole, names in table["ablation"].items():
        recipe = rows[whole]["recipe"]
        ablated = {name: rows[name] for name in (whole, *names)}
        published = _columns(_of(BOE_TABLES_2_TO_5, ablated), ("psnr", "ssim", "niqe"), "BOE: ")
        columns = (_columns(ablated, quality), _differences(ablated, quality))
        parts += [
            f"# Ablation of the {recipe} loss",
            f"{rows[whole]['network']}, one term left out at a time; differences to {whole}.",
            _markdown((*columns, published) if recipe == "boe" else columns, ablated),
        ]
    return "\n\n".join(parts) + "\n"


def sr_markdown(table: Mapping[str, Any]) -> str:
    """The super-resolution table as a Markdown page.

    Args:
        table: what `metrics/tables/sr.json` holds.
    """
    rows: Rows = table["rows"]
    figures = ("psnr", "ssim", "parameters", "mac_per_pixel", "cpu_ms", "share_of_srcnn")
    published = {
        f"{place}, paper": {
            name: f"{sets[place]['psnr']:.2f}/{sets[place]['ssim']:.4f}"
            for name, sets in PPCN_TABLE_1.items()
        }
        for place in PPCN_TABLE_1["bicubic"]
    }
    parts = [
        "# Super-resolution x4",
        f"{table['images']} held-out photos, protocol {table['protocol']}. "
        f"{_budget(table, SR_SAMPLES)} The papers' columns (PPCN Table 1) are on the standard test "
        "sets, after long trainings.",
        _markdown((_columns(rows, figures), published), rows),
        f"Times: {_machine(table['machine'])}.",
    ]
    return "\n\n".join(parts) + "\n"


def _budget(table: Mapping[str, Any], of_paper: int) -> str:
    """How long networks were trained, and what that is worth.

    Args:
        table: with its budget.
        of_paper: samples that the paper trains on.
    """
    steps, batch = table["budget"]["steps"], table["budget"]["batch"]
    share = steps * batch / of_paper
    said = (
        f"Every network trained {steps:,d} steps of batch {batch}: {steps * batch:,d} samples, "
        f"{share:.2g} of PPCN's {of_paper:,d}."
    )
    warning = " So short a training shows that the rows train, not how good their networks are."
    return said + warning if share < FEW else said


def _seeds(rows: Rows) -> str:
    """With which seeds rows were trained, and what a rank is or why there is none."""
    first = next(str(row["seeds"][0]) for row in rows.values() if "seeds" in row)
    repeated = next((row["seeds"] for row in rows.values() if "spread" in row), None)
    if repeated is None:
        return (
            f"Every network was trained once, with seed {first}; how far figures differ from seed "
            "to seed is not known, so that rows have no rank (`tables.repeat`)."
        )
    seeds = ", ".join(map(str, repeated))
    return (
        f"Seed {first}; rows with ± are the mean of the seeds {seeds} and the sample standard "
        "deviation, their spread. The rank is by PSNR: one more than the number of rows that are "
        "better by more than the spread, the larger one of two rows. Rows of one seed, and "
        "ablations, have no rank; do nothing has a spread of 0. Differences in "
        "brackets are within the spread."
    )


def _machine(machine: Mapping[str, Any]) -> str:
    settings = ", ".join(f"{k}={v}" for k, v in machine["allocator"].items()) or "default"
    return (
        f"{machine['processor']}, {machine['threads']} threads, {machine['runtime']}, "
        f"{machine['precision']}, allocator settings {settings}; two runs discarded"
    )


def _of(numbers: Rows, rows: Iterable[str]) -> Rows:
    """The published rows among those that are shown."""
    return {name: numbers[name] for name in rows if name in numbers}


def _columns(rows: Rows, figures: Sequence[str], prefix: str = "") -> dict[str, dict[str, str]]:
    """Cells by title and row, for the figures that any row has."""
    columns = {}
    for figure in figures:
        title, spec = FORMATS[figure]
        cells = {name: _cell(row, figure, spec) for name, row in rows.items() if figure in row}
        if cells:
            columns[prefix + title] = cells
    return columns


def _cell(row: Mapping[str, Any], figure: str, spec: str) -> str:
    spread = row.get("spread", {}).get(figure)
    return format(row[figure], spec) + ("" if spread is None else f" ± {spread:{spec}}")


def _differences(rows: Rows, figures: Sequence[str]) -> dict[str, dict[str, str]]:
    """Columns of differences to the first row, in brackets where they are within the spread."""
    whole = next(iter(rows.values()))
    columns: dict[str, dict[str, str]] = {}
    for figure in figures:
        title, spec = FORMATS[figure]
        cells = {
            name: _difference(row, whole, figure, f"+{spec}")
            for name, row in rows.items()
            if row is not whole and figure in row
        }
        if cells:
            columns[f"difference: {title}"] = cells
    return columns


def _difference(row: Mapping[str, Any], whole: Mapping[str, Any], figure: str, spec: str) -> str:
    difference = row[figure] - whole[figure]
    spreads = [of["spread"].get(figure) for of in (row, whole) if "spread" in of]
    within = len(spreads) == 2 and None not in spreads and abs(difference) <= max(spreads)
    return f"({difference:{spec}})" if within else format(difference, spec)


def _markdown(groups: Iterable[Mapping[str, Mapping[str, str]]], rows: Iterable[str]) -> str:
    """A table of columns (title to cells by row)."""
    columns = {title: cells for group in groups for title, cells in group.items()}
    lines = [["", *columns], ["---", *["---:"] * len(columns)]]
    for name in rows:
        title = name.replace("_", " ")
        lines.append([title, *(cells.get(name, "") for cells in columns.values())])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
