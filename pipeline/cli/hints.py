"""Which command makes or converts which file: the one table that advice on files reads."""

import re
from typing import NamedTuple

from ppcn.errors import FileError, FileKind, UserError

TABLES = "dvc repro -R tables"


class Maker(NamedTuple):
    """A file and the command that makes it.

    Attributes:
        kind: what the file holds.
        place: where the stages keep it, parts of the name in braces; empty for one that a user
            put elsewhere.
        command: with the same parts, and with the file itself as {path}.
    """

    kind: FileKind
    place: str
    command: str


MAKERS = (
    Maker(FileKind.RIG_TRUTH, "", "ppcn-pipeline rig"),
    Maker(FileKind.ALIGNMENTS, "data/aligned/{phone}.h5", "ppcn-pipeline align --phone {phone}"),
    Maker(FileKind.ALIGNMENTS, "", "ppcn-pipeline align"),
    Maker(FileKind.PATCH_SET, "data/patches/{phone}.h5", "ppcn-pipeline patches --phone {phone}"),
    Maker(
        FileKind.PATCH_SET, "data/dped/{phone}.h5", "ppcn-pipeline import-dped DIR --phone {phone}"
    ),
    Maker(
        FileKind.PATCH_SET,
        "data/imported/{phone}.h5",
        "ppcn-pipeline import-patches DIR --phone {phone}",
    ),
    Maker(FileKind.PATCH_SET, "", "ppcn-pipeline patches"),
    Maker(FileKind.SR_SET, "", "ppcn-pipeline lr"),
    Maker(FileKind.VGG, "", "ppcn-pipeline features"),
    Maker(
        FileKind.WEIGHTS,
        "data/models/teacher/{phone}.safetensors",
        "ppcn-pipeline teacher --phone {phone}",
    ),
    Maker(
        FileKind.WEIGHTS,
        "data/models/student/{phone}.safetensors",
        "ppcn-pipeline student --phone {phone}",
    ),
    Maker(FileKind.WEIGHTS, "data/models/sr/{name}.safetensors", "ppcn-pipeline sr"),
    Maker(FileKind.WEIGHTS, "data/models/baseline/{phone}/{name}.safetensors", TABLES),
    Maker(FileKind.WEIGHTS, "data/models/baseline/{phone}/{name}/{seed}.safetensors", TABLES),
    Maker(FileKind.WEIGHTS, "data/models/baseline-sr/{name}.safetensors", TABLES),
    Maker(
        FileKind.CHECKPOINT,
        "",
        "ppcn-pipeline import-checkpoint {path} --network NETWORK --out FILE.safetensors",
    ),
    Maker(FileKind.METRICS, "metrics/evaluate/sr.json", "ppcn-pipeline evaluate-sr"),
    Maker(FileKind.METRICS, "metrics/sr/{name}.csv", "ppcn-pipeline sr"),
    *(
        Maker(
            FileKind.METRICS,
            f"metrics/{stage}/{{phone}}.{suffix}",
            f"ppcn-pipeline {stage} --phone {{phone}}",
        )
        for stage in ("align", "patches", "accuracy", "teacher", "student", "evaluate")
        for suffix in ("json", "csv")
    ),
    Maker(FileKind.TIMES, "", "ppcn-pipeline benchmark --json {path}"),
    Maker(FileKind.PICTURES, "pictures/sr", "ppcn-pipeline evaluate-sr"),
    Maker(FileKind.PICTURES, "pictures/{phone}", "ppcn-pipeline evaluate --phone {phone}"),
    Maker(
        FileKind.PICTURES,
        "quicklook/{phone}/{stem}.jpg",
        "ppcn-pipeline patches --phone {phone}",
    ),
)


def maker_of(error: FileError) -> str | None:
    """The command that makes a file, as far as its kind and place tell."""
    path = error.path.absolute().as_posix()
    for maker in MAKERS:
        if maker.kind is error.kind:
            if not maker.place:
                return maker.command.format(path=error.path)
            pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(maker.place))
            if parts := re.search(rf"/{pattern}$", path):
                return maker.command.format(**parts.groupdict())
    return None


def with_hint(error: UserError | OSError) -> str:
    """The sentence of an error, with the command that makes the file where there is one."""
    command = maker_of(error) if isinstance(error, FileError) else None
    if command is None:
        return str(error)
    assert isinstance(error, FileError)
    verb = "make" if error.missing else "remake"
    verb = "convert" if error.kind is FileKind.CHECKPOINT else verb
    return f"{error}; {verb} it with '{command}'"
