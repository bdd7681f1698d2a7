"""Super-resolution networks of other programs, as far as spandrel knows their architectures.

spandrel (https://github.com/chaiNNer-org/spandrel) tells a network by the names and shapes of its
tensors. Files are read without running anything that they hold.
"""

import pickle
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from ppcn.errors import FileError, FileKind, UserError
from ppcn.weights.foreign import OF_TORCH, foreign_kind, is_safetensors

SCALES = (2, 3, 4)
LISTED = ", ".join(f"x{scale}" for scale in SCALES)
# What spandrel imports of torchvision, for two architectures that are none of super-resolution.
TORCHVISION = "torchvision", "torchvision.transforms", "torchvision.transforms.functional"
NAMES = "InterpolationMode", "rotate", "normalize"


class ForeignModel(nn.Module):
    """A network of another program.

    Args:
        model: spandrel's ImageModelDescriptor.

    Attributes:
        name: of its architecture.
        scale: how many times as high and wide it makes photos.
        multiple: of it sides of photos are made multiples, by mirroring, px.
        has_bfloat16: whether it computes in bfloat16; inside autocast it is in float32 otherwise.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.layers: nn.Module = model.model
        self._model = model
        self.name, self.scale = str(model.architecture.name), int(model.scale)
        self.multiple = int(model.size_requirements.multiple_of)
        self.has_bfloat16 = bool(model.supports_bfloat16)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge photos (N, 3, H, W) to (N, 3, k H, k W), both in [0, 1]; gives no gradients."""
        exact = torch.autocast(x.device.type, enabled=False)
        with nullcontext() if self.has_bfloat16 else exact:
            enlarged: Tensor = self._model(x)
        # Of spandrel's inference mode, whose tensors no training may keep.
        return enlarged.clone()


def is_foreign_model(path: Path) -> bool:
    """Whether a file is tensors of PyTorch or safetensors, and names no network of this project."""
    if not path.is_file():
        return False
    if not is_safetensors(path):
        return foreign_kind(path) == OF_TORCH
    try:
        with safe_open(path, "pt") as file:
            return "network" not in (file.metadata() or {})
    except SafetensorError:
        return False


def load_foreign_model(path: Path) -> ForeignModel:
    """Read a super-resolution network of another program, in evaluation mode, on the CPU.

    Args:
        path: a file that PyTorch pickled, such as .pth, of tensors alone; or .safetensors.

    Raises:
        FileError: it is damaged.
        UserError: spandrel is missing or does not know the architecture, the file holds more than
            tensors, or the network does not enlarge RGB x2, x3 or x4.
    """
    spandrel = _spandrel(path)
    state = _read_state(path)
    try:
        model = spandrel.ModelLoader().load_from_state_dict(state)
    except spandrel.UnsupportedModelError:
        raise UserError(
            f"{path}: of no architecture that spandrel {spandrel.__version__} knows; weights of "
            "this project are saved with ppcn.weights.save_weights"
        ) from None
    except Exception as error:
        # Whatever an architecture trips over in tensors that only look like its own.
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"{path}: spandrel cannot make a network of it ({type(error).__name__}: {reason})"
        ) from None
    if problem := _problem(model, spandrel):
        raise UserError(f"{path}: holds {model.architecture.name}, {problem}")
    return ForeignModel(model.eval()).eval()


def _problem(model: Any, spandrel: ModuleType) -> str:
    """Why a network cannot enlarge photos; empty if it can."""
    if not isinstance(model, spandrel.ImageModelDescriptor) or model.purpose != "SR":
        return "which does not enlarge photos"
    if model.scale not in SCALES:
        return f"which enlarges x{model.scale}; give one that enlarges {LISTED}"
    if (model.input_channels, model.output_channels) != (3, 3):
        return "which is not for RGB; give one that is"
    if model.tiling is spandrel.ModelTiling.INTERNAL:
        return "which cuts photos into tiles by itself; give one that does not"
    return ""


def _read_state(path: Path) -> Mapping[str, Any]:
    """Tensors by their names."""
    try:
        if is_safetensors(path):
            return load_file(path)
        state: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"{path}: holds more than tensors, which is not unpickled because it could run any "
            "program; save the state_dict of its network alone"
        ) from None
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError):
        raise FileError(path, FileKind.WEIGHTS, "damaged weights file") from None
    if not isinstance(state, Mapping):
        raise UserError(f"{path}: holds no tensors by name; save the state_dict of its network")
    return state


def _spandrel(path: Path) -> ModuleType:
    try:
        return import_spandrel()
    except ModuleNotFoundError as error:
        raise UserError(
            f"{path}: holds no network of this project, and those of other programs are read with "
            f"{error.name}, which is missing; install it with: pip install 'ppcn[spandrel]'"
        ) from None


def import_spandrel() -> ModuleType:
    """The module, also where torchvision cannot be imported, as its wheels for CUDA on a CPU."""
    stand_ins: dict[str, ModuleType] = {}
    try:
        import_module("torchvision")
    except (ImportError, RuntimeError):
        stand_ins = {name: ModuleType(name) for name in TORCHVISION}
        vars(stand_ins[TORCHVISION[-1]]).update(dict.fromkeys(NAMES))
    sys.modules.update(stand_ins)
    try:
        return import_module("spandrel")
    finally:
        for name in stand_ins:
            del sys.modules[name]
