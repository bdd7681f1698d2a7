"""Which files are published weights: an .npz, or those of a checkpoint of TensorFlow."""

import glob
from pathlib import Path

from ppcn.errors import UserError
from ppcn.weights.saved_slices import is_saved_slices

# TensorFlow's note in a folder of checkpoints, and what its models hold beside their checkpoint.
NOTE, MODEL, VARIABLES = "checkpoint", "saved_model.pb", "variables"


def checkpoint_files(source: Path) -> list[Path]:
    """The files that a source names.

    Args:
        source: an .npz; or of a checkpoint the prefix, one of its files or its folder, which may
            be a SavedModel's.

    Returns:
        The .npz; data and index of a checkpoint; or the one file of a checkpoint of format V1.
        Empty if there are none.

    Raises:
        UserError: the folder holds several.
    """
    if source.suffix == ".npz":
        return [source] if source.is_file() else []
    prefix = prefix_of(source)
    index = prefix.with_name(f"{prefix.name}.index")
    files = sorted(prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*"))
    if index.is_file():
        return [*files, index]
    return files or ([prefix] if is_saved_slices(prefix) else [])


def prefix_of(source: Path) -> Path:
    """The path of a checkpoint without the endings of its files.

    Raises:
        UserError: a folder holds several.
    """
    if source.name in (NOTE, MODEL) and source.is_file():
        source = source.parent
    if (source / MODEL).is_file() and (source / VARIABLES).is_dir():
        source /= VARIABLES
    if source.is_dir():
        prefixes = sorted(source.glob("*.index")) or [*filter(is_saved_slices, source.iterdir())]
        if len(prefixes) > 1:
            raise UserError(f"{source}: holds {len(prefixes)} checkpoints; name one of them")
        source = prefixes[0] if prefixes else source
    name = source.name
    if name.endswith((".index", ".meta")) or ".data-" in name:
        return source.with_name(name.rpartition(".")[0])
    return source
