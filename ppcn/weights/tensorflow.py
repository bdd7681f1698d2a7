"""The authors' published weights: which of their variables is which of our parameters."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ppcn.errors import UserError
from ppcn.networks import NETWORKS
from ppcn.weights.checkpoint_files import checkpoint_files, prefix_of
from ppcn.weights.foreign import foreign_kind
from ppcn.weights.saved_slices import SavedSlices
from ppcn.weights.tensor_bundle import Bundle

Names = dict[str, str]
Variables = Mapping[str, NDArray[np.float32]]

SCOPES = {
    "ppcn_teacher": "generator_s",
    "ppcn_student": "generator_little",
    "ppcn_sr": "generator",
    "srcnn": "generator",
    "dped_resnet_12_64": "generator",
    "resnet_8_32": "generator",
    "vdsr": "shared_model",
}
"""The networks whose weights were published, and the scope of their variables."""


def published_names(name: str) -> Names:
    """Our parameters' names and those of the authors' variables, within their scope."""
    if name == "ppcn_sr":
        return _sr_names()
    if name == "srcnn":
        return {**_conv_names([f"conv{i}" for i in (1, 2)], "w{}", "b{}", 1)} | {
            "conv3.weight": "w3",
            "bias3": "b3",
        }
    if name == "vdsr":
        last = {"convs.19.weight": "conv_20_w", "convs.19.bias": "conv_20_b"}
        convs = [f"convs.{i}" for i in range(19)]
        return _conv_names(convs, "conv_{:02d}_w", "conv_{:02d}_b", 0) | last
    if name in ("ppcn_teacher", "ppcn_student"):
        count = 8 if name == "ppcn_teacher" else 5
        convs = [f"conv{i}" for i in range(count)]
        norms = [f"norm{i}" for i in range(2, 6 if name == "ppcn_teacher" else 4)]
        return _conv_names(convs, "W{}", "b{}", 0) | _norm_names(norms)
    blocks = 4 if name == "dped_resnet_12_64" else 2
    pairs = [(f"blocks.{b}.conv{i}", f"blocks.{b}.norm{i}") for b in range(blocks) for i in (1, 2)]
    convs = ["first", *(conv for conv, _ in pairs), "after1", "after2", "last"]
    return _conv_names(convs, "W{}", "b{}", 1) | _norm_names([norm for _, norm in pairs])


def _conv_names(convs: Sequence[str], kernel: str, bias: str, first: int) -> Names:
    names: Names = {}
    for number, conv in enumerate(convs, start=first):
        names[f"{conv}.weight"] = kernel.format(number)
        names[f"{conv}.bias"] = bias.format(number)
    return names


def _norm_names(norms: Sequence[str]) -> Names:
    """Norms in order of creation, each a shift and a scale: Variable, Variable_1, ..."""
    keys = [f"{norm}.{part}" for norm in norms for part in ("bias", "weight")]
    return {key: f"Variable_{i}" if i else "Variable" for i, key in enumerate(keys)}


def _sr_names() -> Names:
    layers = {
        "down1": "downsample/1",
        "down2": "downsample/2",
        "reduce": "n64s1/c1",
        "fuse": "n64s1/c/m",
        "up1": "conv2d",
        "up2": "conv2d_1",
    }
    for block in (0, 1):
        layers[f"blocks.{block}.transition"] = f"trans/{block + 1}"
        for module in (0, 1):
            ours, theirs = f"blocks.{block}.modules_.{module}", f"res{block + 1}/{module}"
            layers |= {f"{ours}.expand": f"{theirs}/conv1", f"{ours}.reduce": f"{theirs}/conv2"}
    kinds = {"weight": "kernel", "bias": "bias"}
    return {f"{a}.{k}": f"{b}/{kinds[k]}" for a, b in layers.items() for k in kinds}


def import_checkpoint(source: Path, name: str) -> nn.Module:
    """Read published weights into a network.

    Args:
        source: prefix of a TensorFlow checkpoint, of format V1 or V2 (or one of its files, or a
            folder that holds one), or an .npz of its variables.
        name: the network, one of `SCOPES`.

    Raises:
        UserError: the source cannot be read, or holds another network.
    """
    if name not in SCOPES:
        known = ", ".join(SCOPES)
        raise UserError(f"no weights of '{name}' were published; those of {known} were")
    variables = _read(source)
    state, misfit = _fit(variables, name)
    if misfit:
        others = [other for other in SCOPES if not _fit(variables, other)[1]]
        hint = f"it holds {others[0]}" if others else "it holds none of the published networks"
        raise UserError(f"{source}: not {name} ({misfit}); {hint}")
    network = NETWORKS[name].make()
    network.load_state_dict(state)
    return network.eval()


def _read(source: Path) -> Variables:
    files = checkpoint_files(source)
    if not files:
        raise UserError(f"{source}: {_why_none(source)}")
    if source.suffix != ".npz":
        prefix = prefix_of(source)
        return SavedSlices(prefix) if files == [prefix] else Bundle(prefix)
    try:
        with np.load(source, allow_pickle=False) as stored:
            arrays = {name.removesuffix(":0"): stored[name] for name in stored.files}
    except (OSError, ValueError, TypeError, EOFError, zlib.error, zipfile.BadZipFile):
        raise UserError(f"{source}: not an .npz of arrays; save it with numpy.savez") from None
    return {
        name: array.astype(np.float32)
        for name, array in arrays.items()
        if np.issubdtype(array.dtype, np.number)
    }


def _why_none(source: Path) -> str:
    """Why a source is no checkpoint, and what helps."""
    if source.is_dir():
        return "holds 0 checkpoints; name another folder or an .npz of variables"
    known = foreign_kind(source) if source.is_file() else ""
    return known or ("no such checkpoint; name its files without .index, or an .npz of variables")


def _fit(variables: Variables, name: str) -> tuple[dict[str, Tensor], str]:
    """A network's state out of the variables, or what does not fit, in words.

    The scope may be another than usual, if the variables under it fit.
    """
    names = published_names(name)
    usual = f"{SCOPES[name]}/"
    any_name = next(iter(names.values()))
    scopes = {n.removesuffix(any_name) for n in variables if n.endswith(any_name)}
    fits = {scope: _fit_scope(variables, names, scope, name) for scope in sorted(scopes)}
    fitting = [scope for scope, (_, misfit) in fits.items() if not misfit]
    if usual in fitting or len(fitting) == 1:
        return fits[usual if usual in fitting else fitting[0]]
    if fitting:
        return {}, f"several scopes fit: {', '.join(fitting)}"
    missing = f"it has no variable {usual}{any_name}"
    return fits.get(usual, next(iter(fits.values()), ({}, missing)))


def _fit_scope(
    variables: Variables, names: Names, scope: str, network: str
) -> tuple[dict[str, Tensor], str]:
    """As `_fit`, with the variables of one scope."""
    with torch.device("meta"):
        expected = NETWORKS[network].make().state_dict()
    state: dict[str, Tensor] = {}
    for key, relative in names.items():
        if scope + relative not in variables:
            return {}, f"it has no variable {scope}{relative}"
        value = torch.from_numpy(variables[scope + relative])
        state[key] = value.permute(3, 2, 0, 1).contiguous() if value.ndim == 4 else value
        if state[key].shape != expected[key].shape:
            shape = "x".join(map(str, value.shape))
            return {}, f"its {scope}{relative} is {shape}"
        if not torch.isfinite(state[key]).all():
            return {}, f"its {scope}{relative} holds values that are not finite"
    return state, ""
