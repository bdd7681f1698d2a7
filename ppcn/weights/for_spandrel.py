"""This project's super-resolution networks for programs that read weights with spandrel.

    import spandrel
    from ppcn.weights.for_spandrel import SUPPORTED

    spandrel.MAIN_REGISTRY.add(*SUPPORTED)
    model = spandrel.ModelLoader().load_from_file("data/models/sr/plain_sr.safetensors")

spandrel sees tensors and no metadata: `ppcn_sr` is taken to enlarge x4, as the weights that ship
with this package do.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from ppcn.networks.devices import to_tensor
from ppcn.networks.plain_sr import PlainSR
from ppcn.networks.ppcn_sr import PPCNSR
from ppcn.photos.resize import SCALE, enlarge
from ppcn.weights.spandrel_models import import_spandrel

spandrel: Any = import_spandrel()
State = Mapping[str, Tensor]
CONVOLUTION = re.compile(r"convs\.\d+\.(weight|bias)")
FIRST = "convs.0.weight"


def _is_plain_sr(state: State) -> bool:
    if FIRST not in state or not all(map(CONVOLUTION.fullmatch, state)):
        return False
    last = state[f"convs.{len(state) // 2 - 1}.bias"]
    return state[FIRST].shape[1] == 3 and len(last) == 3 * SCALE**2


def _is_ppcn_sr(state: State) -> bool:
    return state.keys() == PPCNSR().state_dict().keys()


def _sharpen_enlarged(network: nn.Module, x: Tensor) -> Tensor:
    """Enlarge photos bicubically and sharpen them, as `ppcn_sr` works."""
    photos = x.float().permute(0, 2, 3, 1).cpu().contiguous().numpy()
    enlarged = np.stack([enlarge(photo).clip(0, 1) for photo in photos])
    return network(to_tensor(enlarged, x.device).to(x.dtype))


class PlainSRArch(spandrel.Architecture):  # type: ignore[misc]
    """`plain_sr`, of any width and depth."""

    def __init__(self) -> None:
        super().__init__(id="ppcn_plain_sr", name="PPCN plain_sr", detect=_is_plain_sr)

    def load(self, state_dict: State) -> Any:
        """The network of a state dict."""
        network = PlainSR(width=len(state_dict[FIRST]), depth=len(state_dict) // 2 - 2)
        return _described(self, network, state_dict)


class PPCNSRArch(spandrel.Architecture):  # type: ignore[misc]
    """`ppcn_sr`."""

    def __init__(self) -> None:
        super().__init__(id="ppcn_sr", name="PPCN SR", detect=_is_ppcn_sr)

    def load(self, state_dict: State) -> Any:
        """The network of a state dict."""
        return _described(self, PPCNSR(), state_dict, call_fn=_sharpen_enlarged)


def _described(architecture: Any, network: nn.Module, state: State, **options: Any) -> Any:
    return spandrel.ImageModelDescriptor(
        network,
        state,
        architecture=architecture,
        purpose="SR",
        tags=[],
        supports_half=False,
        supports_bfloat16=True,
        scale=SCALE,
        input_channels=3,
        output_channels=3,
        **options,
    )


SUPPORTED = tuple(
    spandrel.ArchSupport.from_architecture(kind()) for kind in (PlainSRArch, PPCNSRArch)
)
"""What a registry of spandrel's is given."""
