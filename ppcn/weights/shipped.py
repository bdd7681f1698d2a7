"""Weights that come with this package, by name."""

from collections.abc import Iterable
from pathlib import Path

from ppcn.errors import UserError, nearest
from ppcn.networks import NETWORKS
from ppcn.weights import SHIPPED, read_facts
from ppcn.weights.cameras import same_camera

# Which weights photos of a camera get, where not those that were trained on it:
# {"Apple iPhone 3GS": "any"} takes the iPhone's away from it.
PREFERRED: dict[str, str] = {}

# For cameras that no other weights know.
ANY = "any"
# Chosen by the camera that took a photo.
AUTO = "auto"
# How the names of small, fast networks end.
SMALL = "-student"
# How the names of networks that enlarge end.
SR = "_sr"
FORMER_NAMES = {"ppcn_teacher": "iphone-3gs", "ppcn_student": "iphone-3gs-student"}


def shipped_names() -> list[str]:
    """Names of all weights that come with this package, sorted."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def find_weights(weights: str | Path, also: Iterable[str] = ()) -> Path:
    """The file of weights that come with this package, by name, or the file of a path.

    What ends in .safetensors, names a folder or is there is a path; so is the prefix of a
    checkpoint.

    Args:
        weights: name or path.
        also: what else the caller takes, for the sentence that lists the names.

    Raises:
        UserError: a name that no weights have.
    """
    name, path = str(weights), Path(weights)
    if name in shipped_names():
        return SHIPPED / f"{name}.safetensors"
    is_path = isinstance(weights, Path) or path.name != name or path.suffix == ".safetensors"
    if is_path or path.is_file() or Path(f"{name}.index").is_file():
        return path
    raise UserError(_why_none(name, [*also, *shipped_names()]))


def known_cameras() -> dict[str, list[str]]:
    """The cameras that each of the enhancement weights was trained on, by the weights' names.

    Weights whose file names no camera are for any, and left out.

    Raises:
        FileError: a file is damaged.
    """
    facts = {name: read_facts(SHIPPED / f"{name}.safetensors") for name in shipped_names()}
    return {
        name: row["cameras"]
        for name, row in facts.items()
        if row.get("cameras") and NETWORKS[row["network"]].input == "image"
    }


def weights_for(camera: str) -> str:
    """Name of the large network's weights that photos of a camera get.

    Those that `PREFERRED` says, else those that were trained on it, else those for any camera.

    Args:
        camera: as EXIF names it; may be empty.

    Raises:
        FileError: a file is damaged.
    """
    trained = known_cameras().items()
    large = [(known, name) for name, row in trained if not name.endswith(SMALL) for known in row]
    rules = [*PREFERRED.items(), *large]
    return next((name for known, name in rules if same_camera(camera, known)), ANY)


def _why_none(name: str, known: list[str]) -> str:
    listed = ", ".join(known)
    if name == AUTO:
        return f"'{AUTO}' is for enhancing photo files, by their cameras; choose from {listed}"
    if name in FORMER_NAMES:
        return f"the weights '{name}' are called '{FORMER_NAMES[name]}' now"
    near = nearest(name.casefold(), known)
    return (
        f"unknown weights '{name}'; the nearest of {listed} is '{near}' "
        f"(the name of a weights file ends in .safetensors)"
    )
