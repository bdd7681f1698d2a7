"""The virtual camera rig: what two cameras beside each other would record of a scene.

Points are (x, y), pixel centres, origin 0. A camera's pixel is mapped to the scene by radial
distortion, a homography (translation, rotation, perspective, zoom) and a smooth displacement
(parallax); all three are known exactly, so alignment error can be measured in pixels. Light is
treated in linear intensities until the tone curve.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import numpy as np

from ppcn.errors import UserError
from ppcn.params import Camera, Character
from ppcn.photos.decode import Photo, encode_jpeg, read_photo
from ppcn.registration.geometry import Array, low_pass, transform_points

WAVES = 4
TRUTH_STEP = 16


@dataclass(frozen=True)
class Pose:
    """Where a camera stood for one photo: maps its pixels to scene pixels.

    Attributes:
        size: (width, height) of the camera's photo, px.
        homography: (3, 3), distortion-free camera pixels to scene pixels.
        distortion: radial coefficient k1 for radii relative to half the diagonal.
        waves: (WAVES, 2, 4) parallax as sinusoids: amplitude (scene px), two frequencies
            (radians per camera px) and phase, for x and for y.
    """

    size: tuple[int, int]
    homography: Array
    distortion: float
    waves: Array

    def to_scene(self, points: Array) -> Array:
        """Map camera pixels (..., 2) to scene pixels (..., 2)."""
        centre = (np.array(self.size) - 1) / 2
        offset = points - centre
        radius = np.linalg.norm(offset, axis=-1, keepdims=True) / np.hypot(*centre)
        straight = centre + offset * (1 + self.distortion * radius**2)
        return transform_points(self.homography, straight) + self._parallax(points)

    def from_scene(self, points: Array) -> Array:
        """Invert `to_scene` by fixed-point iteration, to 1e-9 px.

        Raises:
            UserError: distortion or parallax is so strong that the lens folds the picture.
        """
        inverse = np.linalg.inv(self.homography)
        target = transform_points(inverse, points)
        guess = target
        for _ in range(200):
            step = target - transform_points(inverse, self.to_scene(guess))
            guess = guess + step
            if np.abs(step).max() < 1e-9:
                return guess
        raise UserError("the rig's distortion or parallax folds the picture; reduce it")

    def _parallax(self, points: Array) -> Array:
        x, y = points[..., 0], points[..., 1]
        moved = np.zeros_like(points)
        for wave in self.waves:
            for axis, (amplitude, fx, fy, phase) in enumerate(wave):
                moved[..., axis] += amplitude * np.sin(fx * x + fy * y + phase)
        return moved


def random_stream(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for every (seed, names), the same on every machine."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def place_camera(camera: Camera, scene_size: tuple[int, int], random: np.random.Generator) -> Pose:
    """Draw poses until one sees nothing but the scene.

    Args:
        camera: limits and picture size.
        scene_size: (width, height) of the scene, px.
        random: source of the draws.

    Raises:
        UserError: a hundred draws all looked past the edge of the scene.
    """
    for _ in range(100):
        pose = _draw_pose(camera, scene_size, random)
        corners = pose.to_scene(pixel_grid(pose.size, step=20))
        if (corners >= 0).all() and (corners <= np.array(scene_size) - 1).all():
            return pose
    raise UserError(
        f"a rig camera with field_of_view {camera.field_of_view} looks past the scene's "
        "edge; reduce its field_of_view, translation, rotation or perspective"
    )


def _draw_pose(camera: Camera, scene_size: tuple[int, int], random: np.random.Generator) -> Pose:
    """Translation, rotation, perspective, zoom and parallax within the camera's limits."""
    size = np.array([camera.width, camera.height])
    centre, diagonal = (size - 1) / 2, float(np.hypot(*size))
    scale = camera.field_of_view * min(np.array(scene_size) / size) * random.uniform(0.98, 1.0)
    angle = np.deg2rad(random.uniform(-1, 1) * camera.rotation)
    shift = random.uniform(-1, 1, 2) * camera.translation * scale
    tilt = random.uniform(-1, 1, 2) * camera.perspective / diagonal
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    target = (np.array(scene_size) - 1) / 2 + shift
    to_centre = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]], [0, 0, 1]])
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [*tilt, 1]])
    from_centre = np.array([[1, 0, target[0]], [0, 1, target[1]], [0, 0, 1]])
    wavelength = random.uniform(0.3, 1.0, (WAVES, 2)) * diagonal
    direction = random.uniform(0, 2 * np.pi, (WAVES, 2))
    amplitude = random.uniform(-1, 1, (WAVES, 2)) * camera.parallax * scale / np.sqrt(WAVES)
    frequency = 2 * np.pi / wavelength
    phase = random.uniform(0, 2 * np.pi, (WAVES, 2))
    waves = [amplitude, frequency * np.cos(direction), frequency * np.sin(direction), phase]
    return Pose(
        (camera.width, camera.height),
        from_centre @ turn @ to_centre,
        camera.distortion,
        np.stack(waves, axis=-1),
    )


