"""Tables of scores, each figure beside that of the papers and with its protocol named."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ppcn.errors import FileError, FileKind
from ppcn.evaluation.published import BOE_TABLES_2_TO_5, PPCN_TABLE_1, PPCN_TABLE_3
from ppcn.evaluation.table_rows import compared
from ppcn.evaluation.tables import ENHANCEMENT_SAMPLES, FORMATS, SR_SAMPLES
from ppcn.files.artifacts import read_json
from ppcn.report.blocks import Table, titled

Rows = Mapping[str, Mapping[str, Any]]
DO_NOTHING, BICUBIC = "do_nothing", "bicubic"
OURS = "measured"
# Formats of figures that only whole photos have.
PHOTO_FORMATS = {
    **FORMATS,
    "ciede2000": ("CIEDE2000", ".2f"),
    "color_error": ("color error", ".1f"),
    "detail_error": ("detail error", ".1f"),
    "made_worse": ("windows made worse", ".1%"),
}
TEST_SETS = (
    "The papers' figures are on their own test sets and machines, so that they say what is usual "
    "and not which of two rows is better: PPCN Table 3 on 400 patches of DPED's iPhone under "
    "pirm2018, BOE-SBG Tables 2 to 5 on DPED's iPhone test images, whose protocol the paper does "
    "not give."
)


def methods_of(scores: Mapping[str, Any]) -> list[str]:
    """The methods that a metrics file has scores of, in its order."""
    return [n for n, row in scores.items() if isinstance(row, Mapping) and "psnr" in row]


def read_scores(path: Path, base: str) -> dict[str, Any]:
    """Read a metrics file of scores.

    Args:
        path: the file.
        base: the method that the others are compared with.

    Raises:
        FileError: it is missing, or has no protocol or no scores of the base and of a method.
    """
    scores = read_json(path)
    methods = methods_of(scores)
    if "protocol" not in scores or "images" not in scores or methods[:1] != [base]:
        raise FileError(path, FileKind.METRICS, f"has no scores beside {titled(base)}")
    if len(methods) < 2:
        raise FileError(path, FileKind.METRICS, f"has scores of {titled(base)} alone")
    return scores


def enhancement_table(scores: Mapping[str, Any], times: Rows) -> Table:
    """Scores of test patches and times, beside PPCN's and BOE-SBG's.

    Args:
        scores: from `read_scores`.
        times: of networks by name, from a benchmark; may be empty.
    """
    rows: dict[str, dict[str, Any]] = {name: dict(scores[name]) for name in methods_of(scores)}
    published: dict[str, Rows] = {"PPCN": {}}
    for name in ("teacher", "student"):
        network = f"ppcn_{name}"
        rows[name] |= {
            key: times[network][key]
            for key in ("parameters", "cpu_ms")
            if key in times.get(network, {})
        }
        published["PPCN"] = {**published["PPCN"], name: PPCN_TABLE_3[network]}
    note = f"{_protocol(scores)} {TEST_SETS} The name of a column sorts its table."
    return beside("Test patches", note, rows, published)


def photo_table(scores: Mapping[str, Any]) -> Table:
    """Scores of whole photos."""
    rows = {name: scores[name] for name in methods_of(scores)}
    note = (
        f"{_protocol(scores)} The network is given the whole photo, and the windows that match "
        "the better camera's are compared. Errors are in squared grey levels."
    )
    return beside(f"Whole photos ({scores['photos']})", note, rows, {})


def sr_table(scores: Mapping[str, Any], times: Rows) -> Table:
    """Scores of super-resolution beside the published ones on the standard test sets."""
    rows = {name: {**scores[name], **times.get(name, {})} for name in methods_of(scores)}
    return _beside_sets("Held-out photos", _protocol(scores), rows)


def _protocol(scores: Mapping[str, Any]) -> str:
    note = f"Protocol {scores['protocol']}, {scores['images']:,d} images that training never saw."
    if identical := scores.get("identical"):
        note += f" {identical:,d} pairs of them are identical."
    return note


def tables_of_papers(folder: Path) -> list[Table]:
    """The tables of networks and losses that were trained alike, as far as they were made.

    Args:
        folder: of the metrics of tables.

    Raises:
        FileError: one of them is damaged.
    """
    tables: list[Table] = []
    for kind, make in (("enhancement", _compared_enhancement), ("sr", _compared_sr)):
        path = folder / f"{kind}.json"
        if path.is_file():
            table = read_json(path)
            try:
                tables += make(table)
            except (KeyError, TypeError, AttributeError):
                raise FileError(path, FileKind.METRICS, "not a table of this version") from None
    return tables


def _compared_enhancement(table: Mapping[str, Any]) -> list[Table]:
    rows: Rows = table["rows"]
    published = {"PPCN": PPCN_TABLE_3, "BOE": BOE_TABLES_2_TO_5}
    note = (
        f"Protocol {table['protocol']}, {table['images']:,d} patches of {table['test_photos']} "
        f"photos of {table['phone']}; NIQE on the whole photos; scores A, B and C of PIRM 2018's "
        f"track B. {_budget(table, ENHANCEMENT_SAMPLES)}"
    )
    tables = [beside("Enhancement: every network", note, compared(rows), published)]
    for whole, names in table["ablation"].items():
        recipe = rows[whole]["recipe"]
        ablated = {name: rows[name] for name in (whole, *names)}
        figures = ("psnr", "ssim", "ms_ssim", "niqe")
        boe = {"BOE": BOE_TABLES_2_TO_5} if recipe == "boe" else {}
        note = f"{titled(whole)}, one term left out at a time. {_budget(table, 0)}"
        title = f"Enhancement: ablation of the loss {recipe}"
        tables.append(beside(title, note, ablated, boe, figures))
    return tables


def _compared_sr(table: Mapping[str, Any]) -> list[Table]:
    note = (
        f"Protocol {table['protocol']}, {table['images']:,d} held-out photos. "
        f"{_budget(table, SR_SAMPLES)}"
    )
    return [_beside_sets("Super-resolution x4: every network", note, table["rows"])]


def _budget(table: Mapping[str, Any], of_paper: int) -> str:
    """How long and with which seeds every row was trained.

    Args:
        table: of a file.
        of_paper: samples that the paper trains on; 0 to say nothing of it.
    """
    steps, batch = table["budget"]["steps"], table["budget"]["batch"]
    seeds = sorted({seed for row in table["rows"].values() for seed in row.get("seeds", ())})
    seeds = seeds or [table["seed"]]
    text = (
        f"Every row: {steps:,d} steps of batch {batch}, "
        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    )
    if not of_paper:
        return f"{text}."
    share = steps * batch / of_paper
    return f"{text}; {steps * batch:,d} samples, {share:.2%} of the paper's {of_paper:,d}."


def _beside_sets(title: str, note: str, rows: Rows) -> Table:
    """Our rows beside PPCN Table 1, which has five test sets."""
    wanted = ("psnr", "ssim", "parameters", "mac_per_pixel", "cpu_ms")
    figures = [f for f in wanted if any(f in row for row in rows.values())]
    sets = list(PPCN_TABLE_1[BICUBIC])
    columns = ["method", *(FORMATS[figure][0] for figure in figures), *sets]
    cells = [
        [titled(name), *_cells(row, figures), *_cells_of_sets(PPCN_TABLE_1.get(name, {}), sets)]
        for name, row in rows.items()
    ]
    groups = [("", 1), (OURS, len(figures)), ("PPCN Table 1, PSNR / SSIM", len(sets))]
    note += " The papers' figures are on the standard test sets, after long trainings."
    return Table(title, note, columns, cells, groups)


def _cells_of_sets(row: Rows, sets: Sequence[str]) -> list[str]:
    return [f"{row[s]['psnr']:.2f} / {row[s]['ssim']:.4f}" if s in row else "" for s in sets]


def beside(
    title: str,
    note: str,
    rows: Rows,
    published: Mapping[str, Rows],
    wanted: Iterable[str] = PHOTO_FORMATS,
) -> Table:
    """A table with a group of columns per figure: ours, then each paper's that has it.

    Args:
        title: of the table.
        note: protocol and budget.
        rows: figures by method; `spread` may hold their standard deviations over seeds.
        published: the papers' rows by paper.
        wanted: the figures to show, as far as there are any.
    """
    groups, columns = [("", 1)], ["method"]
    if not any(published.values()):
        return _measured(title, note, rows, wanted)
    cells = [[titled(name)] for name in rows]
    for figure in (f for f in wanted if any(f in row for row in rows.values())):
        sources: dict[str, Rows] = {OURS: rows}
        for paper, of_paper in published.items():
            known = {n: of_paper[n] for n in rows if figure in of_paper.get(n, {})}
            sources |= {paper: known} if known else {}
        groups.append((PHOTO_FORMATS[figure][0], len(sources)))
        columns += sources
        for line, name in zip(cells, rows, strict=True):
            line += [_cell(source.get(name, {}), figure) for source in sources.values()]
    return Table(title, note, columns, cells, groups)


def _measured(title: str, note: str, rows: Rows, wanted: Iterable[str]) -> Table:
    """A table of our figures alone."""
    figures = [f for f in wanted if any(f in row for row in rows.values())]
    columns = ["method", *(PHOTO_FORMATS[figure][0] for figure in figures)]
    cells = [[titled(name), *_cells(row, figures)] for name, row in rows.items()]
    return Table(title, note, columns, cells)


def _cells(row: Mapping[str, Any], figures: Sequence[str]) -> list[str]:
    return [_cell(row, figure) for figure in figures]


def _cell(row: Mapping[str, Any], figure: str) -> str:
    """A figure with its spread; an infinite one is stored as null."""
    if figure not in row:
        return ""
    if row[figure] is None:
        return "infinite"
    spec = PHOTO_FORMATS[figure][1]
    spread = row.get("spread", {}).get(figure)
    return format(row[figure], spec) + ("" if spread is None else f" ± {spread:{spec}}")


def time_table(times: Mapping[str, Any]) -> Table:
    """Times of networks beside the papers'.

    Args:
        times: what a benchmark wrote.
    """
    machine = times["machine"]
    settings = ", ".join(f"{k}={v}" for k, v in machine.get("allocator", {}).items()) or "default"
    note = (
        f"{times['size']} px on {machine['device']}: {machine['processor']}, "
        f"{machine['threads']} threads, {machine['runtime']}, {machine['precision']}, allocator "
        f"settings {settings}. The papers' times are of their own processors."
    )
    published = {"PPCN": PPCN_TABLE_3, "BOE": BOE_TABLES_2_TO_5}
    wanted = ("cpu_ms", "share_of_srcnn", "parameters", "mac_per_pixel")
    return beside("Time of one photo", note, times["networks"], published, wanted)


def score(value: float | None, spec: str = ".2f") -> str:
    """A score as text; an infinite one is stored as null."""
    return "infinite" if value is None else format(value, spec)


def gain(scores: Mapping[str, Any], method: str, base: str) -> str:
    """By how much a method's PSNR is higher than another's, as text; empty if one is infinite."""
    ours, other = scores[method]["psnr"], scores[base]["psnr"]
    return "" if ours is None or other is None else f"{ours - other:+.2f} dB"
