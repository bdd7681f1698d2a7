"""Odd photo files through `enhance --strength 0`, judged by programs other than this one.

    python benchmarks/odd_photos.py FOLDER [--json OUT]

At strength 0 the result must look like the photo: its visible pixels, turned upright and to sRGB by
Pillow, tifffile, LibRaw or ImageMagick, may differ by 1 level of 255 in the mean. So may what
networks see, and what the rest of the program reads; and by 1.5 levels the results of a network
that darkens photos, and, of small ones, of a network that repeats pixels. Results in JPEG and WebP
are also written as PNG, of which that is asked. exiftool tells which tags are lost, changed or no
longer true.

Outcomes: right; refused (in one sentence); WRONG; TRACEBACK (any exception that is no sentence);
SLOW (over 5 s); HANG; CRASH; unjudged, where no other program reads the file; and FAULT OF THIS
BENCHMARK.
"""

import json
import re
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer
from exiftool import ExifTool, Tags
from judging import Judgement, Opinions, nearest
from numpy.typing import NDArray
from one_photo import (
    Fate,
    chosen_suffix,
    enhance_darker,
    enhance_unchanged,
    read_upright,
    seen_by_network,
    upscale_by_repeating,
    watched,
)
from outside_reader import Reading, is_hdr
from photo_tags import TagChanges, compare_tags
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table
from worker import OWN_FAULT, Limits, Meter, Worker

SLOW, HANG = 5.0, 300.0
LIMITS = Limits(HANG, memory=12 * 2**30, file_size=4 * 2**30)
# Mean differences in levels of 255: of results that were changed, perhaps outside sRGB, and of what
# JPEG and WebP lose of noise.
MADE, CODED = 1.5, 10.0
LOSSY = (".jpg", ".jpeg", ".webp")
ROUTES = ("enhance", "network sees", "darker", "upscale", "read_photo")
DARKER, SCALE = 0.75, 4
# Photos of at most so many px are upscaled.
SMALL = 100_000
# Files after which details are written.
EVERY = 50
LISTED = ("WRONG", "TRACEBACK", "SLOW", "HANG", "CRASH", OWN_FAULT)


@dataclass
class Record:
    """All that is found out about a file.

    Attributes:
        file: its name.
        kind: exiftool's name of its format.
        routes: judgements by the names in `ROUTES`.
        seconds: of the command.
        said: what it logged.
        tags: how the result's tags differ.
    """

    file: str
    kind: str = ""
    routes: dict[str, Judgement] = field(default_factory=dict)
    seconds: float = 0.0
    said: list[str] = field(default_factory=list)
    tags: TagChanges = field(default_factory=TagChanges)


@cache
def _exiftool() -> ExifTool:
    return ExifTool()


def _opinions_of(out: Path) -> Opinions:
    return Opinions(out, _exiftool().tags(out), _exiftool())


def examine(path: Path) -> Record:
    """Put a photo through the program and judge what comes out."""
    tags = _exiftool().tags(path)
    record = Record(path.name, str(tags.get("File:FileType", "unknown")))
    opinions = Opinions(path, tags, _exiftool())
    with TemporaryDirectory(prefix="odd-") as name:
        folder = Path(name)
        record.routes["enhance"] = _examine_result(path, folder, opinions, tags, record)
        record.routes["darker"] = _examine_darker(path, folder, opinions)
        record.routes |= _examine_pixels(path, folder, opinions)
    if is_hdr(tags):
        for judgement in record.routes.values():
            if judgement.outcome in ("right", "WRONG", "unjudged"):
                judgement.outcome, judgement.why = "WRONG", "HDR was taken for SDR"
    return record


def _examine_result(
    path: Path, folder: Path, opinions: Opinions, tags: Tags, record: Record
) -> Judgement:
    """Write the result as the command does, and judge it; `record` takes the rest."""
    out = folder / f"result{chosen_suffix(path)}"
    fate, meter = Fate(), Meter()
    with meter, watched(fate):
        enhance_unchanged(path, out)
    record.seconds, record.said = round(meter.seconds, 2), fate.said
    if failed := _without_result(fate, opinions):
        return failed
    record.tags = compare_tags(tags, _exiftool().tags(out), out)
    judgement = _judge(path, out, opinions)
    if judgement.outcome == "right" and record.seconds > SLOW:
        judgement.outcome, judgement.why = "SLOW", f"{record.seconds} s"
    return judgement


