"""Other aligners beside this project's, on the same photo pairs, by the same judge.

Usage: python benchmarks/aligners.py --root PHOTOS --phone iphone --reference canon

A route gives a mapping from phone pixels to reference pixels. Each runs in a process of its own on
one core; seconds are processor time per pair (the median, programs it starts included), the peak is
the largest process's. The judge warps the reference photo to the phone's by that mapping and
searches every 100 px window of a fixed grid for the best correlation within 5 px: what still has
to be shifted is what the mapping got wrong. Where the folder is the rig's, the mapping is also
compared with the truth.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import aligner_routes
import cv2
import numpy as np
import pair_tool_routes
import typer
from aligner_routes import (
    PARAMS,
    Grid,
    Rejected,
    Route,
    Size,
    grid_points,
    magnification,
    size_of,
)

from ppcn.dataset.pairs import Pair, find_pairs
from ppcn.errors import FileKind, UserError
from ppcn.evaluation.alignment_error import crop_errors
from ppcn.files.artifacts import open_hdf5, write_json
from ppcn.photos.color import luminance
from ppcn.photos.decode import read_photo
from ppcn.registration.geometry import Array, largest_rectangle, low_pass
from ppcn.rig.camera import Pose, load_pose, pixel_grid

STEP = 4
WINDOW, MAX_SHIFT, MIN_NCC, MIN_DEVIATION = 100, 5, 0.9, 3.0
# A mapping under which a smaller share of the windows matches is wrong.
WRONG = 0.05
STORED = "stored"
ROUTES = aligner_routes.ROUTES | pair_tool_routes.ROUTES
TITLES = {name: route.title for name, route in ROUTES.items()} | {STORED: "this project's patches"}


@dataclass(frozen=True)
class Mapping:
    """A route's mapping of one pair, as far as `crop_errors` looks at an alignment.

    Attributes:
        grid: the mapping.
        phone_size: (width, height), px.
        crop: (x0, y0, x1, y1) in phone pixels, where it is compared with the truth.
    """

    grid: Grid
    phone_size: Size
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)

    def to_reference(self, points: Array) -> Array:
        """Map phone pixels (..., 2) to reference pixels."""
        return self.grid.to_reference(points)


@dataclass(frozen=True)
class Aligned:
    """What a route made of one pair."""

    stem: str
    seconds: float
    mapping: Mapping | None
    reason: str = ""


def align_all(name: str, pairs: list[Pair]) -> tuple[list[Aligned], float]:
    """Run a route on every pair, in this process, on one core.

    Returns:
        What it made of each, and the peak in MB of the largest process.
    """
    use_one_core()
    return [align_one(ROUTES[name], pair) for pair in pairs], peak_mb()


def align_one(route: Route, pair: Pair) -> Aligned:
    """Time a route on a pair, files read included."""
    start = processor_seconds()
    try:
        to_reference = route.align(pair.phone, pair.reference)
    except Rejected as rejection:
        return Aligned(pair.stem, processor_seconds() - start, None, str(rejection))
    seconds = processor_seconds() - start
    size = size_of(read_photo(pair.phone))
    nodes = to_reference(grid_points(size, STEP)).astype(np.float32)
    return Aligned(pair.stem, seconds, Mapping(Grid(nodes, STEP), size))


def use_one_core() -> None:
    """Keep this process, its threads and the programs it starts on one core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)


def processor_seconds() -> float:
    """Processor time of this process and of the programs it started."""
    return sum(os.times()[:4])


