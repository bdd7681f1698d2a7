"""Memory and time of `enhance` and `upscale`, and whether tiles give what the whole photo gives.

Usage:
    python benchmarks/enhancing.py memory [--megapixels 48]
    python benchmarks/enhancing.py size [--largest 100]
    python benchmarks/enhancing.py equality [--megapixels 12]

The photo is a sample photo, enlarged, with fine noise.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import pyvips
import torch
import typer
from rich.console import Console
from rich.table import Table

from ppcn.inference.predictor import Predictor
from ppcn.inference.tiled import assemble
from ppcn.photos.photo_file import PhotoFile
from ppcn.photos.raw_photo import RawPhoto

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "data/sample/casa-mila.jpg"
MB = 2**20
# So little that every photo is computed in tiles.
IN_TILES = 128

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Megapixels = Annotated[float, typer.Option(help="Size of the photo.")]


@app.command()
def memory(megapixels: Megapixels = 48) -> None:
    """Peak memory of the whole program, which the system counts."""
    table = Table("command", "photo", "peak RSS, MB", "seconds")
    with photo_of(megapixels) as photo:
        for command in (
            ["enhance", "--weights", "iphone-3gs"],
            ["enhance", "--weights", "any"],
            ["upscale"],
        ):
            size = megapixels if command[0] == "enhance" else megapixels / 4
            with photo_of(size) as smaller:
                path = photo if command[0] == "enhance" else smaller
                peak, seconds = run([*command, str(path)], path.parent / "out")
            table.add_row(" ".join(command), f"{size:g} MP", f"{peak:.0f}", f"{seconds:.1f}")
    Console().print(table)


@app.command()
def size(largest: Annotated[float, typer.Option(help="Megapixels.")] = 100) -> None:
    """Time against size, in tiles and as memory allows."""
    table = Table("weights", "photo", "s a MP, in tiles", "s a MP, as memory allows")
    sizes = [s for s in (1, 3, 12, 48, 100) if s <= largest]
    for weights in ("iphone-3gs", "any"):
        for megapixels in sizes:
            with photo_of(megapixels) as photo:
                seconds = [pixels_only(photo, weights, memory) for memory in (IN_TILES * MB, None)]
            row = [f"{s / megapixels:.3f}" for s in seconds]
            table.add_row(weights, f"{megapixels:g} MP", *row)
    Console().print(table)


@app.command()
def equality(megapixels: Megapixels = 12) -> None:
    """Tiles against the whole photo at once."""
    table = Table("weights", "photo", "largest difference", "other grey levels")
    with photo_of(megapixels) as photo, tempfile.TemporaryDirectory() as scratch:
        raw = PhotoFile(photo).decode(Path(scratch))
        for weights in ("iphone-3gs", "any"):
            whole, tiled = (result(raw, weights, memory) for memory in (2**50, IN_TILES * MB))
            other = levels(whole) != levels(tiled)
            largest = float(np.abs(whole - tiled).max())
            share = f"{other.mean():.1e}"
            table.add_row(weights, f"{megapixels:g} MP", f"{largest:.1e}", share)
    Console().print(table)


@contextmanager
def photo_of(megapixels: float) -> Iterator[Path]:
    """A JPEG of so many megapixels, 4:3."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        sample = pyvips.Image.new_from_file(str(SAMPLE))
        height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
        width = round(height * 4 / 3)
        large = sample.resize(width / sample.width, vscale=height / sample.height)
        noise = pyvips.Image.gaussnoise(large.width, large.height, sigma=6, mean=0)
        (large + noise).cast("uchar").copy(interpretation="srgb").jpegsave(str(path), Q=92)
        yield path


def run(command: list[str], out: Path) -> tuple[float, float]:
    """Peak memory in MB and seconds of a command in a process of its own."""
    arguments = [sys.executable, "-m", "pipeline", *command, "--overwrite", "--out", str(out)]
    started = time.perf_counter()
    process = os.posix_spawn(sys.executable, arguments, os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return usage.ru_maxrss / 1024, time.perf_counter() - started


def pixels_only(photo: Path, weights: str, memory: int | None) -> float:
    """Seconds that the network takes, decoding and encoding left out."""
    with tempfile.TemporaryDirectory() as scratch:
        raw = PhotoFile(photo).decode(Path(scratch))
        predictor = Predictor(weights, "enhance", memory)
        started = time.perf_counter()
        for _ in predictor.pieces(raw, lambda done, total: None):
            pass
        return time.perf_counter() - started


def result(raw: RawPhoto, weights: str, memory: int) -> np.ndarray:
    """The photo through a network."""
    predictor = Predictor(weights, "enhance", memory)
    return assemble(predictor.pieces(raw, lambda done, total: None), raw.height, raw.width)


def levels(image: np.ndarray) -> np.ndarray:
    """What 8 bits would hold."""
    return np.rint(image.clip(0, 1) * 255)


if __name__ == "__main__":
    torch.set_num_threads(2)
    app()
