"""The parameters of every stage, typed: the values themselves live only in params.yaml."""

import re
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ppcn.errors import UserError, nearest
from ppcn.params.fields import Group, PhoneName
from ppcn.params.losses import (
    Channels,
    Distance,
    Features,
    Formula,
    Loss,
    Recipe,
    SRLoss,
    TermName,
)
from ppcn.params.photos import (
    Align,
    Camera,
    CameraBounds,
    Character,
    Data,
    Patches,
    Rig,
    Simulate,
    Split,
)
from ppcn.params.training import (
    Baseline,
    Benchmark,
    Engine,
    EnhancerTraining,
    NetworkName,
    SRTraining,
    SuperResolution,
    Tables,
    Training,
    Without,
)

__all__ = [
    "RIG_ROOT",
    "Align",
    "Baseline",
    "Camera",
    "CameraBounds",
    "Channels",
    "Character",
    "Distance",
    "Engine",
    "EnhancerTraining",
    "Features",
    "Formula",
    "Loss",
    "NetworkName",
    "Params",
    "Patches",
    "Recipe",
    "SRLoss",
    "SRTraining",
    "Simulate",
    "Split",
    "SuperResolution",
    "Tables",
    "TermName",
    "Training",
    "Without",
]

RIG_ROOT = "data/rig"


class Params(Group):
    """All of params.yaml."""

    seed: Annotated[int, Field(ge=0, lt=2**63)]
    data: Data
    rig: Rig
    phones: Annotated[dict[PhoneName, Camera | None], Field(min_length=1)]
    align: Align
    patches: Patches
    simulate: Simulate
    features: Features
    recipes: dict[str, Recipe]
    loss: Loss
    engine: Engine
    teacher: EnhancerTraining
    student: EnhancerTraining
    sr: SuperResolution
    baseline: Baseline
    baseline_sr: SRTraining
    benchmark: Benchmark
    tables: Tables

    @model_validator(mode="after")
    def _phones_have_photos_of_their_own(self) -> "Params":
        for name in self.phones:
            if name in (self.data.reference, "sr"):
                raise ValueError(f"phones.{name}: that name is taken; rename the phone")
        return self

    def check_photos_of(self, phone: str) -> None:
        """Make sure that `data.root` may hold the photos of a phone.

        Raises:
            UserError: it is the rig's folder, which is made anew, and the rig does not render them.
        """
        if self.phones.get(phone, ...) is None and Path(self.data.root) == Path(RIG_ROOT):
            raise UserError(
                f"phones.{phone} has no character for the rig to render; "
                f"name the folder of its photos with data.root ({RIG_ROOT} is made anew)"
            )

    @model_validator(mode="after")
    def _tables_compare_on_a_phone(self) -> "Params":
        if self.tables.phone not in self.phones:
            near = nearest(self.tables.phone, self.phones)
            raise ValueError(
                f"tables.phone is '{self.tables.phone}', which is not under phones; "
                f"name the phone whose patches the tables' networks train on, such as '{near}'"
            )
        return self

    @model_validator(mode="after")
    def _seeds_differ(self) -> "Params":
        repeat = self.tables.repeat
        if repeat.rows and self.seed in repeat.seeds:
            raise ValueError(
                f"tables.repeat.seeds holds {self.seed}, which is `seed`: every row is trained "
                "with it already; name another"
            )
        return self

    @model_validator(mode="after")
    def _recipes_exist(self) -> "Params":
        named = {"loss.recipe": self.loss.recipe}
        for group in ("enhancement", "distilled"):
            rows = getattr(self.tables, group).items()
            named |= {f"tables.{group}.{key}.recipe": row.recipe for key, row in rows}
        for key, name in named.items():
            if name not in self.recipes:
                raise ValueError(f"{key} is '{name}'; {self._nearest_recipe(name)}")
        return self

    def _nearest_recipe(self, name: str) -> str:
        return f"the nearest of recipes is '{nearest(name, self.recipes)}'"

    def recipe(self, name: str | None = None) -> Recipe:
        """A recipe with the weights that `loss` replaces; that of `loss.recipe` by default.

        Raises:
            UserError: there is no such recipe.
        """
        name = name or self.loss.recipe
        if name not in self.recipes:
            raise UserError(f"unknown recipe '{name}'; {self._nearest_recipe(name)}")
        return self.recipes[name].changed_by(self.loss)

    @classmethod
    def load(cls, path: Path) -> "Params":
        """Read and check a parameter file.

        Raises:
            UserError: the file is missing, is no YAML, or holds a key or value that is refused;
                the sentence names the key and, for an unknown key, the nearest known one.
        """
        try:
            values = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{path}: no such parameter file") from None
        except (YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: not a YAML file: {' '.join(str(error).split())}") from None
        return cls.of(values, path)

    @classmethod
    def of(cls, values: Any, path: Path) -> "Params":
        """Check the contents of a parameter file.

        Raises:
            UserError: they are refused, as in `load`.
        """
        if not isinstance(values, dict):
            raise UserError(f"{path}: expected keys such as 'seed' and 'loss'")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise UserError(f"{path}: {_explain(error)}") from None


# What pydantic puts into a location for the branch of a union that it tried.
UNION_BRANCH = re.compile(r"Camera$|constrained-|list\[|float$")


def _explain(error: ValidationError) -> str:
    """Say in one sentence what the first error of a validation is.

    An unknown key comes first: its twin "missing" is only what the typo left behind. Then comes
    what has a sentence of its own: of a list, a number's "should be a valid number" says nothing.
    """
    errors = error.errors()
    first = next(
        (e for kind in ("extra_forbidden", "value_error") for e in errors if e["type"] == kind),
        errors[0],
    )
    location = [str(part) for part in first["loc"] if not UNION_BRANCH.match(str(part))]
    name = ".".join(location)
    if first["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = ".".join([*location[:-1], nearest(location[-1], known)])
        return f"unknown parameter '{name}'; the nearest known one is '{near}'"
    if first["type"] == "missing":
        return f"parameter '{name}' is missing"
    if first["type"] == "value_error":
        sentence = str(first["ctx"]["error"])
        is_entry = isinstance(first["loc"][-1], int) if first["loc"] else False
        return f"parameter '{'.'.join(location[:-1])}': {sentence}" if is_entry else sentence
    return f"parameter '{name}' is refused: {first['msg']} (got {first['input']!r})"


def _known_keys(path: list[str]) -> list[str]:
    """The keys that the group at `path` accepts."""
    annotation: Any = Params
    for part in path:
        # The entries of a dictionary are of one kind, whatever their name.
        entries = get_args(annotation)
        annotation = entries[1] if entries else annotation.model_fields[part].annotation
        if isinstance(annotation, UnionType):
            annotation = get_args(annotation)[0]
    return list(annotation.model_fields)
