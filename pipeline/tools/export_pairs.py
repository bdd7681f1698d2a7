"""Command `export-pairs`: aligned photos and patches as files that other trainers read."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from pipeline.cli.json_output import with_json
from pipeline.cli.options import (
    ParamsFile,
    Phone,
    Root,
    check_phone,
    load_params,
    usual_patches,
)
from pipeline.cli.processes import Workers, process_count
from pipeline.cli.progress import showing
from ppcn.dataset.aligned_photos import PhotoFormat
from ppcn.dataset.pairs import memory_of
from ppcn.errors import UserError
from ppcn.files.export_folder import ExportFolder
from ppcn.files.versions import versions_of
from ppcn.jobs.cache import scratch_for
from ppcn.jobs.export_contents import (
    PHOTOS,
    PatchContents,
    PhotoContents,
    contents_of_patches,
    contents_of_photos,
)
from ppcn.jobs.export_pair import export_patches, export_photos
from ppcn.jobs.pool import run_in_order

# What a worker needs to write patches, bytes.
BYTES_FOR_PATCHES = 250_000_000
LIBRARIES = ("ppcn", "opencv", "numpy", "pyvips")
Out = Annotated[
    Path,
    typer.Option(help="Folder to write: a new or an empty one, or that of an earlier export."),
]
Aligned = Annotated[
    Path | None, typer.Option(help="Alignment file to read; by default data/aligned/PHONE.h5.")
]
Format = Annotated[
    PhotoFormat,
    typer.Option(
        "--format",
        help="File format of photos: png has 8 bits, tiff keeps the 16 bits of photos that have "
        "them. Masks and patches are PNG.",
    ),
]
Crop = Annotated[
    bool,
    typer.Option("--crop", help="Write the common part of both photos alone, not whole photos."),
]
Photos = Annotated[bool, typer.Option(help="Whether to write the aligned photos and their masks.")]
Patches = Annotated[
    bool, typer.Option("--patches", help="Write the patch set, too, as folders of PNG files.")
]
PatchSetFile = Annotated[
    Path | None,
    typer.Option(
        help="Patch set that --patches reads; by default PHONE.h5 in the folder data.patches."
    ),
]
Task = TypeVar("Task")
Result = TypeVar("Result")


@with_json
def export_pairs(
    phone: Phone,
    out: Out,
    root: Root = None,
    aligned: Aligned = None,
    photo_format: Format = "png",
    crop: Crop = False,
    photos: Photos = True,
    patches: Patches = False,
    patch_set: PatchSetFile = None,
    workers: Workers = None,
    params_file: ParamsFile = None,
) -> Mapping[str, Any]:
    """Write aligned photos and patches as files that other trainers read.

    Every accepted pair gives the phone's photo, the better camera's photo warped to it, and a mask
    of what that camera sees. Patches lie as BasicSR's PairedImageDataset reads them.

    The file export.json says what was exported from what and comes last: without it, an export is
    not whole. An interrupted one goes on with the next pair when it is repeated; patches begin
    again. An earlier export in the folder is replaced; other files are never touched.
    """
    params = load_params(params_file)
    _check_choice(photos, patches, patch_set)
    if photos:
        check_phone(params, phone, root)
    folder = ExportFolder(out)
    root, aligned = root or Path(params.data.root), aligned or Path(f"data/aligned/{phone}.h5")
    patch_set = patch_set or usual_patches(params, phone)
    with scratch_for(out / PHOTOS) as scratch:
        of_photos, of_patches = None, None
        if photos:
            tasks = (photo_format, crop, scratch)
            of_photos = contents_of_photos(aligned, root, phone, out, *tasks)
        if patches:
            of_patches = contents_of_patches(patch_set, out)
        contents = [some for some in (of_photos, of_patches) if some]
        folder.begin([name for some in contents for name in some.files])
        facts: dict[str, Any] = {"phone": phone, "versions": versions_of(LIBRARIES)}
        digests: dict[str, str] = {}
        if of_photos:
            facts["photos"] = _write_photos(of_photos, f"photos {phone}", workers, digests)
        if of_patches:
            facts["patches"] = _write_patches(of_patches, f"patches {phone}", workers, digests)
        folder.finish(facts, digests)
    return {"out": str(out), **facts}


def _check_choice(photos: bool, patches: bool, patch_set: Path | None) -> None:
    if patch_set and not patches:
        raise UserError("--patch-set serves --patches; give both")
    if not (photos or patches):
        raise UserError("--no-photos leaves nothing to export; give --patches, too")


def _write_photos(
    contents: PhotoContents, title: str, workers: int | None, digests: dict[str, str]
) -> dict[str, Any]:
    """Write the photos and note their digests; returns what they are."""
    processes = process_count(workers, None, memory_of(contents.pairs))
    results = _run(export_photos, contents.tasks, title, processes)
    for result in results:
        digests |= result.digests
    if cached := sum(result.was_cached for result in results):
        typer.echo(f"{cached} pairs had been done by an earlier run")
    typer.echo(f"wrote {len(results)} pairs of photos")
    return {**contents.facts, "pairs": [result.facts for result in results]}


def _write_patches(
    contents: PatchContents, title: str, workers: int | None, digests: dict[str, str]
) -> dict[str, Any]:
    """Write the patches and their lists and note their digests; returns what they are."""
    processes = process_count(workers, None, BYTES_FOR_PATCHES)
    for written in _run(export_patches, contents.tasks, title, processes):
        digests |= written
    digests |= contents.write_lists()
    counts = ", ".join(f"{number} {name}" for name, number in contents.counts.items())
    typer.echo(f"wrote {counts} patches")
    return {**contents.facts, "counts": contents.counts}


def _run(
    function: Callable[[Task], Result], tasks: Sequence[Task], title: str, processes: int
) -> list[Result]:
    """The results of all tasks, with progress shown."""
    results = []
    with (
        showing(title) as report,
        closing(run_in_order(function, tasks, processes)) as running,
    ):
        for result in running:
            results.append(result)
            report(len(results), len(tasks), {})
    return results
