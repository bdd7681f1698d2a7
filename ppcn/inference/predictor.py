"""Photos through trained networks: arrays for programs, files for people."""

import ctypes
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ppcn.errors import UserError
from ppcn.files.artifacts import TEMPORARY
from ppcn.inference.photo_rows import Pixels, Rows
from ppcn.inference.runtimes import Runtime
from ppcn.inference.tiled import Report, Tiled, assemble
from ppcn.networks import NETWORKS
from ppcn.networks.devices import WHITE
from ppcn.photos.color import LUMA_WEIGHTS
from ppcn.photos.formats import EncodeOptions
from ppcn.photos.hidden_pixels import Mask, filled, hides_some
from ppcn.photos.photo_file import PhotoFile, write_comparison
from ppcn.photos.raw_photo import Piece
from ppcn.photos.resize import SCALE, enlarge
from ppcn.weights import load_weights
from ppcn.weights.cameras import same_camera
from ppcn.weights.shipped import ANY, find_weights

Task = Literal["enhance", "upscale"]
# Without EXIF, as of arrays, nothing tells the camera.
ENHANCES, UPSCALES = ANY, "ppcn_sr"
PURPOSES: dict[Task, str] = {"enhance": "enhancement", "upscale": "super-resolution"}
# Rows around a strip that bicubic enlargement sees, and some to spare.
MARGIN = 4


def enhance(
    image: NDArray[Any], strength: float = 1.0, weights: str | Path = ENHANCES
) -> NDArray[Any]:
    """Enhance a photo.

    Args:
        image: (H, W, 3) RGB, (H, W, 4) with transparency, or (H, W) grey, in sRGB and upright;
            uint8, uint16, or floating point in [0, 1].
        strength: 0 gives the photo itself, 1 what the network makes of it.
        weights: name of weights that come with this package, or a weights file.

    Returns:
        An array of the same shape and kind; transparency and invisible pixels are the photo's.

    Raises:
        UserError: the array or the weights are of another kind.
    """
    colours, alpha = _split(image)
    result = _run(_load(weights, "enhance"), colours).clip(0, 1)
    result = colours.values + strength * (result - colours.values)
    better = colours.like_photo(result, alpha)
    if alpha is not None:
        better[alpha == 0] = image[alpha == 0]
    return better


