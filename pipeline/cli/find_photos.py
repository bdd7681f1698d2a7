"""Which photos a command is to do, and where the results go."""

import glob
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ppcn.errors import UserError
from ppcn.photos.camera_raw import prefer_sidecars
from ppcn.photos.formats import (
    BY_NAME,
    SUFFIXES,
    WRITTEN,
    has_photo_suffix,
    result_suffix,
)
from ppcn.photos.photo_file import PhotoFile

logger = logging.getLogger(__name__)

# Bytes of a name, at most, in all common file systems.
LONGEST_NAME = 255
# Lists the results that lie in a folder, so that they are not taken for photos another time.
RESULTS = ".ppcn-results"
# Formats that are not written, and whose files may hold transparency.
MAY_BE_CUT_OUT = {*BY_NAME["AVIF"].suffixes, *BY_NAME["HEIF"].suffixes}


@dataclass(frozen=True)
class Job:
    """One photo and where its result goes.

    Attributes:
        photo: the photo.
        out: its result.
        problem: why it cannot be done, in a sentence; empty if nothing is known against it.
    """

    photo: Path
    out: Path
    problem: str = ""

    @property
    def comparison(self) -> Path:
        """Where photo and result go side by side."""
        return self.out.with_name(f"{self.out.stem}.compare.jpg")


def find_jobs(photos: Sequence[str], out: Path, file_format: str, task: str) -> list[Job]:
    """Every photo once, in the order given, with its place under `out`.

    Where two results would have one name, the photo that keeps its suffix keeps its name, and the
    other's result is named after its whole name: IMG_1.heic.jpg beside IMG_1.jpg.

    Args:
        photos: photos, folders and patterns.
        out: folder for the results, or the result itself of a single photo.
        file_format: of the results; "same" is each photo's own.
        task: what is done; earlier results of the same are left out.

    Raises:
        UserError: no photo, or `out` is a file and there are several.
    """
    listed = [*_find_photos(photos, out, task)]
    sources = {photo: relative for photo, relative in reversed(listed)}
    ordered = [*dict.fromkeys(photo for photo, _ in listed)]
    if is_file(out):
        if len(ordered) > 1:
            raise UserError(f"{out}: one file for {len(ordered)} photos; name a folder")
        return [_checked(Job(ordered[0], out), {})]
    jobs = [_job(photo, sources[photo], out, file_format) for photo in ordered]
    names = {job.out: job.photo for job in reversed(jobs)}
    names |= {j.out: j.photo for j in reversed(jobs) if j.photo.suffix == j.out.suffix}
    taken: dict[Path, Path] = {}
    return [_checked(_renamed(job, names), taken) for job in jobs]


def is_file(out: Path) -> bool:
    """Whether `--out` names a file to write rather than a folder."""
    return out.suffix.lower().removeprefix(".") in (*WRITTEN, "jpeg", "tif") and not out.is_dir()


def _job(photo: Path, relative: Path, out: Path, file_format: str) -> Job:
    suffix = f".{file_format}"
    if file_format == "same":
        suffix = result_suffix(photo, photo.suffix.lower() in MAY_BE_CUT_OUT and _has_alpha(photo))
    return Job(photo, out / relative.with_suffix(suffix))


def _has_alpha(photo: Path) -> bool:
    try:
        return PhotoFile(photo).has_alpha
    except UserError:
        return False


def _renamed(job: Job, names: dict[Path, Path]) -> Job:
    """A job whose result would replace another's is given a name of its own, if it can be."""
    if names[job.out] == job.photo or job.photo.suffix == job.out.suffix:
        return job
    return Job(job.photo, job.out.with_name(job.photo.name + job.out.suffix))


def _checked(job: Job, taken: dict[Path, Path]) -> Job:
    """A job with what is known against it from names alone."""
    other = taken.setdefault(job.out, job.photo)
    problem = ""
    if other != job.photo:
        problem = f"{job.photo}: its result would replace that of {other}; rename one"
    elif job.out.absolute() == job.photo.absolute() or _is_same(job):
        problem = f"{job.photo}: would be replaced by its result; name another --out"
    elif len(os.fsencode(job.out.name)) > LONGEST_NAME:
        problem = f"{job.photo}: the name of its result is too long; shorten the photo's"
    return Job(job.photo, job.out, problem)


def _is_same(job: Job) -> bool:
    try:
        return job.out.resolve() == job.photo.resolve()
    except OSError:
        return False


def _find_photos(photos: Sequence[str], out: Path, task: str) -> Iterator[tuple[Path, Path]]:
    """Photos, and their paths below the folder or pattern that they were listed by."""
    for name in photos:
        path = Path(name).expanduser()
        if path.is_dir():
            inside = _photos_among(sorted(path.rglob("*")), out, task)
            if not inside:
                raise UserError(f"{path}: holds no photo ({', '.join(SUFFIXES)})")
            yield from ((photo, photo.relative_to(path)) for photo in inside)
        elif not glob.has_magic(name) or _exists(path):
            yield path, Path(path.name)
        else:
            names = sorted(glob.glob(str(path), recursive=True))
            matching = _photos_among([*map(Path, names)], out, task)
            if not matching:
                raise UserError(f"{name}: matches no photo")
            yield from ((photo, Path(photo.name)) for photo in matching)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _photos_among(paths: Sequence[Path], out: Path, task: str) -> list[Path]:
    """Files that are named as photos are, not hidden, and no results of earlier runs."""
    folder = out.resolve()
    known: dict[Path, set[Path]] = {}
    photos = []
    for path in paths:
        if path.name.startswith(".") or not has_photo_suffix(path) or not path.is_file():
            continue
        place = path.resolve()
        results = {p for parent in place.parents for p in _results_in(parent, task, known)}
        if folder not in place.parents and place not in results:
            photos.append(path)
    kept, replaced = prefer_sidecars(photos)
    for raw, sidecar in replaced.items():
        logger.warning("%s: left out for %s beside it", raw, sidecar.name)
    return kept


def _results_in(folder: Path, task: str, known: dict[Path, set[Path]]) -> set[Path]:
    """The results of a task that a folder's list names."""
    if folder not in known:
        try:
            lines = (folder / RESULTS).read_text(errors="surrogateescape").splitlines()
        except OSError:
            lines = []
        named = [line.partition("\t")[2] for line in lines if line.startswith(f"{task}\t")]
        known[folder] = {folder / name for name in named}
    return known[folder]


def note_results(folder: Path, job: Job, task: str) -> None:
    """Enter a job's results in the list of a folder."""
    path = folder / RESULTS
    with path.open("a+", errors="surrogateescape") as file:
        file.seek(0)
        listed = set(file)
        for result in (job.out, job.comparison):
            line = f"{task}\t{result.relative_to(folder)}\n"
            if os.path.exists(result) and line not in listed:
                file.write(line)
