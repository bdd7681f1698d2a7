"""What a training run keeps while it goes on: a checkpoint, a log, sample pictures.

All of it lies in one folder that is nobody's output, so nothing deletes it between two attempts.
The checkpoint names what it depends on; another parameter, input, code or library starts afresh.
Another machine goes on, and says that rounding may differ.
"""

import fcntl
import hashlib
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from ppcn.errors import UserError
from ppcn.files.artifacts import replacing, write_csv
from ppcn.files.safetensors import save_tensors
from ppcn.photos.decode import Photo, encode_jpeg
from ppcn.training import distributed

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.safetensors"
LOG = "log.csv"
SAMPLES = "samples.jpg"
SAMPLES_QUALITY = 90
Tensors = dict[str, Tensor]


class RunDirectory:
    """The folder of one training run.

    Args:
        folder: made if need be.
        depends_on: everything that the result follows from, nested as it likes; see `facts_of`.
    """

    def __init__(self, folder: Path, depends_on: Mapping[str, Any]) -> None:
        self.folder = folder
        self._depends_on = dict(_flatten({**depends_on, "code": code_in_use()}))
        self._runs_on = _hardware()
        self._writer: Any = None

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Keep other processes out of the folder; it is free again when this one ends or dies.

        Raises:
            UserError: another process is training here.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    f"{self.folder}: another process is training here; wait, or write elsewhere"
                ) from None
            # What a kill in the middle of writing left behind.
            for path in (CHECKPOINT, LOG, SAMPLES):
                for left in self.folder.glob(f".{Path(path).stem}-*"):
                    left.unlink()
            yield

    def load(self) -> tuple[Tensors, dict[str, Any]] | None:
        """The checkpoint's tensors and facts, or None where the run has to start afresh."""
        path = self.folder / CHECKPOINT
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata()
            before, ran_on = (json.loads(metadata[name]) for name in ("depends_on", "runs_on"))
            if changed := _first_difference(before, self._depends_on):
                logger.warning("%s: starts afresh, for %s", self.folder, changed)
                return None
            tensors, facts = load_file(path), json.loads(metadata["facts"])
        except FileNotFoundError:
            return None
        except (SafetensorError, AttributeError, KeyError, TypeError, ValueError, OSError):
            logger.warning("%s: starts afresh, for its checkpoint is damaged", self.folder)
            return None
        if moved := _first_difference(ran_on, self._runs_on):
            logger.warning("goes on, but %s, so rounding may differ", moved)
        return tensors, facts

    def save(self, tensors: Tensors, facts: Mapping[str, Any]) -> None:
        """Replace the checkpoint; where that fails, the one before stays and training goes on."""
        named = {"facts": facts, "depends_on": self._depends_on, "runs_on": self._runs_on}
        metadata = {name: json.dumps(value) for name, value in named.items()}
        state = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        try:
            save_tensors(self.folder / CHECKPOINT, state, metadata)
        except (UserError, OSError) as error:
            logger.warning("no checkpoint this time (%s); the one before is kept", error)

    def log(self, rows: Sequence[Mapping[str, float]], samples: Photo) -> None:
        """Replace the log and the sample pictures; the last row goes to TensorBoard if installed.

        Args:
            rows: all rows so far.
            samples: inputs, outputs and targets side by side.
        """
        try:
            write_csv(self.folder / LOG, rows)
            with replacing(self.folder / SAMPLES) as temporary:
                temporary.write_bytes(encode_jpeg(samples, SAMPLES_QUALITY))
        except (UserError, OSError) as error:
            logger.warning("no log this time (%s)", error)
            return
        step = int(rows[-1]["step"])
        if writer := self._tensorboard(hides_from=step if len(rows) > 1 else 0):
            for name, value in rows[-1].items():
                writer.add_scalar(name, value, step)
            writer.add_image("samples", samples, step, dataformats="HWC")
            writer.flush()

    def keep_for_inspection(self, name: str, tensors: Tensors) -> Path | None:
        """Write tensors that a person should look at; returns where, or None if that fails."""
        path = self.folder / f"{name}.safetensors"
        try:
            save_tensors(path, {k: value.cpu().contiguous() for k, value in tensors.items()}, {})
        except (UserError, OSError) as error:
            logger.warning("%s: not written (%s)", path, error)
            return None
        return path

    def finish(self) -> None:
        """Remove the checkpoint; log and pictures stay."""
        (self.folder / CHECKPOINT).unlink(missing_ok=True)

    def _tensorboard(self, hides_from: int) -> Any:
        """The writer of event files, where the package is installed.

        What an attempt before this one wrote of later steps is hidden.
        """
        if self._writer is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                self._writer = False
            else:
                self._writer = SummaryWriter(str(self.folder), purge_step=hides_from)
        return self._writer


def _hardware() -> dict[str, Any]:
    """What sums are computed by, and in which order."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    threads, processes = torch.get_num_threads(), distributed.count()
    return {"device": gpu or "CPU", "threads": threads, "processes": processes}


def code_in_use() -> str:
    """Digest of the source of every module of this project that is loaded."""
    ours = [name for name in sys.modules if name.split(".")[0] in ("ppcn", "pipeline")]
    digest = hashlib.sha256()
    for name in sorted(ours):
        if source := sys.modules[name].__file__:
            digest.update(Path(source).read_bytes())
    return digest.hexdigest()


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names with dots, and what they hold, as JSON gives it back."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", json.loads(json.dumps(value))


def _first_difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """A sentence about the first value that is not what it was."""
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            if name == "code" or name.startswith("sha256."):
                return f"{name.removeprefix('sha256.')} changed"
            return f"{name} was {before.get(name)} and is {now.get(name)}"
    return None
