"""The reference of params.yaml: kinds and limits by the models, values and comments by the file."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from ppcn.params import Params

KINDS = {int: "whole number", float: "number", str: "text", bool: "true or false"}
PLURALS = {int: "whole numbers", float: "numbers", str: "texts"}
BOUNDS = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))
# Larger limits are those of the machine.
LARGEST = 2**31
HEADER = "| key | in params.yaml | kind | what it is |\n|---|---|---|---|"


@dataclass(frozen=True)
class Row:
    """One parameter.

    Attributes:
        key: with dots.
        value: what params.yaml has.
        kind: what it may be.
        comment: what params.yaml says of it.
    """

    key: str
    value: str
    kind: str
    comment: str


def describe_all(root: Path) -> str:
    """Every parameter in Markdown, group by group.

    Args:
        root: folder of the project.
    """
    comments = Comments((root / "params.yaml").read_text(encoding="utf-8"))
    parts = []
    for name, field in Params.model_fields.items():
        parts.append(f"## {name} {{#{name}}}\n\n{_sentence(comments.of(comments.values, name))}")
        rows = _rows(name, comments.values, name, field.rebuild_annotation(), comments)
        parts.append("\n".join([HEADER, *map(_line, rows)]))
    return "\n\n".join(parts)


class Comments:
    """The comments of a YAML file, by the mapping and key that they are about.

    Args:
        text: the file. A comment stands above its key, at the same indent, or behind the value,
            and then goes on in lines that begin no further to the left.
    """

    def __init__(self, text: str) -> None:
        self.values: CommentedMap = YAML().load(text)
        self._lines = text.splitlines()
        self._known: dict[tuple[type, str], str] = {}

    def of(self, mapping: CommentedMap, key: str) -> str:
        """What the file says of one key; empty if it says nothing."""
        line, column = mapping.lc.key(key)
        return " ".join((*self._above(line, column), *self._behind(line))).strip()

    def _above(self, line: int, column: int) -> list[str]:
        found: list[str] = []
        while line and self._lines[line - 1].startswith(" " * column + "#"):
            line -= 1
            found.insert(0, self._lines[line].strip("# "))
        return found

    def _behind(self, line: int) -> Iterator[str]:
        before, mark, text = self._lines[line].partition(" # ")
        if not mark:
            return
        yield text.strip()
        for following in self._lines[line + 1 :]:
            if not re.match(rf" {{{len(before)},}}#", following):
                return
            yield following.strip("# ")

    def of_field(self, model: type[BaseModel], mapping: CommentedMap, key: str) -> str:
        """The same, or what was said of the field in an earlier group of the kind."""
        owner = next(c for c in model.__mro__[::-1] if key in getattr(c, "__annotations__", {}))
        text = self.of(mapping, key) if key in mapping else ""
        known = self._known.setdefault((owner, key), text)
        return text or known


def _rows(
    dotted: str, mapping: CommentedMap, key: str, annotation: Any, comments: Comments
) -> Iterator[Row]:
    """The parameters of a group, of the first entry of a dictionary, or a single one."""
    value = mapping.get(key)
    if (model := _model(annotation)) and isinstance(value, CommentedMap):
        fields = model.model_fields
        # In the order of the file, and then what it leaves out.
        for name in sorted(fields, key=[*value, *(f for f in fields if f not in value)].index):
            kind, own = fields[name].rebuild_annotation(), f"{dotted}.{name}"
            if _model(kind) or _entries(kind):
                yield from _rows(own, value, name, kind, comments)
            else:
                shown = _shown(value[name]) if name in value else "not given"
                yield Row(own, shown, _kind(kind), comments.of_field(model, value, name))
    elif entries := _entries(annotation):
        yield from _of_dictionary(dotted, value, entries, comments)
    else:
        yield Row(dotted, _shown(value), _kind(annotation), "")


def _of_dictionary(
    dotted: str, value: CommentedMap, kind: Any, comments: Comments
) -> Iterator[Row]:
    """The entries of a dictionary: all where they are single values, else the first one's."""
    if _model(kind):
        names = ", ".join(f"`{name}`" for name in value)
        first = next(iter(value))
        yield Row(dotted, names, "entries", f"Entries of one kind; here are the keys of `{first}`.")
        yield from _rows(f"{dotted}.{first}", value, first, kind, comments)
    else:
        for name in value:
            yield Row(
                f"{dotted}.{name}", _shown(value[name]), _kind(kind), comments.of(value, name)
            )


def _model(annotation: Any) -> type[BaseModel] | None:
    """The group that an annotation is, whether or not it may be empty."""
    for part in _branches(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _entries(annotation: Any) -> Any:
    """What the values of a dictionary are; None where it is none."""
    for part in _branches(annotation):
        if get_origin(part) is dict:
            return get_args(part)[1]
    return None


def _branches(annotation: Any) -> list[Any]:
    """The kinds of a union, or the one kind, without their limits."""
    if get_origin(annotation) is Annotated:
        return _branches(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [branch for part in get_args(annotation) for branch in _branches(part)]
    return [annotation]


def _kind(annotation: Any, names: dict[type, str] = KINDS) -> str:
    """What a value may be, in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation is NoneType:
        return "empty"
    if origin is Annotated:
        return f"{_kind(parts[0], names)}{_limits(parts[1:])}"
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin in (Union, UnionType):
        return ", or ".join(_kind(part) for part in parts)
    if origin in (list, tuple):
        count = {2: "two ", 3: "three "}[len(parts)] if origin is tuple else "list of "
        return count + _kind(parts[0], PLURALS)
    return names[annotation]


def _limits(metadata: tuple[Any, ...]) -> str:
    """The bounds of a number."""
    limits = [limit for part in metadata for limit in getattr(part, "metadata", [part])]
    said = [
        f"{sign} {getattr(limit, name):g}"
        for limit in limits
        for kind, name, sign in BOUNDS
        if isinstance(limit, kind) and getattr(limit, name) < LARGEST
    ]
    said += [f"a multiple of {p.multiple_of}" for p in limits if isinstance(p, MultipleOf)]
    return f" {', '.join(said)}" if said else ""


def _shown(value: Any) -> str:
    """A value as YAML has it."""
    return "empty" if value is None or value == "" else f"`{json.dumps(value).strip(chr(34))}`"


def _sentence(comment: str) -> str:
    return comment.replace("<", "&lt;")


def _line(row: Row) -> str:
    cells = (f"`{row.key}`", row.value, row.kind, _sentence(row.comment))
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