def _failed(make: Callable[[], None], opinions: Opinions) -> Judgement | None:
    """Make a result; the judgement where there is none."""
    fate = Fate()
    with watched(fate):
        make()
    return _without_result(fate, opinions)


def _examine_darker(path: Path, folder: Path, opinions: Opinions) -> Judgement:
    """Whether what a network changes is seen in the result."""
    out = folder / "darker.png"
    if failed := _failed(lambda: enhance_darker(path, out, DARKER), opinions):
        return failed
    expected = (replace(one, colours=one.colours * DARKER) for one in opinions)
    return nearest(expected, _opinions_of(out), MADE)


def _examine_pixels(path: Path, folder: Path, opinions: Opinions) -> dict[str, Judgement]:
    """What of a photo is seen within the program, and again in an enlarged one."""
    reads: dict[str, Callable[[], NDArray[Any]]] = {
        "network sees": lambda: seen_by_network(path, folder),
        "read_photo": lambda: read_upright(path),
    }
    judgements = {}
    for route, read in reads.items():
        fate, pixels = Fate(), np.zeros((0, 0, 3), np.float32)
        with watched(fate):
            pixels = read().astype(np.float32)
        seen = [Reading(route, pixels, None)]
        failed = _without_result(fate, opinions)
        judgements[route] = failed or nearest(opinions, seen, asks_alpha=False)
        if route == "network sees" and 0 < pixels.size <= 3 * SMALL:
            judgements["upscale"] = _examine_upscaled(path, folder, opinions)
    return judgements