def peak_mb() -> float:
    """Peak memory of this process or of the largest program it started."""
    status = Path("/proc/self/status").read_text().splitlines()
    own = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def stored(root: Path, phone: str, reference: str) -> dict[str, Any]:
    """The row of what `align` and `patches` store, with their own windows and counts."""
    use_one_core()
    start = processor_seconds()
    with tempfile.TemporaryDirectory() as folder:
        made = {step: str(Path(folder, step)) for step in ("align", "patches")}
        for step, extra in (("align", []), ("patches", ["--aligned", made["align"] + ".h5"])):
            run = [sys.executable, "-m", "pipeline", step, "--phone", phone, "--root", str(root)]
            run += ["--reference", reference, "--workers", "1", "--params", str(PARAMS), *extra]
            run += ["--out", made[step] + ".h5", "--metrics", made[step] + ".json"]
            if subprocess.run(run, stdout=sys.stderr, cwd=folder).returncode:
                raise UserError(f"{root}: {step} failed; see above")
        aligned, kept = (json.loads(Path(path + ".json").read_text()) for path in made.values())
    shift = kept["shift_px"]
    return {
        "route": STORED,
        "pairs": aligned["pairs"],
        "aligned": aligned["aligned"],
        "refused": aligned["refused"],
        "kept": kept["kept"],
        "windows": kept["windows"],
        "shift_px": [shift["median"], shift["p95"]],
        "seconds": (processor_seconds() - start) / aligned["pairs"],
        "peak_mb": peak_mb(),
    }


def judge(phone: Array, reference: Array, mapping: Mapping) -> tuple[int, list[float]]:
    """Search every window of the fixed grid.

    Returns:
        The windows inside the overlap, and the shift in px of those that match.
    """
    grey, (width, height) = luminance(phone), mapping.phone_size
    xs, ys = (np.arange(-MAX_SHIFT, n + MAX_SHIFT, dtype=float) for n in (width, height))
    where = mapping.to_reference(np.stack(np.meshgrid(xs, ys), axis=-1))
    source = low_pass(luminance(reference), magnification(where))
    edge = cv2.BORDER_REPLICATE
    coordinates = where.astype(np.float32)
    warped = cv2.remap(source, coordinates, None, cv2.INTER_CUBIC, borderMode=edge)
    inside = ((where >= 0) & (where <= np.array(size_of(reference)) - 1)).all(axis=-1)
    total, shifts = 0, []
    for y in range(0, height - WINDOW + 1, WINDOW):
        for x in range(0, width - WINDOW + 1, WINDOW):
            area = np.s_[y : y + WINDOW + 2 * MAX_SHIFT, x : x + WINDOW + 2 * MAX_SHIFT]
            if inside[area][MAX_SHIFT:-MAX_SHIFT, MAX_SHIFT:-MAX_SHIFT].all():
                total += 1
                shifts += search(grey[y : y + WINDOW, x : x + WINDOW], warped[area])
    return total, shifts


def search(window: Array, area: Array) -> list[float]:
    """The shift of the best correlation, in px; nothing where the window is flat or differs."""
    if window.std() < MIN_DEVIATION:
        return []
    _, best, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(area, window, cv2.TM_CCOEFF_NORMED))
    return [float(np.hypot(x - MAX_SHIFT, y - MAX_SHIFT))] if best > MIN_NCC else []