def pixel_grid(size: tuple[int, int], step: int) -> Array:
    """Every step-th pixel of a (width, height) photo, the last row and column included.

    Returns:
        (rows, columns, 2) of (x, y).
    """
    xs, ys = (np.unique(np.append(np.arange(0, n, step), n - 1)).astype(float) for n in size)
    return np.stack(np.meshgrid(xs, ys), axis=-1)


def record(scene: Photo, camera: Camera, pose: Pose, random: np.random.Generator) -> bytes:
    """Photograph a scene.

    Args:
        scene: (H, W, 3) uint8 sRGB.
        camera: what optics, sensor and processing do.
        pose: where the camera stands.
        random: source of noise and of the photo's own exposure and white balance.

    Returns:
        The JPEG file.
    """
    light = light_of(scene)
    scale = float(np.sqrt(abs(np.linalg.det(pose.homography[:2, :2]))))
    coordinates = pose.to_scene(pixel_grid(pose.size, step=1)).astype(np.float32)
    light = cv2.remap(
        low_pass(light, scale), coordinates, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return develop(light, camera, random)


def light_of(photo: Photo) -> Array:
    """Linear light in [0, 1], float32, of an 8-bit sRGB photo."""
    return _from_srgb(np.arange(256, dtype=np.float32) / 255)[photo]


def develop(light: Array, camera: Character, random: np.random.Generator) -> bytes:
    """What lens, sensor and processing make of the light that falls through a camera's lens.

    Args:
        light: (H, W, 3) linear light in [0, 1].
        camera: what they do.
        random: source of noise and of the photo's own exposure and white balance.

    Returns:
        The JPEG file.
    """
    height, width = light.shape[:2]
    light = _blur(light, camera.blur) * _falloff((width, height), camera.vignetting)
    jitter = np.exp(random.normal(0, camera.variation, 4))
    gains = np.array(camera.white_balance) * jitter[:3] * jitter[3] * 2.0**camera.exposure
    light = np.clip(light * gains.astype(np.float32), 0, 1)
    noise = random.standard_normal(light.shape, dtype=np.float32)
    light += noise * np.sqrt(camera.noise_shot * light + camera.noise_read**2)
    picture = _to_srgb(np.clip(_blur(light, camera.denoise), 0, 1))
    picture = _tone_curve(picture, camera.contrast)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]
    picture = grey + (picture - grey) * camera.saturation
    picture += camera.sharpening * (picture - _blur(picture, 1.2))
    eight = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return encode_jpeg(eight, camera.jpeg_quality)


def _blur(image: Array, sigma: float) -> Array:
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image


def _falloff(size: tuple[int, int], vignetting: float) -> Array:
    """Brightness (H, W, 1) that falls with the square of the radius, by `vignetting` at corners."""
    centre = (np.array(size) - 1) / 2
    radius = np.linalg.norm(pixel_grid(size, step=1) - centre, axis=-1) / np.hypot(*centre)
    return (1 - vignetting * radius[..., None] ** 2).astype(np.float32)


def _tone_curve(x: Array, contrast: float) -> Array:
    """A smooth curve through 0, 0.5 and 1 whose slope at 0.5 is `contrast`."""
    rise = np.power(x, contrast)
    return rise / (rise + np.power(1 - x, contrast))


def _from_srgb(x: Array) -> Array:
    """IEC 61966-2-1 values in [0, 1] to linear light."""
    return np.where(x <= 0.04045, x / 12.92, np.power((x + 0.055) / 1.055, 2.4))


def _to_srgb(x: Array) -> Array:
    """Linear light in [0, 1] to IEC 61966-2-1 values."""
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * np.power(x, 1 / 2.4) - 0.055)


@dataclass(frozen=True)
class SceneTask:
    """Arguments of `record_scene`: a scene's file, the cameras by name, and the seed."""

    scene: Path
    cameras: Mapping[str, Camera]
    seed: int


def record_scene(task: SceneTask) -> dict[str, tuple[Pose, bytes]]:
    """Photograph one scene with every camera.

    Returns:
        Pose and JPEG file by camera.
    """
    scene = read_photo(task.scene)
    shots = {}
    for name, camera in task.cameras.items():
        random = random_stream(task.seed, name, task.scene.stem)
        pose = place_camera(camera, (scene.shape[1], scene.shape[0]), random)
        shots[name] = (pose, record(scene, camera, pose, random))
    return shots


def store_truth(group: h5py.Group, pose: Pose, reference: Pose) -> None:
    """Write a pose, and where its every 16th pixel lies on the reference camera's photo.

    Datasets: `homography`, `waves`, `phone_xy` and `reference_xy` (rows, columns, 2); attributes
    `size` and `distortion`.
    """
    group["homography"] = pose.homography
    group["waves"] = pose.waves
    group.attrs["size"] = np.array(pose.size, np.int64)
    group.attrs["distortion"] = pose.distortion
    group["phone_xy"] = pixel_grid(pose.size, TRUTH_STEP)
    group["reference_xy"] = reference.from_scene(pose.to_scene(group["phone_xy"][()]))


def load_pose(group: h5py.Group) -> Pose:
    """Read a pose that `store_truth` wrote."""
    width, height = (int(n) for n in group.attrs["size"])
    distortion = float(group.attrs["distortion"])
    return Pose((width, height), group["homography"][()], distortion, group["waves"][()])
