"""What a page was made from: revision, digests, versions, and what differs from the default."""

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ppcn.errors import FileError, UserError
from ppcn.params import Params
from ppcn.report.blocks import Block, Facts, Table, flatten, number
from ppcn.report.score_tables import OURS

# What results follow from; the rest of a repository may change without any other result.
CODE = ("pipeline", "ppcn", "params.yaml", "dvc.yaml")
PARAMS = "params.yaml"
SAMPLE_SCALE = "scales/sample.yaml"


def _git(folder: Path, *arguments: str) -> str | None:
    """What a command of git prints; None where there is no repository or no git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def revision(folder: Path = Path()) -> str:
    """The last commit of code and parameters, and whether they have changed since.

    Commits of results, documents or tests leave it as it is, so that the same inputs have the same
    revision.
    """
    commit = (
        _git(folder, "log", "-1", "--pretty=format:%h %cs", "--abbrev=12", "--", *CODE) or ""
    ).strip()
    if not commit:
        return "unknown: no git repository here"
    changed = _git(folder, "status", "--porcelain", "--", *CODE)
    return f"{commit}, with changes" if changed else commit


def default_values(folder: Path = Path()) -> dict[str, Any]:
    """The values that a run has unless somebody changes them.

    They are those of params.yaml in the last commit, so that what an experiment changes differs,
    at the sample's scale, so that what another scale changes does, too.

    Returns:
        All values, by the schema; none where git knows none, or only those of another version.
    """
    committed = _mapping(_git(folder, "show", f"HEAD:./{PARAMS}") or "")
    scale = folder / SAMPLE_SCALE
    changes = _mapping(scale.read_text("utf-8")) if scale.is_file() else {}
    try:
        return Params.of(merged(committed, changes), Path(PARAMS)).model_dump(mode="json")
    except UserError:
        return {}


def _mapping(text: str) -> dict[str, Any]:
    """The mapping that a YAML text holds; an empty one if it holds none."""
    try:
        values = YAML(typ="safe").load(text)
    except YAMLError:
        return {}
    return values if isinstance(values, dict) else {}


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values, those that are changed in place of the others."""
    result = dict(values)
    for key, value in changes.items():
        mine = result.get(key)
        if isinstance(mine, Mapping) and isinstance(value, Mapping):
            result[key] = merged(mine, value)
        else:
            result[key] = value
    return result


def changed_table(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> Block:
    """The parameters that differ from the default, with both values."""
    ours, usual = (
        {name: _comparable(value) for name, value in flatten(group)} for group in (values, defaults)
    )
    rows = [
        [name, *(number(group[name]) if name in group else "" for group in (ours, usual))]
        for name in dict.fromkeys((*ours, *usual))
        if (name in ours, ours.get(name)) != (name in usual, usual.get(name))
    ]
    title = "Parameters that differ from the default"
    if not usual:
        return Facts(title, "", [("unknown", "no git repository here knows a default")])
    if not rows:
        return Facts(title, "", [("none", "every value is the default")])
    return Table(title, "", ["parameter", OURS, "default"], rows)


def _comparable(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def lock_table(lock: Path, inputs: Iterable[Path]) -> Table | None:
    """The digests that a lock file has of what a page was made from; None without a lock file.

    Args:
        lock: a dvc.lock.
        inputs: files and folders that the page was made from.

    Raises:
        FileError: the lock file is damaged.
    """
    if not lock.is_file():
        return None
    try:
        stages = YAML(typ="safe").load(lock.read_text("utf-8"))["stages"]
        rows = [
            [out["path"], stage, out["md5"], f"{out['size']:,d}"]
            for stage, entry in stages.items()
            for out in entry.get("outs", ())
            if any(_covers(Path(out["path"]), path) for path in inputs)
        ]
    except (YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        raise FileError(lock, None, "not a lock file of DVC") from None
    note = "What this page was made from, as dvc.lock has it."
    return Table("Digests", note, ["file", "stage", "MD5", "bytes"], rows)


def _covers(out: Path, path: Path) -> bool:
    return out == path or out in path.parents or path in out.parents
