"""Photos through trained networks: arrays for programs, files for people."""

import ctypes
import sys
from collections.abc import Iterator
from functools import lru_cache
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image as Picture

from ppcn.errors import UserError
from ppcn.files.artifacts import TEMPORARY
from ppcn.inference.after_fork import survive_fork
from ppcn.inference.example_inputs import enlarged_examples
from ppcn.inference.images import Colours, to_array
from ppcn.inference.overlapped import Overlapped, overlapped
from ppcn.inference.photo_rows import Pixels, Rows
from ppcn.inference.runtimes import Runtime
from ppcn.inference.tiled import Report, Tiled, assemble
from ppcn.networks import NETWORKS
from ppcn.networks.devices import WHITE
from ppcn.photos.formats import EncodeOptions
from ppcn.photos.hidden_pixels import Mask
from ppcn.photos.photo_file import PhotoFile, write_comparison
from ppcn.photos.raw_photo import Piece
from ppcn.photos.resize import SCALE, enlarge
from ppcn.weights import load_weights, scale_of
from ppcn.weights.cameras import same_camera
from ppcn.weights.shipped import ANY, find_weights
from ppcn.weights.spandrel_models import is_foreign_model, load_foreign_model

Task = Literal["enhance", "upscale"]
Image = NDArray[Any] | Picture | str | PathLike[str]
# Without EXIF, as of arrays, nothing tells the camera.
ENHANCES, UPSCALES = ANY, "photo_sr"
PURPOSES: dict[Task, str] = {"enhance": "enhancement", "upscale": "super-resolution"}
# Rows around a strip that bicubic enlargement sees, and some to spare.
MARGIN = 4


@overload
def enhance(image: Picture, strength: float = ..., weights: str | Path = ...) -> Picture: ...
@overload
def enhance(
    image: NDArray[Any] | str | PathLike[str], strength: float = ..., weights: str | Path = ...
) -> NDArray[Any]: ...
def enhance(image: Image, strength: float = 1.0, weights: str | Path = ENHANCES) -> Any:
    """Enhance a photo.

    Args:
        image: an array, a picture of Pillow, or the path of a photo file. An array is (H, W, 3)
            RGB, (H, W, 4) RGB with transparency, (H, W) or (H, W, 1) grey, or (H, W, 2) grey with
            transparency, in sRGB and upright; uint8, uint16, or floating point in [0, 1], in
            whatever order of bytes and axes. A picture is turned to sRGB by its ICC profile. A
            file is read as (H, W, 3) uint8, upright and in sRGB.
        strength: 0 gives the photo itself, 1 what the network makes of it.
        weights: name of weights that come with this package, or a weights file.

    Returns:
        An array of the same shape and dtype, uint8 for a file; for a picture a picture, of the
        same mode where that is RGB, RGBA, L, LA, I;16 or F, of the next of these otherwise.
        Transparency and invisible pixels are the photo's.

    Raises:
        UserError: image or weights are of another kind, or this process was forked after CUDA had
            been used.
    """
    pixels, as_given = to_array(image)
    colours = Colours(pixels)
    result = _run(_load(weights, "enhance"), colours).clip(0, 1)
    result = colours.values + strength * (result - colours.values)
    better = colours.like_photo(result, colours.alpha)
    if colours.alpha is not None:
        better[colours.alpha == 0] = pixels[colours.alpha == 0]
    return as_given(better)


@overload
def upscale(image: Picture, weights: str | Path = ...) -> Picture: ...
@overload
def upscale(
    image: NDArray[Any] | str | PathLike[str], weights: str | Path = ...
) -> NDArray[Any]: ...
def upscale(image: Image, weights: str | Path = UPSCALES) -> Any:
    """Enlarge a photo x4, or as the weights were trained to.

    Args:
        image: as for `enhance`.
        weights: name of weights that come with this package, or a weights file, of this project or
            of a network that spandrel knows.

    Returns:
        As `enhance`, but of four times the height and width, or as many times as the weights
        were trained for.

    Raises:
        UserError: as `enhance`.
    """
    pixels, as_given = to_array(image)
    colours = Colours(pixels)
    predictor = _load(weights, "upscale")
    result = _run(predictor, colours)
    return as_given(colours.like_photo(result, colours.enlarged_alpha(predictor.scale)))


class TaskError(UserError):
    """Weights of a network for another task.

    Attributes:
        task: what they are for.
    """

    def __init__(self, path: Path, network: str, task: Task) -> None:
        (other,) = (purpose for name, purpose in PURPOSES.items() if name != task)
        super().__init__(f"{path}: holds {network}, for {PURPOSES[task]}, not for {other}")
        self.task = task


