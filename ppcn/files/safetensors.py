"""Tensor files: safetensors, written so that the same tensors and facts give the same bytes."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ppcn.errors import UserError
from ppcn.files.artifacts import replacing


def save_tensors(path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write named tensors and metadata, or nothing at all.

    safetensors keeps metadata in a hash map, whose order differs from run to run; the header is
    written again in order of the keys, which leaves its length as it was.
    """
    with replacing(path) as temporary:
        try:
            save_file(dict(state), temporary, dict(metadata))
        except SafetensorError as error:
            raise UserError(f"{path}: could not be written: {error}") from None
        with temporary.open("r+b") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
            header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
            text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
            file.seek(8)
            file.write(text.ljust(length))
