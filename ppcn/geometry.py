"""Where a phone's pixel lies on the DSLR's photo of the same moment.

Points are (x, y), pixel centres, origin 0, in the photo after its EXIF orientation is applied.
The mapping of a phone pixel p is H(p + d(p)): a smooth local displacement d for what a
homography cannot explain (lens, parallax), then the homography H (DPED section 2).
"""

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ppcn.images import Photo, luminance
from ppcn.params import Align

Array = NDArray[Any]
OK = "ok"
# OpenCV maps at most 32767 points along an axis.
REMAP_COLUMNS = 16384
NO_DISPLACEMENT = np.zeros((0, 0, 2), np.float32)


@dataclass(frozen=True)
class Alignment:
    """The geometry of one pair.

    Attributes:
        status: "ok", or the reason why the pair is refused.
        phone_size: (width, height), px.
        dslr_size: (width, height), px.
        matches: mutual keypoint matches.
        inliers: matches that the homography explains.
        residual_px: median distance of the inliers from the whole mapping, phone px.
        homography: (3, 3) float64, phone pixels to DSLR pixels.
        displacement: (rows, columns, 2) float32 phone px at every `step`-th phone pixel.
        step: spacing of the displacement's nodes, phone px.
        crop: (x0, y0, x1, y1) common part in phone pixels, end exclusive.
    """

    status: str
    phone_size: tuple[int, int]
    dslr_size: tuple[int, int]
    matches: int = 0
    inliers: int = 0
    residual_px: float = 0.0
    homography: Array = field(default_factory=lambda: np.eye(3))
    displacement: Array = field(default_factory=lambda: NO_DISPLACEMENT)
    step: int = 1
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)

    def to_dslr(self, points: Array) -> Array:
        """Map phone pixels (..., 2) to DSLR pixels (..., 2) float64."""
        return transform_points(self.homography, points + self._displacement_at(points))

    def dslr_scale(self) -> float:
        """DSLR pixels per phone pixel at the centre of the phone's photo."""
        width, height = self.phone_size
        corners = np.array([[0, 0], [1, 0], [0, 1]]) + np.array([width / 2, height / 2])
        a, b, c = transform_points(self.homography, corners)
        return float(np.sqrt(abs(np.linalg.det(np.stack((b - a, c - a))))))

    def overlap(self) -> float:
        """Share of the phone's photo that the common crop covers."""
        x0, y0, x1, y1 = self.crop
        return (x1 - x0) * (y1 - y0) / max(1, self.phone_size[0] * self.phone_size[1])

    def _displacement_at(self, points: Array) -> Array:
        if not self.displacement.size or not points.size:
            return np.zeros_like(points)
        flat = points.reshape(-1, 2)
        rows = -(-len(flat) // REMAP_COLUMNS)
        nodes = np.resize(flat, (rows, min(len(flat), REMAP_COLUMNS), 2)) / self.step
        edge = cv2.BORDER_REPLICATE
        found = cv2.remap(
            self.displacement, nodes.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=edge
        )
        return found.reshape(-1, 2)[: len(flat)].reshape(points.shape).astype(np.float64)


def transform_points(homography: Array, points: Array) -> Array:
    """Apply a (3, 3) homography to points (..., 2)."""
    lifted = points @ homography[:, :2].T + homography[:, 2]
    return np.asarray(lifted[..., :2] / lifted[..., 2:])


def low_pass(image: Array, scale: float) -> Array:
    """Blur what sampling at every `scale`-th pixel cannot carry; nothing when it enlarges.

    A Gaussian of 0.5 * sqrt(scale^2 - 1) px takes the source's own 0.5 px to that of the target.
    """
    if scale <= 1.02:
        return image
    return cv2.GaussianBlur(image, (0, 0), 0.5 * float(np.sqrt(scale**2 - 1)))


def align_pair(phone: Photo, dslr: Photo, params: Align) -> Alignment:
    """Find the mapping and the common crop of a pair.

    Args:
        phone: (H, W, 3) uint8 RGB.
        dslr: (H', W', 3) uint8 RGB.
        params: the `align` group of params.yaml.

    Returns:
        An alignment whose status is "ok" or the reason why the pair must not be used.
    """
    sizes = (_size(phone), _size(dslr))
    phone_grey, dslr_grey = luminance(phone), luminance(dslr)
    here, there = match_keypoints(phone_grey, dslr_grey, params)
    if len(here) < params.min_inliers:
        return Alignment(f"only {len(here)} keypoint matches", *sizes, matches=len(here))
    homography, inlier = _estimate_homography(here, there, params)
    found = Alignment(OK, *sizes, matches=len(here), inliers=int(inlier.sum()))
    if found.inliers < params.min_inliers:
        return _refuse(found, f"only {found.inliers} matches agree on one homography")
    found = replace(found, homography=homography)
    if reason := _implausible(found, params):
        return _refuse(found, reason)
    if params.refine:
        found = _refine(found, phone_grey, dslr_grey, params)
    found = replace(found, crop=_common_crop(found))
    if found.overlap() < params.min_overlap:
        return _refuse(found, f"common part is only {found.overlap():.0%} of the phone's photo")
    return replace(found, residual_px=_residual(found, here[inlier], there[inlier]))


def _size(photo: NDArray[np.generic]) -> tuple[int, int]:
    return photo.shape[1], photo.shape[0]


def _refuse(alignment: Alignment, reason: str) -> Alignment:
    return replace(alignment, status=reason, displacement=NO_DISPLACEMENT, crop=(0, 0, 0, 0))


def match_keypoints(phone: Array, dslr: Array, params: Align) -> tuple[Array, Array]:
    """Match SIFT keypoints (Lowe 2004) of two grey photos, detected on reduced copies.

    Returns:
        Points of the phone and of the DSLR, (M, 2) float64 each, in full-size pixels, that pass
        the ratio test and choose each other.
    """
    points, descriptors = zip(*(_detect(photo, params) for photo in (phone, dslr)), strict=True)
    if min(map(len, points)) < 2:
        return np.zeros((0, 2)), np.zeros((0, 2))
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    forward = matcher.knnMatch(descriptors[0], descriptors[1], k=2)
    back = {m.queryIdx: m.trainIdx for (m,) in matcher.knnMatch(descriptors[1], descriptors[0], 1)}
    kept = [
        (best.queryIdx, best.trainIdx)
        for best, second in forward
        if best.distance < params.ratio * second.distance and back[best.trainIdx] == best.queryIdx
    ]
    chosen = np.array(kept, dtype=int).reshape(-1, 2)
    return points[0][chosen[:, 0]], points[1][chosen[:, 1]]


def _detect(grey: Array, params: Align) -> tuple[Array, NDArray[np.float32]]:
    small, scale = _reduce(grey, params.detect_size)
    sift = cv2.SIFT_create(nfeatures=params.keypoints, enable_precise_upscale=True)
    keypoints, descriptors = sift.detectAndCompute(np.rint(small).astype(np.uint8), None)
    points = np.array([k.pt for k in keypoints], dtype=np.float64).reshape(-1, 2)
    return (points + 0.5) * scale - 0.5, descriptors


def _reduce(grey: Array, long_side: int) -> tuple[Array, Array]:
    """Shrink so that the long side is at most `long_side`; also full-size px per reduced px."""
    width, height = _size(grey)
    ratio = min(1.0, long_side / max(width, height))
    size = (round(width * ratio), round(height * ratio))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return small, np.array([width / size[0], height / size[1]])


def _estimate_homography(
    here: Array, there: Array, params: Align
) -> tuple[Array, NDArray[np.bool_]]:
    """Robust homography phone -> DSLR (MAGSAC++), then least squares over its inliers."""
    cv2.setRNGSeed(0)
    inverse, mask = cv2.findHomography(
        there, here, cv2.USAC_MAGSAC, params.ransac_threshold, maxIters=10000, confidence=0.9999
    )
    inlier = np.zeros(len(here), bool) if mask is None else mask.ravel().astype(bool)
    if inverse is None or inlier.sum() < 4:
        return np.eye(3), np.zeros(len(here), bool)
    refined, _ = cv2.findHomography(there[inlier], here[inlier], 0)
    inverse = inverse if refined is None else refined
    homography = np.linalg.inv(inverse)
    return homography / homography[2, 2], inlier


def _implausible(found: Alignment, params: Align) -> str:
    """Say why two cameras side by side cannot see this homography; empty if they can."""
    width, height = found.phone_size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=float)
    weights = corners @ found.homography[2, :2] + found.homography[2, 2]
    if (weights <= 0).any():
        return "homography folds the photo"
    quad = transform_points(found.homography, corners)
    edges = np.roll(quad, -1, axis=0) - quad
    following = np.roll(edges, -1, axis=0)
    turns = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    if (turns <= 0).any():
        return "homography mirrors or folds the photo"
    scales = np.linalg.norm(edges, axis=1) / [width, height, width, height]
    if scales.max() / scales.min() > params.max_scale_change:
        return f"homography changes scale {scales.max() / scales.min():.1f} times over the photo"
    return ""