def _examine_upscaled(path: Path, folder: Path, opinions: Opinions) -> Judgement:
    """Whether an enlarged photo, reduced again, is the photo."""
    out = folder / "larger.png"
    if failed := _failed(lambda: upscale_by_repeating(path, out, SCALE), opinions):
        return failed
    small = (
        replace(one, colours=one.colours[SCALE // 2 :: SCALE, SCALE // 2 :: SCALE])
        for one in _opinions_of(out)
    )
    return nearest(opinions, [*small], MADE, asks_alpha=False)


def _without_result(fate: Fate, opinions: Opinions) -> Judgement | None:
    """The judgement where there is nothing to be looked at."""
    if fate.raised:
        return Judgement("TRACEBACK", fate.raised)
    if fate.refused:
        readers = next((reading.by for reading in opinions), "")
        return Judgement("refused", fate.refused, by=readers)
    return None


def _judge(path: Path, out: Path, opinions: Opinions) -> Judgement:
    """Judge a result."""
    if out.suffix.lower() not in LOSSY:
        return _judge_exact(opinions, out)
    fate, exact = Fate(), out.with_name("exact.png")
    with watched(fate):
        enhance_unchanged(path, exact)
    if not fate.is_done:
        return _without_result(fate, opinions) or Judgement("unjudged")
    coded = nearest(_opinions_of(exact), _opinions_of(out), CODED)
    if coded.outcome != "right":
        coded.why = f"{out.suffix} against .png: {coded.why or 'unreadable'}"
        coded.outcome = "WRONG"
        return coded
    return _judge_exact(opinions, exact)


def _judge_exact(opinions: Opinions, out: Path) -> Judgement:
    judgement = nearest(opinions, _opinions_of(out))
    if judgement.outcome == "unjudged" and judgement.by:
        return Judgement("WRONG", "no other program reads the result", by=judgement.by)
    return judgement


def reason(sentence: str) -> str:
    """A sentence without names and numbers."""
    sentence = re.sub(r"^\S*/\S*: ", "", sentence)
    return re.sub(r"\d+", "#", sentence)[:110]


def _table(title: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row))
    if rows:
        Console(width=160).print(table)


def _print_summary(records: list[Record]) -> None:
    for route in ROUTES:
        judged = [(r, r.routes[route]) for r in records if route in r.routes]
        counts = Counter((r.kind, j.outcome) for r, j in judged)
        outcomes = sorted({outcome for _, outcome in counts})
        kinds = sorted({kind for kind, _ in counts})
        rows = [(kind, *(counts[kind, outcome] or "" for outcome in outcomes)) for kind in kinds]
        sums = [sum(counts[kind, outcome] for kind in kinds) for outcome in outcomes]
        _table(f"{route}: outcomes", ["format", *outcomes], [*rows, ("all", *sums)])
        bad = [
            (j.outcome, r.kind, r.file, f"{j.why} {_shown(j.levels)} {j.by}")
            for r, j in judged
            if j.outcome in LISTED
        ]
        _table(f"{route}: faults", ["outcome", "format", "file", "what"], sorted(bad))
        _print_refusals(route, [(r.kind, j) for r, j in judged if j.outcome == "refused"])
    _print_tags(records)


def _shown(levels: float | None) -> str:
    return "" if levels is None or np.isinf(levels) else f"{levels:.1f}"


def _print_refusals(route: str, refused: list[tuple[str, Judgement]]) -> None:
    """Each reason, and how many of the files other programs read."""
    counts = Counter((reason(judgement.why), kind) for kind, judgement in refused)
    read = Counter((reason(judgement.why), kind) for kind, judgement in refused if judgement.by)
    rows = [(n, read[key], key[1], key[0]) for key, n in counts.most_common()]
    columns = ["files", "others read", "format", "sentence"]
    _table(f"{route}: refused", columns, rows)


def _print_tags(records: list[Record]) -> None:
    failed = ("refused", "TRACEBACK", "CRASH", "HANG", OWN_FAULT)
    done = [r for r in records if r.routes["enhance"].outcome not in failed]
    silent = Counter((r.kind, g) for r in done for g in r.tags.is_whole if not r.said)
    every = Counter((r.kind, g) for r in done for g in r.tags.is_whole)
    rows = [(n, silent[key], *key) for key, n in every.most_common()]
    _table("groups of tags lost", ["files", "nothing said", "format", "group"], rows)
    stale = Counter((r.kind, what) for r in done for what in r.tags.stale)
    _table("no longer true", ["files", "format", "tag"], [(n, *k) for k, n in stale.most_common()])
    partly = Counter(
        (r.kind, f"{group}:{tag}")
        for r in done
        for group, tags in r.tags.lost.items()
        if group not in r.tags.is_whole
        for tag in tags
    )
    rows = [(n, *key) for key, n in partly.most_common(40)]
    _table("single tags lost (most frequent)", ["files", "format", "tag"], rows)
    changed = Counter((r.kind, name) for r in done for name in r.tags.changed)
    rows = [(n, *key) for key, n in changed.most_common(40)]
    _table("tags changed (most frequent)", ["files", "format", "tag"], rows)


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of photo files, and nothing else.")],
    json_out: Annotated[Path | None, typer.Option("--json", help="File for all details.")] = None,
    only: Annotated[str, typer.Option(help="Pattern of the names to look at.")] = "*",
    share: Annotated[int, typer.Option(help="Look at one in so many files.")] = 1,
) -> None:
    """Examine every file of a folder."""
    paths = sorted(p for p in folder.glob(only) if p.is_file() and p.suffix.lower() != ".txt")
    paths = [path for path in paths if zlib.crc32(path.name.encode()) % share == 0]
    worker = Worker(examine, LIMITS)
    records: list[Record] = []
    try:
        for path in track(paths, "photos", console=Console(stderr=True)):
            how, record = worker.do(path)
            if how != "done":
                failed = Judgement(how, str(record))
                record = Record(path.name, path.suffix[1:].upper(), dict.fromkeys(ROUTES, failed))
            records.append(record)
            if json_out and (len(records) % EVERY == 0 or len(records) == len(paths)):
                details = [asdict(r) for r in records]
                json_out.write_text(json.dumps(details, indent=1, default=str))
    finally:
        worker.close()
        _print_summary(records)


if __name__ == "__main__":
    typer.run(main)