class Predictor:
    """A network ready for photos of any size.

    Args:
        weights: name of weights that come with this package, or a weights file.
        task: what it has to be for.
        memory: what maps may fill, bytes; see `Tiled`.
        runtime: what computes; torch by default.
        calibration: photos (N, H, W, 3) uint8 for runtimes of low precision.

    Raises:
        UserError: no such weights, or this process was forked after CUDA had been used.
        TaskError: they are of a network for another task.
    """

    def __init__(
        self,
        weights: str | Path,
        task: Task,
        memory: int | None = None,
        runtime: Runtime | None = None,
        calibration: NDArray[np.uint8] | None = None,
    ) -> None:
        survive_fork()
        path = find_weights(weights)
        self._tiled: Tiled | Overlapped
        if task == "upscale" and is_foreign_model(path):
            model = load_foreign_model(path)
            self.facts: dict[str, Any] = {"network": model.name}
            self._input, self.scale = "lr", model.scale
            self._tiled = overlapped(path, model, memory, runtime)
            return
        network, self.facts = load_weights(path)
        self._input = NETWORKS[self.facts["network"]].input
        serves: Task = "enhance" if self._input == "image" else "upscale"
        if serves != task:
            raise TaskError(path, self.facts["network"], serves)
        self.scale = 1 if task == "enhance" else scale_of(self.facts)
        if calibration is not None and self._input == "lr_bicubic":
            calibration = enlarged_examples(calibration, self.scale)
        self._tiled = Tiled(network, memory, runtime, calibration)

    def pieces(self, photo: Rows, report: Report) -> Iterator[Piece]:
        """The result in pieces: first row, first column, pixels (rows, columns, 3), not clipped."""
        survive_fork()
        rows = Enlarged(photo, self.scale) if self._input == "lr_bicubic" else photo
        for top, left, pixels in self._tiled.tiles(rows, report):
            yield top, left, pixels.numpy()

    def knows(self, camera: str) -> bool:
        """Whether the weights are for photos of this camera, as far as is known."""
        cameras = self.facts.get("cameras", [])
        if not camera or not cameras:
            return True
        return any(same_camera(camera, known) for known in cameras)

    def predict(
        self,
        photo: PhotoFile,
        out: Path,
        options: EncodeOptions,
        report: Report,
        strength: float = 1.0,
        comparison: Path | None = None,
        is_stripped: bool = False,
    ) -> tuple[str, ...]:
        """Write what the network makes of a photo file.

        Args:
            photo: the photo.
            out: file to write; its suffix names the format.
            options: how to write it.
            report: called with tiles done and tiles in all.
            strength: 0..1; of enhancement.
            comparison: where to write photo and result side by side, if wanted.
            is_stripped: whether to leave metadata out, but for colours.

        Returns:
            Names of what the photo's file held and the result does not.

        Raises:
            UserError: the photo is damaged, or the format cannot hold the result.
        """
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out.parent, prefix=TEMPORARY) as folder:
            scratch = Path(folder)
            before = photo.decode(scratch)
            after = before.enlarged(scratch / "result.raw", self.scale)
            after.write(self.pieces(before, report))
            _return_memory()
            dropped = photo.encode(after, out, options, scratch, strength, is_stripped)
            if comparison:
                write_comparison(before, after, comparison)
        return dropped


class Enlarged:
    """Rows of a photo enlarged bicubically, as super-resolution networks read them.

    Args:
        photo: the photo.
        scale: how many times as high and wide.
    """

    def __init__(self, photo: Rows, scale: int = SCALE) -> None:
        self._photo, self._scale = photo, scale
        self.height, self.width = photo.height * scale, photo.width * scale

    def read_visible(self, top: int, bottom: int) -> Mask | None:
        """See `Rows`."""
        scale = self._scale
        first = top // scale
        visible = self._photo.read_visible(first, -(-bottom // scale))
        if visible is None:
            return None
        larger = visible.repeat(scale, axis=0).repeat(scale, axis=1)
        return larger[top - first * scale : bottom - first * scale]

    def read(self, top: int, bottom: int) -> Pixels:
        """Rows top to bottom; the same as of the photo enlarged in one go."""
        scale = self._scale
        first = max(top // scale - MARGIN, 0)
        last = min(-(-bottom // scale) + MARGIN, self._photo.height)
        small = self._photo.read(first, last)
        rows = slice(top - first * scale, bottom - first * scale)
        if small.dtype == np.uint8:
            return enlarge(small.astype(np.uint8, copy=False), scale)[rows]
        values = small / np.float32(WHITE.get(small.dtype, 1))
        return enlarge(values.astype(np.float32, copy=False), scale)[rows].clip(0, 1)


def _run(predictor: Predictor, photo: Rows) -> NDArray[np.float32]:
    scale = predictor.scale
    pieces = predictor.pieces(photo, lambda done, total: None)
    return assemble(pieces, photo.height * scale, photo.width * scale)


def _return_memory() -> None:
    """Let the system have what glibc keeps of freed feature maps, before a photo is encoded."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


@lru_cache(maxsize=4)
def _load(weights: str | Path, task: Task) -> Predictor:
    return Predictor(weights, task)
