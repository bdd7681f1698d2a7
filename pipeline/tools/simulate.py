"""Command `simulate`: pairs for cameras of which there are none, out of good photos."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ParamsFile, load_params
from pipeline.cli.processes import Workers, process_count
from pipeline.cli.progress import counted, showing
from ppcn.dataset.patch_set import PatchWriter
from ppcn.dataset.scenes import scenes_of_files
from ppcn.dataset.simulated import SimulateTask, simulate_patches
from ppcn.dataset.splits import assign_splits
from ppcn.errors import UserError
from ppcn.files.artifacts import create_hdf5
from ppcn.jobs.pool import run_in_order
from ppcn.photos.decode import list_photos

# What a worker needs for a photo of 50 megapixels, bytes.
BYTES_PER_PHOTO = 500_000_000


def simulate(
    photos: Annotated[
        Path, typer.Option(help="Folder of good photos of many kinds, by whatever cameras.")
    ],
    out: Annotated[Path, typer.Option(help="Patch set to write.")] = Path(
        "data/patches/simulated.h5"
    ),
    workers: Workers = None,
    params_file: ParamsFile = None,
) -> None:
    """Make pairs for cameras of which there are none.

    A pair is a window of a good photo and what a random camera would have recorded of it. Give
    the patch set to training beside that of a phone: --also data/patches/simulated.h5.
    """
    params = load_params(params_file)
    listed = list_photos(photos)
    with showing("simulate scenes") as report:
        scenes = scenes_of_files(counted(listed.items(), len(listed), report))
    split = params.simulate.split
    splits = assign_splits(list(listed), split, params.seed, "simulate.split", scenes)
    tasks = [SimulateTask(path, params.simulate, params.seed) for path in listed.values()]
    processes = process_count(workers, None, BYTES_PER_PHOTO)
    values = {"seed": params.seed, **params.simulate.model_dump()}
    attributes = {"phone": "simulated", "reference": photos.name, "params": values}
    small = []
    with create_hdf5(out, attributes) as file:
        writer = PatchWriter(file, list(listed), params.simulate.size)
        with (
            showing("simulate") as report,
            closing(run_in_order(simulate_patches, tasks, processes)) as results,
        ):
            for number, (stem, patches) in enumerate(zip(listed, results, strict=True)):
                writer.add(number, splits[stem], patches)
                small += [] if patches else [stem]
                report(number + 1, len(listed), {"pairs": writer.count})
        if not writer.count:
            raise UserError(f"{photos}: no photo is as large as simulate.size; lower it")
    if small:
        typer.echo(f"{len(small)} photos are smaller than a window: {', '.join(small[:5])}")
    typer.echo(f"{writer.count} pairs of {len(listed) - len(small)} photos in {out}")
