"""The papers' tables as Markdown: what was measured, beside what was published."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ppcn.evaluation.published import BOE_TABLES_2_TO_5, PPCN_TABLE_1, PPCN_TABLE_3

Rows = Mapping[str, Mapping[str, Any]]
FORMATS = {
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
    compared = {n: r for n, r in rows.items() if r.get("without", "none") in ("none", "kd")}
    quality = ("psnr", "ssim", "ms_ssim", "niqe")
    parts = [
        "# Enhancement",
        f"{table['images']} test patches of {table['test_photos']} photos of {table['phone']}, "
        f"protocol {table['protocol']}; NIQE on the whole photos. {_budget(table)} Scores A, B and "
        "C are those of PIRM 2018's track B. The papers' columns are on their own test sets and "
        "machines: PPCN Table 3 on 400 patches under pirm2018, BOE-SBG Tables 2 to 4 on DPED's "
        "test images.",
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
        f"{table['images']} held-out photos, protocol {table['protocol']}. {_budget(table)} The "
        "papers' columns (PPCN Table 1) are on the standard test sets, after long trainings.",
        _markdown((_columns(rows, figures), published), rows),
        f"Times: {_machine(table['machine'])}.",
    ]
    return "\n\n".join(parts) + "\n"


def _budget(table: Mapping[str, Any]) -> str:
    budget = table["budget"]
    return f"Every network trained {budget['steps']} steps of batch {budget['batch']}."


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
        cells = {name: format(row[figure], spec) for name, row in rows.items() if figure in row}
        if cells:
            columns[prefix + title] = cells
    return columns


def _differences(rows: Rows, figures: Sequence[str]) -> dict[str, dict[str, str]]:
    """Columns of differences to the first row."""
    whole = next(iter(rows.values()))
    differences = {
        name: {figure: row[figure] - whole[figure] for figure in figures if figure in row}
        for name, row in rows.items()
        if row is not whole
    }
    columns = _columns(differences, figures, "difference: ")
    return {
        title: {name: cell if cell[0] == "-" else f"+{cell}" for name, cell in cells.items()}
        for title, cells in columns.items()
    }


def _markdown(groups: Iterable[Mapping[str, Mapping[str, str]]], rows: Iterable[str]) -> str:
    """A table of columns (title to cells by row)."""
    columns = {title: cells for group in groups for title, cells in group.items()}
    lines = [["", *columns], ["---", *["---:"] * len(columns)]]
    for name in rows:
        title = name.replace("_", " ")
        lines.append([title, *(cells.get(name, "") for cells in columns.values())])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
