"""Time, memory and mistakes of `align` and `patches`.

Usage:
    python benchmarks/pair_builder.py cost ROOT --phone iphone --reference sony
    python benchmarks/pair_builder.py many [--pairs 2000]
    python benchmarks/pair_builder.py strangers ROOT --phone iphone --reference sony

`cost` runs both stages with one worker and with two and compares the files they write. `many` does
so for rendered pairs, and for a quarter of them. `strangers` offers pairs that do not belong
together. Stages are measured from outside, as processes.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from filecmp import cmp
from functools import partial
from pathlib import Path
from typing import Annotated

import cv2
import psutil
import typer

from ppcn.dataset.pairs import find_pairs
from ppcn.params import Params
from ppcn.photos.decode import list_photos, read_photo
from ppcn.registration.alignment import Alignment
from ppcn.registration.register import align_pair
from ppcn.rig.camera import place_camera, random_stream, record

REPOSITORY = Path(__file__).parents[1]
PARAMS = REPOSITORY / "params.yaml"
Folder = Annotated[Path, typer.Argument(help="Folder of photo folders.")]
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Cost:
    """What a command took: wall-clock and CPU seconds, peak MB of the program and of a worker."""

    wall: float
    cpu: float
    program: float
    worker: float


def measure(command: list[str]) -> Cost:
    """Run a command and watch its processes."""
    started = time.perf_counter()
    running = psutil.Popen(command, stdout=subprocess.DEVNULL)
    peaks: dict[int, float] = {}
    cpu: dict[int, float] = {}

    def watch() -> None:
        while running.is_running() and running.status() != psutil.STATUS_ZOMBIE:
            with suppress(psutil.NoSuchProcess):
                for process in (running, *running.children(recursive=True)):
                    peaks[process.pid] = max(peaks.get(process.pid, 0), process.memory_info().rss)
                    times = process.cpu_times()
                    cpu[process.pid] = times.user + times.system
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    if running.wait():
        raise SystemExit(f"{' '.join(command)} failed")
    watcher.join()
    program = peaks.pop(running.pid)
    megabytes = (program / 2**20, max(peaks.values(), default=program) / 2**20)
    return Cost(time.perf_counter() - started, sum(cpu.values()), *megabytes)


def stages(root: Path, phone: str, reference: str, workers: int, out: Path) -> dict[str, Cost]:
    """Measure both stages; their files go to `out`."""
    common = [f"--phone={phone}", f"--root={root}", f"--reference={reference}"]
    common += [f"--workers={workers}", f"--params={PARAMS}"]
    places = {
        "align": [f"--out={out}/aligned.h5", f"--metrics={out}/align.json"],
        "patches": [
            *(f"--aligned={out}/aligned.h5", f"--out={out}/patches.h5"),
            *(f"--metrics={out}/patches.json", f"--quicklook={out}/quicklook"),
        ],
    }
    program = [sys.executable, "-m", "pipeline"]
    return {name: measure([*program, name, *common, *place]) for name, place in places.items()}


def compare(root: Path, phone: str, reference: str, pairs: int) -> None:
    """Print the cost with one worker and with two, and whether the files are the same."""
    with tempfile.TemporaryDirectory() as folder:
        outs = {workers: Path(folder) / str(workers) for workers in (1, 2)}
        costs = {n: stages(root, phone, reference, n, out) for n, out in outs.items()}
        same = all(cmp(outs[1] / f, outs[2] / f, False) for f in ("aligned.h5", "patches.h5"))
    print(f"{pairs} pairs    wall s/pair  CPU s/pair  program MB  worker MB")
    for workers, by_stage in costs.items():
        for name, cost in by_stage.items():
            each = f"{cost.wall / pairs:11.3f} {cost.cpu / pairs:11.3f}"
            print(f"{name:8} x{workers} {each} {cost.program:11.0f} {cost.worker:10.0f}")
    wall = {n: sum(cost.wall for cost in by_stage.values()) for n, by_stage in costs.items()}
    print(f"2 workers against 1: {wall[1] / wall[2]:.2f}x; files the same: {same}")


@app.command()
def cost(root: Folder, phone: str = "iphone", reference: str = "canon") -> None:
    """Both stages on a folder of photos."""
    compare(root, phone, reference, len(find_pairs(root, phone, reference)[0]))


@app.command()
def many(pairs: int = 2000, seed: int = 0) -> None:
    """Both stages on rendered pairs, and on a quarter of them."""
    with tempfile.TemporaryDirectory() as folder:
        for number in (pairs // 4, pairs):
            root = Path(folder) / str(number)
            with ProcessPoolExecutor() as pool:
                list(pool.map(partial(render, root, number, seed), range(len(scenes()))))
            compare(root, "iphone", "canon", number)


def scenes() -> list[Path]:
    """The sample scenes."""
    return list(list_photos(REPOSITORY / "data/sample").values())


def render(root: Path, pairs: int, seed: int, scene: int) -> None:
    """Photograph one scene from its share of the places; small photos, so that many fit."""
    cv2.setNumThreads(1)
    params = Params.load(PARAMS)
    sizes = {"iphone": (480, 360), "canon": (600, 400)}
    cameras = {
        "iphone": params.phones["iphone"] or params.rig.reference,
        "canon": params.rig.reference,
    }
    picture = read_photo(scenes()[scene])
    picture = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    for number in range(scene, pairs, len(scenes())):
        for name, (width, height) in sizes.items():
            change = {"width": width, "height": height, "translation": 8, "parallax": 1}
            camera = cameras[name].model_copy(update=change)
            random = random_stream(seed, name, str(number))
            pose = place_camera(camera, (picture.shape[1], picture.shape[0]), random)
            path = root / name / f"{number:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(record(picture, camera, pose, random))


@app.command()
def strangers(root: Folder, phone: str = "iphone", reference: str = "canon") -> None:
    """Pairs of different photos and mirrored copies: none should be accepted."""
    cv2.setNumThreads(1)
    params = Params.load(PARAMS).align
    pairs = find_pairs(root, phone, reference)[0]
    phones = [read_photo(pair.phone) for pair in pairs]
    verdicts: Counter[str] = Counter()
    for shift in range(1, -(-60 // len(pairs)) + 1):
        for number, pair in enumerate(pairs):
            other = read_photo(pairs[(number + shift) % len(pairs)].reference)
            verdicts[f"other photo: {_verdict(align_pair(phones[number], other, params))}"] += 1
            if shift == 1:
                own = read_photo(pair.reference)
                for name, turned in (("mirrored", own[:, ::-1]), ("upside down", own[::-1])):
                    alignment = align_pair(phones[number], turned.copy(), params)
                    verdicts[f"{name}: {_verdict(alignment)}"] += 1
    for line, count in sorted(verdicts.items()):
        print(f"{count:4} {line}")


def _verdict(alignment: Alignment) -> str:
    return "ACCEPTED" if alignment.is_accepted else "rejected"


if __name__ == "__main__":
    app()
