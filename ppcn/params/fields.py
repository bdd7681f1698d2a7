"""What groups of parameters are made of."""

from os.path import expanduser
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
FolderName = Annotated[str, Field(pattern=r"^[^/\\]+$")]
PhoneName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]


def _as_stem(value: Any) -> Any:
    """A whole number of a list of stems, as YAML reads 12 without quotes, is the name "12".

    Raises:
        ValueError: YAML has made another kind of value of the name.
    """
    if isinstance(value, str):
        return value
    if type(value) is int and value >= 0:
        return str(value)
    raise ValueError(
        f"a list of photos holds {value}, which YAML takes for something else than a name; "
        "write names in quotes, such as ['0001', '1.50']"
    )


FilePath = Annotated[str, AfterValidator(expanduser)]
"""A file or folder; ~ at its beginning is the user's home folder."""
Stem = Annotated[str, BeforeValidator(_as_stem)]
"""A photo's name without its ending."""


class Group(BaseModel):
    """A frozen group of parameters that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
