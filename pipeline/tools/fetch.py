"""Command `fetch`: public data sets, downloaded and checked, where the next command reads them."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.json_output import with_json
from pipeline.cli.progress import showing
from ppcn.downloads.fetching import FetchOptions, fetch_data, place_of
from ppcn.downloads.sources import BENCHMARKS, DIV2K, DPED, VGG19, DataSet
from ppcn.errors import UserError, nearest

PHONES = [item.name for item in DPED.items]
DATA_SETS = ("dped", "div2k", "benchmark", "vgg19")


@with_json
def fetch(
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help="What to fetch: dped, div2k, benchmark or vgg19.")
    ],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help=f"Which test set, for benchmark: {', '.join(BENCHMARKS)}."
        ),
    ] = None,
    phone: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Which phone's patches, for dped: {', '.join(PHONES)}; can be repeated."
        ),
    ] = None,
    given: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE_OR_FOLDER",
            help="Take it from this archive, or from this folder of archives or of unpacked "
            "photos, instead of downloading it; nothing in it is changed.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder in which the data set gets a folder of its own.")
    ] = Path("data"),
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep downloaded archives after they are unpacked.")
    ] = False,
) -> dict[str, Any]:
    """Download a public data set, check it and unpack it.

    An interrupted download goes on when the command is repeated. Digests are checked before
    anything is unpacked; source, digest, date and licence are kept in a JSON file beside the data.
    """
    data_set = _choose(what, name, phone or [])
    if data_set.is_on_request and not given:
        raise UserError(
            f"{data_set.title} is given to those who apply at {data_set.home}; apply, and name the "
            "file or folder that you get with --from"
        )
    records = fetch_data(data_set, FetchOptions(out, given, showing, typer.echo), keep)
    folder = place_of(data_set, out)
    advice = _NEXT[what](folder, data_set)
    typer.echo(f"{folder}: {', '.join(records)}; next: {advice}")
    return {"folder": str(folder), "items": records, "next": advice}


def _choose(what: str, name: str | None, phones: list[str]) -> DataSet:
    """The row of the table that the arguments mean.

    Raises:
        UserError: they mean none.
    """
    if what not in DATA_SETS:
        near = nearest(what, DATA_SETS)
        raise UserError(
            f"unknown data set '{what}'; the nearest of {_listed(DATA_SETS)} is '{near}'"
        )
    if name and what != "benchmark":
        raise UserError(f"{what} takes no name; leave '{name}' out")
    if phones and what != "dped":
        raise UserError(f"--phone serves dped; leave it out for {what}")
    if what == "dped":
        return _of_phones(phones)
    return _benchmark(name) if what == "benchmark" else {"div2k": DIV2K, "vgg19": VGG19}[what]


def _of_phones(phones: list[str]) -> DataSet:
    if not phones:
        raise UserError(
            f"dped has patches of several phones; name one with --phone: {_listed(PHONES)}"
        )
    for phone in phones:
        if phone not in PHONES:
            near = nearest(phone, PHONES)
            raise UserError(f"--phone {phone}: the nearest of {_listed(PHONES)} is '{near}'")
    return DPED.only(phones)


def _benchmark(name: str | None) -> DataSet:
    if name is None:
        raise UserError(f"benchmark is one of several; name it: {_listed(BENCHMARKS)}")
    if name not in BENCHMARKS:
        near = nearest(name, BENCHMARKS)
        raise UserError(f"benchmark {name}: the nearest of {_listed(BENCHMARKS)} is '{near}'")
    return BENCHMARKS[name]


def _listed(names: Any) -> str:
    return ", ".join(names)


def _after_dped(folder: Path, data_set: DataSet) -> str:
    commands = [
        f"ppcn-pipeline import-dped {shlex.quote(str(folder))} --phone {item.name}"
        for item in data_set.items
    ]
    return _quoted(" && ".join(commands))


def _after_div2k(folder: Path, data_set: DataSet) -> str:
    train, valid = (shlex.quote(str(folder / item.name)) for item in data_set.items)
    if Path("dvc.yaml").is_file():
        values = f"-S sr.hr_train={train} -S sr.hr_valid={valid} -S sr.reduce=1"
        return _quoted(f"dvc exp run {values}")
    return _quoted(f"ppcn-pipeline lr --hr-train {train} --hr-valid {valid}")


def _after_benchmark(folder: Path, data_set: DataSet) -> str:
    photos = shlex.quote(str(folder / data_set.items[0].name))
    return _quoted(f"ppcn-pipeline score-sr --weights ppcn_sr --hr-dir {photos}")


def _after_vgg19(folder: Path, data_set: DataSet) -> str:
    is_usual = folder == place_of(VGG19, Path("data"))
    path = "" if is_usual else f" and features.path to {folder / data_set.items[0].name}"
    return f"set features.source to keras{path} in params.yaml, then 'ppcn-pipeline features'"


def _quoted(command: str) -> str:
    return f"'{command}'"


_NEXT: dict[str, Callable[[Path, DataSet], str]] = {
    "dped": _after_dped,
    "div2k": _after_div2k,
    "benchmark": _after_benchmark,
    "vgg19": _after_vgg19,
}
