"""Files of other programs in place of weights: what they are, and what helps.

They are told by their first bytes or their names; nothing is unpickled.
"""

import zipfile
from pathlib import Path

from ppcn.errors import FileError, FileKind, missing_file
from ppcn.weights.checkpoint_files import checkpoint_files

HEAD = 64
LFS = b"version https://git-lfs"
HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
# How pickles of the protocols 2 to 5 begin.
PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))

OF_LFS = "a pointer of Git LFS; fetch the file itself with 'git lfs pull'"
OF_TORCH = (
    "pickled by PyTorch, which is not read because it could run any program; load it into the "
    "network yourself and save that with ppcn.weights.save_weights"
)
OF_KERAS = (
    "HDF5, as Keras has weights, which is not read; save the arrays with numpy.savez under the "
    "names of the published variables, and import that"
)
GRAPH = (
    "a graph of TensorFlow, which is not read; import the checkpoint that it was made of, "
    "the .index and .data files"
)
EXPORTED = "a model that was exported; name the .safetensors that it was made of"
BY_SUFFIX = {
    **dict.fromkeys((".pb", ".pbtxt", ".meta"), GRAPH),
    **dict.fromkeys((".onnx", ".tflite", ".pte", ".xml"), EXPORTED),
}


def check_weights(path: Path) -> None:
    """Make sure that there is a file, and that no other program is known to have made it.

    Raises:
        FileError: there is none, or it is of another kind.
        UserError: a folder of several checkpoints.
    """
    if path.is_file() and is_safetensors(path):
        return
    if checkpoint_files(path):
        what = "arrays of NumPy" if path.suffix == ".npz" else "a checkpoint of TensorFlow"
        raise FileError(path, FileKind.CHECKPOINT, f"{what}, no weights file yet")
    if path.is_dir():
        raise FileError(path, None, "a folder; name a weights file")
    if not path.is_file():
        raise missing_file(path, FileKind.WEIGHTS)
    if problem := foreign_kind(path):
        raise FileError(path, None, problem)


def foreign_kind(path: Path) -> str:
    """What a file is and what helps, in words; empty where it is unknown."""
    head = _head(path)
    if head.startswith(LFS):
        return OF_LFS
    if head.startswith(ZIP):
        return _kind_of_zip(path)
    if head.startswith(PICKLES):
        return OF_TORCH
    if head.startswith(HDF5):
        return OF_KERAS
    return BY_SUFFIX.get(path.suffix.lower(), "")


def _kind_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return ""
    endings = {".pkl": OF_TORCH, ".h5": OF_KERAS}
    return next((endings[e] for e in endings for name in names if name.endswith(e)), "")


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: the length of its header, and JSON."""
    return _head(path)[8:9] == b"{"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)