def _refine(found: Alignment, phone: Array, dslr: Array, params: Align) -> Alignment:
    """Estimate the smooth displacement from dense optical flow between contrast-normalised photos.

    The DSLR's photo is warped by the homography to the reduced phone photo; DIS flow (Kroeger
    et al. 2016) is averaged with weights that favour texture and forward-backward agreement.
    """
    small, scale = _reduce(phone, params.flow_size)
    source = transform_points(found.homography, (_pixels(*_size(small)) + 0.5) * scale - 0.5)
    shrink = found.dslr_scale() * float(scale.mean())
    coordinates = source.astype(np.float32)
    warped = cv2.remap(low_pass(dslr, shrink), coordinates, None, cv2.INTER_LINEAR)
    inside = _inside(source, found.dslr_size)
    flow, weight = _weighted_flow(_normalise_contrast(small), _normalise_contrast(warped))
    weight *= inside
    sigma = params.smoothness / float(scale.mean())
    total = cv2.GaussianBlur(weight, (0, 0), sigma) + 1e-3
    averaged = cv2.GaussianBlur(flow * weight[..., None], (0, 0), sigma) / total[..., None]
    nodes = _pixels(*(-(-n // params.grid_step) + 1 for n in found.phone_size)) * params.grid_step
    where = ((nodes + 0.5) / scale - 0.5).astype(np.float32)
    grid = cv2.remap(averaged, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    displacement = (grid * scale).astype(np.float32)
    return replace(found, displacement=displacement, step=params.grid_step)


def _weighted_flow(first: Photo, second: Photo) -> tuple[Array, NDArray[np.float32]]:
    """Dense flow first -> second, and how far to trust it: texture times agreement back."""
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    forward = estimator.calc(first, second, None)
    backward = estimator.calc(second, first, None)
    landing = (_pixels(*_size(first)) + forward).astype(np.float32)
    returned = cv2.remap(backward, landing, None, cv2.INTER_LINEAR)
    disagreement = np.linalg.norm(forward + returned, axis=-1)
    texture = cv2.GaussianBlur(np.abs(cv2.Laplacian(first, cv2.CV_32F)), (0, 0), 3)
    return forward, (texture / 255 * np.exp(-((disagreement / 0.5) ** 2))).astype(np.float32)


def _normalise_contrast(grey: Array, sigma: float = 8.0) -> Photo:
    """Divide out local mean and deviation, so that exposure and tone do not look like motion."""
    mean = cv2.GaussianBlur(grey, (0, 0), sigma)
    deviation = np.sqrt(np.maximum(cv2.GaussianBlur(grey**2, (0, 0), sigma) - mean**2, 0))
    return np.clip(128 + 48 * (grey - mean) / (deviation + 3), 0, 255).astype(np.uint8)


def _pixels(width: int, height: int) -> NDArray[np.float64]:
    """(height, width, 2) array of (x, y)."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)


def _inside(points: Array, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which points (..., 2) have all pixels that cubic interpolation reads inside `size`."""
    return np.asarray(((points >= 1) & (points <= np.array(size) - 3)).all(axis=-1))


def _common_crop(found: Alignment, step: int = 4) -> tuple[int, int, int, int]:
    """The largest upright rectangle of phone pixels whose mapping lies on the DSLR's photo."""
    width, height = found.phone_size
    nodes = _pixels(width // step, height // step) * step
    inside = np.ones(nodes.shape[:2], bool)
    for corner in ((0, 0), (step, 0), (0, step), (step, step)):
        inside &= _inside(found.to_dslr(nodes + np.array(corner, float)), found.dslr_size)
    x0, y0, x1, y1 = (int(edge) * step for edge in largest_rectangle(inside))
    return x0, y0, x1, y1


def largest_rectangle(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The largest all-true upright rectangle of a mask, (x0, y0, x1, y1), end exclusive."""
    best, area = (0, 0, 0, 0), 0
    heights = np.zeros(mask.shape[1] + 1, int)
    for y, row in enumerate(mask):
        heights[:-1] = np.where(row, heights[:-1] + 1, 0)
        starts: list[tuple[int, int]] = []
        for x, height in enumerate(heights):
            left = x
            while starts and starts[-1][1] >= height:
                left, tall = starts.pop()
                if tall * (x - left) > area:
                    area, best = tall * (x - left), (left, y + 1 - tall, x, y + 1)
            starts.append((left, int(height)))
    return best


def _residual(found: Alignment, here: Array, there: Array) -> float:
    """Median distance between the inliers and the mapping, in phone pixels."""
    error = np.linalg.norm(found.to_dslr(here) - there, axis=1)
    return float(np.median(error)) / found.dslr_scale()
