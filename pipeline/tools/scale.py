"""Command `scale`: write a set of values into params.yaml."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ppcn.errors import UserError, nearest
from ppcn.files.artifacts import replacing
from ppcn.params import Params


def scale(
    values: Annotated[Path, typer.Argument(help="YAML file of some of the keys of params.yaml.")],
    params_file: Annotated[
        Path,
        typer.Option(
            "--params", help="Parameter file to change; params.yaml of this folder by default."
        ),
    ] = Path("params.yaml"),
) -> None:
    """Write a set of values, such as the papers', into params.yaml.

    The set is a file with some of the keys of params.yaml, such as scales/paper.yaml. Comments and
    all other values stay, and every value that changes is printed. Nothing is written where a key
    or a value is refused.
    """
    # As DVC writes it, so that `dvc exp run -S` changes no other line later.
    yaml = YAML()
    tree = _load(yaml, params_file)
    changed = list(_change(tree, _load(yaml, values), values))
    Params.of(tree, params_file)
    with replacing(params_file) as temporary, temporary.open("w", encoding="utf-8") as file:
        yaml.dump(tree, file)
    for line in changed or ["nothing to change"]:
        typer.echo(line)


def _load(yaml: YAML, path: Path) -> Any:
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a YAML file: {' '.join(str(error).split())}") from None
    if not isinstance(tree, Mapping):
        raise UserError(f"{path}: expected keys such as 'teacher'")
    return tree


def _change(tree: Any, changes: Mapping[str, Any], source: Path, prefix: str = "") -> Iterator[str]:
    """Set values in place; yields a line for each that was another."""
    for key, value in changes.items():
        name = f"{prefix}{key}"
        if key not in tree:
            near = f"the nearest is '{prefix}{nearest(str(key), map(str, tree))}'" if tree else ""
            raise UserError(f"{source}: params.yaml has no key '{name}'; {near or 'add it there'}")
        if isinstance(value, Mapping) and isinstance(tree[key], Mapping):
            yield from _change(tree[key], value, source, f"{name}.")
        elif tree[key] != value:
            yield f"{name}: {tree[key]} -> {value}"
            tree[key] = value
