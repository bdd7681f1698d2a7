"""What `enhance` and `upscale` share: their options, and many photos through a network."""

import functools
import inspect
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipeline.cli.find_photos import LONGEST_NAME, Job, find_jobs, is_file, note_results
from pipeline.cli.photo_weights import choose_weights, describe_choice
from pipeline.cli.progress import showing
from pipeline.cli.runtimes import Calibrate, PrecisionOption, RuntimeOption, calibration
from ppcn.errors import UserError
from ppcn.inference.predictor import Predictor, Task, TaskError
from ppcn.inference.runtimes import make_runtime
from ppcn.photos.formats import WRITTEN, EncodeOptions, Subsampling
from ppcn.photos.photo_file import PhotoFile
from ppcn.weights.shipped import AUTO

logger = logging.getLogger(__name__)

MEGABYTE = 2**20
# Photos that a line about many names.
NAMED = 3

if TYPE_CHECKING:
    ResultFormat = str
else:
    # From the table of formats, which mypy cannot evaluate.
    ResultFormat = Literal["same", *WRITTEN]

Out = Annotated[
    Path,
    typer.Option(
        help="Folder for the results, which lie in it as the photos lie in the folders given; of a "
        "single photo also a file, such as better.jpg."
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
    strip: Annotated[
        bool,
        typer.Option(help="Leave out EXIF, XMP and all else but the picture and its colours."),
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


def process_photos(
    options: PhotoOptions, out: Path, task: Task, weights: str, strength: float = 1.0
) -> None:
    """Put photos through networks and write the results.

    All that can be known before a network runs is checked first. An error of one photo, of whatever
    kind, is that photo's: the others are done, and it is named at the end.

    Args:
        options: which photos, and how to compute and write.
        out: folder for the results, or the result of a single photo.
        task: what the network is to do.
        weights: name of weights that come with this package, a weights file, or "auto" to
            enhance each photo with those for its camera.
        strength: 0..1, of enhancement.

    Raises:
        UserError: no photo, no such weights or for the other task, or some photos failed.
    """
    jobs = find_jobs(options.photos, out, options.file_format, task)
    due = [job for job in jobs if job.problem or options.overwrite or not os.path.exists(job.out)]
    if existing := len(jobs) - len(due):
        say(f"{existing} of {len(jobs)} results already exist; --overwrite replaces them")
    choices = choose_weights([job.photo for job in due], task, weights)
    predictors: dict[str, Predictor] = {}
    if task == "upscale" and due:
        predictors[weights] = _load_predictor(options, task, weights)
    scale = predictors[weights].scale if predictors else 1
    failures = _Failures(len(due))
    possible = [
        (job, choice)
        for job, choice in zip(due, choices, strict=True)
        if failures.none_of(job, partial(_check, job, options, scale))
    ]
    failures.tell()
    for name in {choice.weights: None for _, choice in possible if task == "enhance"}:
        predictors[name] = _load_predictor(options, task, name)
    if weights == AUTO and (line := describe_choice([choice for _, choice in possible])):
        say(line)
    run = _Run(options, None if is_file(out) else out, task, strength)
    for number, (job, choice) in enumerate(possible, start=1):
        title = f"{number}/{len(possible)} {printable(job.photo.name)}"
        predictor = predictors[choice.weights]
        failures.none_of(job, partial(run.do, job, predictor, title))
    run.tell_dropped()
    failures.raise_any()
    say("1 photo written" if len(due) == 1 else f"{len(due)} photos written")


def _check(job: Job, options: PhotoOptions, scale: int) -> None:
    """Find out before the network runs whether a result, `scale` times as large, can be written."""
    if job.problem:
        raise UserError(job.problem)
    if options.compare and len(os.fsencode(job.comparison.name)) > LONGEST_NAME:
        raise UserError(f"{job.photo}: the name of its comparison is too long; shorten the photo's")
    PhotoFile(job.photo).check(job.out, scale, options.strip)


class _Failures:
    """Photos that failed, and why.

    Args:
        total: how many photos there are.
    """

    def __init__(self, total: int) -> None:
        self._messages: list[str] = []
        self._total = total

    def none_of(self, job: Job, do: Callable[[], None]) -> bool:
        """Do something for a photo; returns whether it worked, and notes why not."""
        try:
            do()
        except UserError as error:
            self._messages.append(str(error))
        # Whatever else goes wrong with one photo must not keep the others from being done.
        except Exception as error:
            logger.debug("%s", job.photo, exc_info=True)
            self._messages.append(f"{job.photo}: {type(error).__name__}: {error}")
        else:
            return True
        return False

    def tell(self) -> None:
        """Say which photos cannot be done, before the others are."""
        for message in self._messages if len(self._messages) < self._total else ():
            logger.warning("%s", printable(message))

    def raise_any(self) -> None:
        """Raise over all that failed.

        Raises:
            UserError: some did.
        """
        if self._messages:
            listed = "\n  ".join(map(printable, self._messages))
            raise UserError(f"{len(self._messages)} of {self._total} photos failed:\n  {listed}")


class _Run:
    """Photos put through networks one after the other.

    Args:
        options: how to compute and write.
        folder: where all results go; None where there is one, named by itself.
        task: what is done.
        strength: 0..1, of enhancement.
    """

    def __init__(
        self, options: PhotoOptions, folder: Path | None, task: Task, strength: float
    ) -> None:
        self._options, self._folder, self._task, self._strength = options, folder, task, strength
        self._cameras: set[str] = set()
        self._dropped: dict[str, list[str]] = {}

    def do(self, job: Job, predictor: Predictor, title: str) -> None:
        """Write the result of one photo."""
        photo = PhotoFile(job.photo)
        self._warn_of_camera(photo, predictor)
        options = self._options
        with showing(title) as report:
            dropped = predictor.predict(
                photo,
                job.out,
                EncodeOptions(options.quality, options.subsampling),
                lambda done, total: report(done, total, {}),
                self._strength,
                job.comparison if options.compare else None,
                options.strip,
            )
        if self._folder is not None:
            note_results(self._folder, job, self._task)
        for name in dropped:
            self._dropped.setdefault(name, []).append(job.photo.name)

    def _warn_of_camera(self, photo: PhotoFile, predictor: Predictor) -> None:
        """Say so, once for each camera, where weights were trained on photos of others."""
        camera = photo.metadata.camera()
        if not predictor.knows(camera) and camera not in self._cameras:
            self._cameras.add(camera)
            known = ", ".join(predictor.facts["cameras"])
            path = printable(photo.path)
            logger.warning("%s: taken by %s, the weights know %s", path, camera, known)

    def tell_dropped(self) -> None:
        """Say what the photos' files held and the results do not, a line for each kind."""
        for name, photos in self._dropped.items():
            listed = ", ".join(photos[:NAMED]) + (", ..." if len(photos) > NAMED else "")
            count = f"{len(photos)} photos" if len(photos) > 1 else "1 photo"
            say(f"left out, {count}: {name} ({listed})")


def _load_predictor(options: PhotoOptions, task: Task, weights: str) -> Predictor:
    memory = options.memory and options.memory * MEGABYTE
    runtime = make_runtime(options.runtime, options.precision)
    patches = calibration(options.precision == "int8", options.calibrate)
    try:
        return Predictor(weights, task, memory, runtime, patches)
    except TaskError as error:
        raise UserError(f"{error}; use it with '{error.task}'") from None


def printable(text: object) -> str:
    """Text that every terminal takes; names on a disk need not be UTF-8."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def say(line: str) -> None:
    """Print a line."""
    typer.echo(printable(line))
