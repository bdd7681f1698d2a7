"""What `enhance` and `upscale` share: their options, and many photos through a network."""

import functools
import glob
import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipeline.cli.photo_weights import choose_weights, describe_choice
from pipeline.cli.progress import showing
from pipeline.cli.runtimes import Calibrate, PrecisionOption, RuntimeOption, calibration
from ppcn.errors import UserError
from ppcn.inference.predictor import Predictor, Task, TaskError
from ppcn.inference.runtimes import make_runtime
from ppcn.photos.formats import (
    SUFFIXES,
    WRITTEN,
    EncodeOptions,
    Subsampling,
    has_photo_suffix,
    result_suffix,
)
from ppcn.photos.photo_file import PhotoFile
from ppcn.weights.shipped import AUTO

logger = logging.getLogger(__name__)

MEGABYTE = 2**20

if TYPE_CHECKING:
    ResultFormat = str
else:
    # From the table of formats, which mypy cannot evaluate.
    ResultFormat = Literal["same", *WRITTEN]

Out = Annotated[
    Path,
    typer.Option(
        help="Folder for the results, which lie in it as the photos lie in the folders given."
    ),
]


@dataclass(frozen=True)
class PhotoOptions:
    """The options that both commands have; `with_photo_options` declares them."""

    photos: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO...", help="Photos, folders of photos, or patterns like '*.jpg'."
        ),
    ]
    file_format: Annotated[
        ResultFormat,
        typer.Option(
            "--format",
            help="Format of the results; 'same' is each photo's own, where it can be written.",
        ),
    ] = "same"
    quality: Annotated[
        int, typer.Option(min=1, max=100, help="Quality of JPEG and WebP files, 1 to 100.")
    ] = 95
    subsampling: Annotated[
        Subsampling,
        typer.Option(
            help="Chroma subsampling of JPEG files; 'auto' is 4:4:4 from quality 90 on, else 4:2:0."
        ),
    ] = "auto"
    compare: Annotated[
        bool, typer.Option(help="Also write each photo and its result side by side, as a JPEG.")
    ] = False
    overwrite: Annotated[
        bool, typer.Option(help="Replace results that exist instead of skipping their photos.")
    ] = False
    memory: Annotated[
        int | None,
        typer.Option(
            min=8,
            help="Memory that the network's feature maps may take, in MB; by default a fifth of "
            "what is free.",
        ),
    ] = None
    runtime: RuntimeOption = "torch"
    precision: PrecisionOption = "float32"
    calibrate: Calibrate = None


def with_photo_options(command: Callable[..., None]) -> Callable[..., None]:
    """Declare the fields of `PhotoOptions` as options of a command that takes `options`."""
    argument, *shared = inspect.signature(PhotoOptions).parameters.values()
    own = inspect.signature(command).parameters.values()

    @functools.wraps(command)
    def run(**values: Any) -> None:
        options = {p.name: values.pop(p.name) for p in (argument, *shared)}
        command(options=PhotoOptions(**options), **values)

    declared = [argument, *(p for p in own if p.name != "options"), *shared]
    named = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in declared]
    vars(run)["__signature__"] = inspect.Signature(named)
    return run


@dataclass(frozen=True)
class Job:
    """One photo and where its result goes."""

    photo: Path
    out: Path

    @property
    def comparison(self) -> Path:
        """Where photo and result go side by side."""
        return self.out.with_name(f"{self.out.stem}.compare.jpg")


