"""What `enhance` and `upscale` share: many photos in, better photos out."""

import glob
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli.progress import showing
from ppcn.errors import UserError
from ppcn.inference.predictor import Predictor
from ppcn.photos.formats import (
    SUFFIXES,
    WRITTEN,
    EncodeOptions,
    Subsampling,
    has_photo_suffix,
    result_suffix,
)
from ppcn.photos.photo_file import PhotoFile

logger = logging.getLogger(__name__)

MEGABYTE = 2**20

if TYPE_CHECKING:
    Format = str
else:
    # From the table of formats, which mypy cannot evaluate.
    Format = Literal["same", *WRITTEN]

Photos = Annotated[
    list[str],
    typer.Argument(metavar="PHOTO...", help="Photos, folders of photos, or patterns like '*.jpg'."),
]
Out = Annotated[Path, typer.Option(help="Folder for the results; folders within are kept.")]
FileFormat = Annotated[Format, typer.Option("--format", help="Kind of file of the results.")]
Quality = Annotated[int, typer.Option(min=1, max=100, help="Of JPEG and WebP.")]
Subsample = Annotated[
    Subsampling, typer.Option(help="Of JPEG's colours; auto is 4:4:4 from quality 90 on.")
]
Compare = Annotated[bool, typer.Option(help="Write photo and result side by side, too.")]
Overwrite = Annotated[bool, typer.Option(help="Replace results that are already there.")]
Memory = Annotated[
    int | None,
    typer.Option(min=8, help="MB for feature maps; a fifth of what is free by default."),
]


@dataclass(frozen=True)
class Job:
    """One photo and where its result goes."""

    photo: Path
    out: Path

    @property
    def comparison(self) -> Path:
        """Where photo and result go side by side."""
        return self.out.with_name(f"{self.out.stem}.compare.jpg")


@dataclass(frozen=True)
class Wanted:
    """What is wanted of all photos."""

    form: EncodeOptions
    compare: bool
    overwrite: bool
    strength: float = 1.0


def megabytes(memory: int | None) -> int | None:
    """Bytes of the option `--memory`."""
    return memory and memory * MEGABYTE


def find_jobs(photos: Sequence[str], out: Path, kind: str) -> list[Job]:
    """Every photo once, in the order given, with its place under `out`.

    Raises:
        UserError: nothing found, or two photos whose results would have one name.
    """
    jobs: dict[Path, Job] = {}
    for photo, relative in _find(photos, out):
        job = Job(photo, out / relative.with_suffix(_suffix(photo, kind)))
        if job.out.resolve() == photo.resolve():
            raise UserError(f"{photo}: would be replaced by its result; name another --out")
        other = jobs.setdefault(job.out, job)
        if other.photo.resolve() != photo.resolve():
            raise UserError(f"{photo}: its result would replace that of {other.photo}; rename one")
    return list(jobs.values())


def run_jobs(jobs: Sequence[Job], predictor: Predictor, wanted: Wanted) -> None:
    """Improve photo after photo; those that cannot be are told of at the end.

    Raises:
        UserError: some photos failed.
    """
    due = [job for job in jobs if wanted.overwrite or not job.out.exists()]
    if there := len(jobs) - len(due):
        typer.echo(f"{there} of {len(jobs)} results are already there; --overwrite replaces them")
    failures: list[str] = []
    cameras: set[str] = set()
    for number, job in enumerate(due, start=1):
        try:
            _run_job(job, predictor, wanted, f"{number}/{len(due)} {job.photo.name}", cameras)
        except UserError as error:
            failures.append(str(error))
    if failures:
        listed = "\n  ".join(failures)
        raise UserError(f"{len(failures)} of {len(due)} photos failed:\n  {listed}")
    typer.echo(f"{len(due)} photos written")


def _run_job(job: Job, predictor: Predictor, wanted: Wanted, title: str, cameras: set[str]) -> None:
    photo = PhotoFile(job.photo)
    camera = photo.metadata.camera()
    if not predictor.knows(camera) and camera not in cameras:
        cameras.add(camera)
        trained = ", ".join(predictor.facts["cameras"])
        logger.warning("%s: taken by %s, the weights know %s", job.photo, camera, trained)
    comparison = job.comparison if wanted.compare else None
    with showing(title) as report:
        predictor.predict(
            photo,
            job.out,
            wanted.form,
            lambda done, total: report(done, total, {}),
            wanted.strength,
            comparison,
        )


def _find(photos: Sequence[str], out: Path) -> Iterator[tuple[Path, Path]]:
    """Photos, and their paths below the folder or pattern that they were found by."""
    for name in photos:
        path = Path(name)
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if _is_photo(p, out))
            if not found:
                raise UserError(f"{path}: holds no photo ({', '.join(SUFFIXES)})")
            yield from ((photo, photo.relative_to(path)) for photo in found)
        elif path.exists() or not glob.has_magic(name):
            yield path, Path(path.name)
        else:
            matching = [Path(p) for p in sorted(glob.glob(name, recursive=True))]
            matching = [p for p in matching if _is_photo(p, out)]
            if not matching:
                raise UserError(f"{name}: matches no photo")
            yield from ((photo, Path(photo.name)) for photo in matching)


def _is_photo(path: Path, out: Path) -> bool:
    hidden = path.name.startswith(".")
    known = has_photo_suffix(path)
    return path.is_file() and known and not hidden and out.resolve() not in path.resolve().parents


def _suffix(photo: Path, kind: str) -> str:
    return result_suffix(photo) if kind == "same" else f".{kind}"
