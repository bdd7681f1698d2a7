"""Stage `rig`: what the reference camera and each phone would record of the sample scenes."""

import shutil
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, load_params
from pipeline.cli.processes import Workers, process_count
from pipeline.cli.progress import showing
from ppcn.errors import UserError
from ppcn.files.artifacts import create_hdf5, open_hdf5
from ppcn.jobs.pool import run_in_order
from ppcn.photos.decode import list_photos
from ppcn.rig.camera import SceneTask, record_scene, store_truth

# What a worker needs to render a scene of 8 megapixels, bytes.
BYTES_PER_SCENE = 1_000_000_000


def rig(
    out: Annotated[
        Path, typer.Option(help="Folder to write; what an earlier run left in it is replaced.")
    ] = Path("data/rig"),
    scenes: Annotated[Path, typer.Option(help="Folder of the scenes, as photos.")] = Path(
        "data/sample"
    ),
    workers: Workers = None,
    params_file: ParamsFile = None,
) -> None:
    """Render photo pairs with known geometry from the sample scenes.

    Each scene is photographed by the virtual cameras of params.yaml, the reference and the phones.
    """
    params = load_params(params_file)
    for phone in params.phones:
        params.check_photos_of(phone)
    reference = params.data.reference
    cameras = {reference: params.rig.reference}
    cameras |= {name: camera for name, camera in params.phones.items() if camera}
    for name in params.phones.keys() - cameras.keys():
        typer.echo(f"{name}: has no character in params.yaml, so its photos are your own")
    if foreign := _foreign_file(out):
        raise UserError(f"{foreign}: was not made by the rig; move it away or name another --out")
    tasks = [SceneTask(path, cameras, params.seed) for path in list_photos(scenes).values()]
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".rig-", dir=out.parent))
    try:
        _render(tasks, reference, scratch, process_count(workers, None, BYTES_PER_SCENE))
        scratch.chmod(0o755)
        shutil.rmtree(out, ignore_errors=True)
        scratch.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    typer.echo(f"rendered {len(tasks)} scenes with {', '.join(cameras)}")


def _render(tasks: list[SceneTask], reference: str, folder: Path, workers: int) -> None:
    with (
        showing("rig") as report,
        create_hdf5(folder / "truth.h5", {"reference": reference}) as truth,
        closing(run_in_order(record_scene, tasks, workers)) as scenes,
    ):
        for done, (task, shots) in enumerate(zip(tasks, scenes, strict=True), start=1):
            for name, (pose, photo) in shots.items():
                path = folder / name / f"{task.scene.stem}.jpg"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(photo)
                group = truth.create_group(f"{name}/{task.scene.stem}")
                store_truth(group, pose, shots[reference][0])
            report(done, len(tasks), {})


def _foreign_file(out: Path) -> Path | None:
    """A file in the folder that an earlier run did not write."""
    made = {out / "truth.h5"}
    if (out / "truth.h5").is_file():
        with open_hdf5(out / "truth.h5", None) as truth:
            made |= {out / name / f"{stem}.jpg" for name in truth for stem in truth[name]}
    return next((path for path in out.rglob("*") if path.is_file() and path not in made), None)
