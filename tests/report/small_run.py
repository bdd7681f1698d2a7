"""A run at the smallest size: real pairs, alignments, patches and scores, untrained networks."""

from pathlib import Path

from conftest import make_network, render_rig, run, textured

from ppcn.dataset.sr_set import write_photos
from ppcn.files.artifacts import create_hdf5, write_csv
from ppcn.photos.resize import shrink
from ppcn.weights import save_weights

SCENES = ("casa-mila", "perched-osprey", "roman-colosseum")
NASTY = "<b>two"


def make_run(folder: Path) -> None:
    """Everything that the report reads."""
    render_rig(folder, SCENES)
    for stage, network in (("teacher", "ppcn_teacher"), ("student", "ppcn_student")):
        save_network(folder / f"data/models/{stage}/iphone.safetensors", network)
        write_log(folder / f"metrics/{stage}/iphone.csv", 20)
    save_network(folder / "data/models/sr/ppcn_sr.safetensors", "ppcn_sr")
    write_log(folder / "metrics/sr/ppcn_sr.csv", 25)
    photos = {name: textured(96, 128, seed) for seed, name in enumerate(("one", NASTY))}
    (folder / "data/sr").mkdir()
    with create_hdf5(folder / "data/sr/valid.h5", {}) as file:
        write_photos(file, ((name, hr, shrink(hr)) for name, hr in photos.items()))
    for stage in ("align", "patches", "accuracy", "evaluate"):
        done = run(folder, stage, "--phone", "iphone")
        assert done.returncode == 0, done.stderr
    done = run(folder, "evaluate-sr")
    assert done.returncode == 0, done.stderr


def save_network(path: Path, name: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(path, name, make_network(name), {})


def write_log(path: Path, psnr: float) -> None:
    rows = [{"step": 50 * n, "loss": 400.0 / n, "psnr": psnr + n} for n in range(1, 5)]
    write_csv(path, rows)