def upscale(image: NDArray[Any], weights: str | Path = UPSCALES) -> NDArray[Any]:
    """Enlarge a photo x4.

    Args:
        image: as for `enhance`.
        weights: name of weights that come with this package, or a weights file.

    Returns:
        An array of four times the height and width, of the same kind.

    Raises:
        UserError: the array or the weights are of another kind.
    """
    colours, alpha = _split(image)
    if alpha is not None:
        alpha = _enlarged_alpha(alpha)
    return colours.like_photo(_run(_load(weights, "upscale"), colours), alpha)


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
        calibration: patches (N, H, W, 3) uint8 for runtimes of low precision.

    Raises:
        UserError: no such weights.
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
        path = find_weights(weights)
        network, self.facts = load_weights(path)
        self._input = NETWORKS[self.facts["network"]].input
        serves: Task = "enhance" if self._input == "image" else "upscale"
        if serves != task:
            raise TaskError(path, self.facts["network"], serves)
        self.scale = 1 if task == "enhance" else SCALE
        self._tiled = Tiled(network, memory, runtime, calibration)

    def pieces(self, photo: Rows, report: Report) -> Iterator[Piece]:
        """The result in pieces: first row, first column, pixels (rows, columns, 3), not clipped."""
        rows = Enlarged(photo) if self._input == "lr_bicubic" else photo
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
    """Rows of a photo enlarged x4 bicubically, as super-resolution networks read them.

    Args:
        photo: the photo.
    """

    def __init__(self, photo: Rows) -> None:
        self._photo = photo
        self.height, self.width = photo.height * SCALE, photo.width * SCALE

    def read_visible(self, top: int, bottom: int) -> Mask | None:
        """See `Rows`."""
        first = top // SCALE
        visible = self._photo.read_visible(first, -(-bottom // SCALE))
        if visible is None:
            return None
        larger = visible.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
        return larger[top - first * SCALE : bottom - first * SCALE]

    def read(self, top: int, bottom: int) -> Pixels:
        """Rows top to bottom; the same as of the photo enlarged in one go."""
        first = max(top // SCALE - MARGIN, 0)
        last = min(-(-bottom // SCALE) + MARGIN, self._photo.height)
        small = self._photo.read(first, last)
        rows = slice(top - first * SCALE, bottom - first * SCALE)
        if small.dtype == np.uint8:
            return enlarge(small.astype(np.uint8, copy=False))[rows]
        values = small / np.float32(WHITE.get(small.dtype, 1))
        return enlarge(values.astype(np.float32, copy=False))[rows].clip(0, 1)


class _Colours:
    """The colours of an array, as rows of RGB, and which of its pixels are visible, if not all."""

    def __init__(self, image: NDArray[Any], visible: Mask | None = None) -> None:
        self.kind = image.dtype
        self.white = WHITE.get(image.dtype, 1)
        self.is_grey = image.ndim == 2
        self.pixels = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1)
        self.height, self.width = image.shape[:2]
        self._visible = visible if visible is not None and hides_some(visible) else None
        if self._visible is not None:
            self.pixels = filled(self.pixels, self._visible)

    @property
    def values(self) -> NDArray[np.float32]:
        """(H, W, 3) in [0, 1]."""
        return self.pixels.astype(np.float32) / np.float32(self.white)

    def read(self, top: int, bottom: int) -> Pixels:
        """Rows top to bottom."""
        rows = self.pixels[top:bottom]
        return rows if rows.dtype in WHITE else rows.astype(np.float32)

    def read_visible(self, top: int, bottom: int) -> Mask | None:
        """See `Rows`."""
        return None if self._visible is None else self._visible[top:bottom]

    def like_photo(self, result: NDArray[np.float32], alpha: NDArray[Any] | None) -> NDArray[Any]:
        """A result (H, W, 3) in [0, 1] as an array of the photo's kind."""
        result = (result @ np.array(LUMA_WEIGHTS, np.float32) if self.is_grey else result).clip(
            0, 1
        ) * self.white
        result = (np.rint(result) if self.kind in WHITE else result).astype(self.kind)
        return result if alpha is None else np.dstack((result, alpha))


def _split(image: NDArray[Any]) -> tuple[_Colours, NDArray[Any] | None]:
    """Colours and transparency.

    Raises:
        UserError: the array is no photo.
    """
    channels = image.shape[2] if image.ndim == 3 else 1
    floating = np.issubdtype(image.dtype, np.floating)
    if image.ndim not in (2, 3) or channels not in (1, 3, 4) or not image.size:
        raise UserError(f"an array of shape {image.shape}: give (H, W, 3), (H, W, 4) or (H, W)")
    if image.dtype not in WHITE and not floating:
        raise UserError(f"an array of {image.dtype}: give uint8, uint16, or floats in [0, 1]")
    if floating and not (image.min() >= 0 and image.max() <= 1):
        raise UserError("an array of floats outside [0, 1]: divide it by its white")
    if channels == 4:
        return _Colours(image[..., :3], image[..., 3] > 0), image[..., 3]
    return _Colours(image if channels == 3 else image.reshape(image.shape[:2])), None


def _enlarged_alpha(alpha: NDArray[Any]) -> NDArray[Any]:
    """Transparency (H, W) enlarged x4 bicubically, of the same kind."""
    values = enlarge(alpha.astype(np.float32)).clip(0, WHITE.get(alpha.dtype, 1))
    return (np.rint(values) if alpha.dtype in WHITE else values).astype(alpha.dtype)


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