def score(route: str, pairs: list[Pair], root: Path, phone: str) -> dict[str, Any]:
    """The row of one route.

    Returns:
        Counts of pairs and windows, [median, 95th percentile] of the remaining shift and, where
        the truth is known, of the error over all aligned pairs, in phone px.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        results, peak = pool.submit(align_all, route, pairs).result()
    cv2.setNumThreads(1)
    row: dict[str, Any] = {"route": route, "pairs": len(pairs), "wrong": [], "refused": {}}
    windows, shifts, errors = 0, [], []
    for pair, result in zip(pairs, results, strict=True):
        if result.mapping is None:
            row["refused"][pair.stem] = result.reason
            continue
        total, moved = judge(read_photo(pair.phone), read_photo(pair.reference), result.mapping)
        windows, shifts = windows + total, shifts + moved
        if len(moved) <= WRONG * total:
            row["wrong"].append(pair.stem)
        else:
            errors += true_errors(root, phone, pair.stem, result.mapping)
    row["aligned"] = len(pairs) - len(row["wrong"]) - len(row["refused"])
    row |= {"kept": len(shifts), "windows": windows, "shift_px": spread(shifts)}
    row |= {"error_px": spread(errors), "seconds": float(np.median([r.seconds for r in results]))}
    return row | {"peak_mb": peak}


def true_errors(root: Path, phone: str, stem: str, mapping: Mapping) -> list[float]:
    """Distances from the truth, phone px, where the rig recorded it."""
    if not (root / "truth.h5").is_file():
        return []
    with open_hdf5(root / "truth.h5", FileKind.RIG_TRUTH) as truth:
        pose = load_pose(truth[f"{phone}/{stem}"])
        other = load_pose(truth[f"{truth.attrs['reference']}/{stem}"])
    errors = crop_errors(replace(mapping, crop=true_crop(pose, other)), pose, other)
    return [float(error) for error in errors]


def true_crop(pose: Pose, reference: Pose, step: int = 4) -> tuple[int, int, int, int]:
    """The largest upright rectangle of phone pixels that the reference camera saw too."""
    points = reference.from_scene(pose.to_scene(pixel_grid(pose.size, step)))
    valid_mask = ((points >= 0) & (points <= np.array(reference.size) - 1)).all(axis=-1)
    x0, y0, x1, y1 = (edge * step for edge in largest_rectangle(valid_mask))
    return x0, y0, x1, y1


def spread(values: list[float]) -> list[float] | None:
    """Median and 95th percentile."""
    return [float(v) for v in np.percentile(values, [50, 95])] if values else None


HEADER = """\
| route | aligned | wrong | refused | windows kept | remaining shift, px | error, px | s/pair | MB |
|---|---:|---:|---:|---:|---:|---:|---:|---:|"""


def line(row: dict[str, Any]) -> str:
    """One line of the table."""
    title = TITLES[row["route"]]
    if "install" in row:
        return f"| {title} | not installed: `{row['install']}` |" + " |" * 7
    pairs = [str(row["aligned"]), count(row.get("wrong")), count(row["refused"])]
    kept = f"{row['kept']} of {row['windows']}"
    pixels = [
        f"{value[0]:.2f}, {value[1]:.2f}" if (value := row.get(key)) else "-"
        for key in ("shift_px", "error_px")
    ]
    cells = [title, *pairs, kept, *pixels, f"{row['seconds']:.1f}", f"{row['peak_mb']:.0f}"]
    return f"| {' | '.join(cells)} |"


def count(pairs: Any) -> str:
    """How many pairs a row lists."""
    return "-" if pairs is None else str(len(pairs))


def compare(root: Path, phone: str, reference: str, names: list[str]) -> Iterator[dict[str, Any]]:
    """Run routes one after the other; yields their rows.

    Raises:
        UserError: no such route, or the folder holds no pairs.
    """
    pairs = find_pairs(root, phone, reference)[0]
    for name in names:
        if name not in TITLES:
            raise UserError(f"no route '{name}'; there are {', '.join(TITLES)}")
        if name == STORED:
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                yield pool.submit(stored, root.absolute(), phone, reference).result()
        elif ROUTES[name].missing():
            yield {"route": name, "install": ROUTES[name].install}
        else:
            yield score(name, pairs, root, phone)


def main(
    root: Annotated[Path, typer.Option(help="Folder of photo folders; it is only read.")],
    phone: Annotated[str, typer.Option(help="The phone's folder.")] = "iphone",
    reference: Annotated[str, typer.Option(help="The better camera's folder.")] = "canon",
    route: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(TITLES)}.")] = None,
    out: Annotated[Path | None, typer.Option(help="Writes OUT.json and OUT.md.")] = None,
) -> None:
    """Compare aligners on the photo pairs of one folder."""
    rows = []
    typer.echo(HEADER)
    try:
        for row in compare(root, phone, reference, route or list(TITLES)):
            typer.echo(line(row))
            rows.append(row)
    except UserError as error:
        sys.exit(f"error: {error}")
    if out:
        write_json(out.with_suffix(".json"), {"rows": rows})
        out.with_suffix(".md").write_text("\n".join([HEADER, *map(line, rows)]) + "\n")


if __name__ == "__main__":
    typer.run(main)
