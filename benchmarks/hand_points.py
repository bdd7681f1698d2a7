"""How far alignments from points set by hand are from the truth, on the rig's pairs.

Usage:
    python benchmarks/hand_points.py [--root data/rig] [--phone iphone] [--off 3] [--spoil noise]

Four points of each pair, each up to so many px off in either photo, are aligned from, beside what
`align` makes of the pair by itself. `--spoil` makes the phone's photos worse: `noise` is strong,
`blur` leaves texture in a third of the photo only, `tone` is steep and dark.
"""

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from ppcn.errors import FileKind
from ppcn.evaluation.alignment_error import crop_errors
from ppcn.files.artifacts import open_hdf5
from ppcn.params import Params
from ppcn.photos.decode import Photo, read_photo
from ppcn.registration.geometry import Array
from ppcn.registration.hand_points import align_from_points
from ppcn.registration.register import align_pair
from ppcn.rig.camera import Pose, load_pose, random_stream

CORNERS = np.array([[0.2, 0.2], [0.8, 0.25], [0.75, 0.8], [0.25, 0.75]])


def spoil(photo: Photo, kind: str, random: np.random.Generator) -> Photo:
    """A photo (H, W, 3) uint8 made worse."""
    pixels = photo.astype(np.float64)
    if kind == "noise":
        pixels = pixels * 0.5 + random.normal(0, 30, pixels.shape)
    elif kind == "blur":
        sharp = np.zeros(photo.shape[:2])
        sharp[:, : photo.shape[1] // 3] = 1
        share = cv2.GaussianBlur(sharp, (0, 0), 20)[..., None]
        pixels = pixels * share + cv2.GaussianBlur(pixels, (0, 0), 12) * (1 - share)
    elif kind == "tone":
        pixels = (pixels / 255) ** 4 * 127
    return np.clip(pixels, 0, 255).astype(np.uint8)


def clicks(phone: Pose, reference: Pose, off: float, random: np.random.Generator) -> Array:
    """Four points (4, 4) as a person might set them."""
    at = (CORNERS + random.uniform(-0.08, 0.08, (4, 2))) * phone.size
    to = reference.from_scene(phone.to_scene(at))
    angle, radius = (
        random.uniform(0, 2 * np.pi, (2, 4)),
        off * np.sqrt(random.uniform(0, 1, (2, 4))),
    )
    error = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=-1)
    return np.concatenate((at + error[0], to + error[1]), axis=1)


def main(
    root: Annotated[Path, typer.Option(help="Folder that the rig made.")] = Path("data/rig"),
    phone: Annotated[str, typer.Option(help="Name of the phone.")] = "iphone",
    off: Annotated[float, typer.Option(help="Error of the clicks, px at most.")] = 3.0,
    spoiled: Annotated[str, typer.Option("--spoil", help="noise, blur, tone or none.")] = "none",
) -> None:
    """Print the error of every pair, px: median and 95th percentile over the common crop."""
    params = Params.load(Path("params.yaml")).align
    every = []
    print("| pair | by itself | from points |\n|---|---|---|")
    with open_hdf5(root / "truth.h5", FileKind.RIG_TRUTH) as truth:
        camera = str(truth.attrs["reference"])
        for stem in truth[phone]:
            poses = [load_pose(truth[f"{name}/{stem}"]) for name in (phone, camera)]
            random = random_stream(0, stem)
            ours = spoil(read_photo(root / phone / f"{stem}.jpg"), spoiled, random)
            theirs = read_photo(root / camera / f"{stem}.jpg")
            points = clicks(poses[0], poses[1], off, random)
            cells = []
            for made in (
                align_pair(ours, theirs, params),
                align_from_points(ours, theirs, points, params)[0],
            ):
                if made.rejection:
                    cells.append(made.rejection.sentence)
                    continue
                errors = crop_errors(made, poses[0], poses[1])
                cells.append("{:.2f}, {:.2f}".format(*np.percentile(errors, [50, 95])))
            if not made.rejection:
                every.append(errors)
            print(f"| {stem} | {cells[0]} | {cells[1]} |", flush=True)
    median, p95 = np.percentile(np.concatenate(every), [50, 95])
    print(f"\n{len(every)} pairs aligned from points: median {median:.2f} px, 95th {p95:.2f} px")


if __name__ == "__main__":
    typer.run(main)