def process_photos(
    options: PhotoOptions, out: Path, task: Task, weights: str, strength: float = 1.0
) -> None:
    """Put photos through networks and write the results.

    Args:
        options: which photos, and how to compute and write.
        out: folder for the results.
        task: what the network is to do.
        weights: name of weights that come with this package, a weights file, or "auto" to
            enhance each photo with those for its camera.
        strength: 0..1, of enhancement.

    Raises:
        UserError: no photo, no such weights or for the other task, or some photos failed.
    """
    jobs = _find_jobs(options.photos, out, options.file_format)
    due = [job for job in jobs if options.overwrite or not job.out.exists()]
    if existing := len(jobs) - len(due):
        typer.echo(f"{existing} of {len(jobs)} results already exist; --overwrite replaces them")
    choices = choose_weights([job.photo for job in due], task, weights)
    names = dict.fromkeys(choice.weights for choice in choices)
    predictors = {name: _load_predictor(options, task, name) for name in names}
    if weights == AUTO and (line := describe_choice(choices)):
        typer.echo(line)
    failures: list[str] = []
    cameras: set[str] = set()
    for number, (job, choice) in enumerate(zip(due, choices, strict=True), start=1):
        predictor = predictors[choice.weights]
        title = f"{number}/{len(due)} {job.photo.name}"
        try:
            photo = PhotoFile(job.photo)
            _warn_of_camera(photo, predictor, cameras)
            _run_job(photo, job, predictor, options, strength, title)
        except UserError as error:
            failures.append(str(error))
    if failures:
        listed = "\n  ".join(failures)
        raise UserError(f"{len(failures)} of {len(due)} photos failed:\n  {listed}")
    typer.echo(f"{len(due)} photos written")


def _load_predictor(options: PhotoOptions, task: Task, weights: str) -> Predictor:
    memory = options.memory and options.memory * MEGABYTE
    runtime = make_runtime(options.runtime, options.precision)
    patches = calibration(options.precision == "int8", options.calibrate)
    try:
        return Predictor(weights, task, memory, runtime, patches)
    except TaskError as error:
        raise UserError(f"{error}; use it with '{error.task}'") from None


def _warn_of_camera(photo: PhotoFile, predictor: Predictor, cameras: set[str]) -> None:
    """Say so, once for each camera, where weights were trained on photos of others."""
    camera = photo.metadata.camera()
    if not predictor.knows(camera) and camera not in cameras:
        cameras.add(camera)
        known = ", ".join(predictor.facts["cameras"])
        logger.warning("%s: taken by %s, the weights know %s", photo.path, camera, known)


def _run_job(
    photo: PhotoFile,
    job: Job,
    predictor: Predictor,
    options: PhotoOptions,
    strength: float,
    title: str,
) -> None:
    with showing(title) as report:
        predictor.predict(
            photo,
            job.out,
            EncodeOptions(options.quality, options.subsampling),
            lambda done, total: report(done, total, {}),
            strength,
            job.comparison if options.compare else None,
        )


def _find_jobs(photos: Sequence[str], out: Path, file_format: str) -> list[Job]:
    """Every photo once, in the order given, with its place under `out`.

    Raises:
        UserError: no photo, or two whose results would have one name.
    """
    jobs: dict[Path, Job] = {}
    for photo, relative in _find_photos(photos, out):
        suffix = result_suffix(photo) if file_format == "same" else f".{file_format}"
        job = Job(photo, out / relative.with_suffix(suffix))
        if job.out.resolve() == photo.resolve():
            raise UserError(f"{photo}: would be replaced by its result; name another --out")
        other = jobs.setdefault(job.out, job)
        if other.photo.resolve() != photo.resolve():
            raise UserError(f"{photo}: its result would replace that of {other.photo}; rename one")
    return list(jobs.values())


def _find_photos(photos: Sequence[str], out: Path) -> Iterator[tuple[Path, Path]]:
    """Photos, and their paths below the folder or pattern that they were found by."""
    for name in photos:
        path = Path(name)
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if _is_photo(p, out))
            if not inside:
                raise UserError(f"{path}: holds no photo ({', '.join(SUFFIXES)})")
            yield from ((photo, photo.relative_to(path)) for photo in inside)
        elif path.exists() or not glob.has_magic(name):
            yield path, Path(path.name)
        else:
            matching = [Path(p) for p in sorted(glob.glob(name, recursive=True))]
            matching = [p for p in matching if _is_photo(p, out)]
            if not matching:
                raise UserError(f"{name}: matches no photo")
            yield from ((photo, Path(photo.name)) for photo in matching)


def _is_photo(path: Path, out: Path) -> bool:
    """Whether a file is named as photos are, not hidden, and no result of an earlier run."""
    hidden = path.name.startswith(".")
    result = out.resolve() in path.resolve().parents
    return path.is_file() and has_photo_suffix(path) and not hidden and not result
