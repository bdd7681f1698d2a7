"""A few small pairs with their alignments, and the server of their page as a process."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from conftest import ENVIRONMENT, PARAMS, textured

from ppcn.dataset.alignment_set import create_alignments
from ppcn.dataset.pairs import Pair, photo_digest
from ppcn.photos.decode import write_photo
from ppcn.registration.alignment import Alignment
from ppcn.registration.pair_gates import Rejection, RejectionReason

SIZE = (480, 360)
NASTY = "<img src=x onerror=alert(1)>"
WARP = np.diag([1.25, 1.25, 1.0])


def make_pairs(folder: Path, count: int = 6) -> Path:
    """Photos under folder/photos and folder/aligned.h5, whose path is returned.

    The first pair is rejected; the agreement of the others rises with their stems' numbers. The
    last has a stem that is HTML.
    """
    root, out = folder / "photos", folder / "aligned.h5"
    large = (int(SIZE[0] * 1.25), int(SIZE[1] * 1.25))
    with create_alignments(out, root, {"phone": "iphone", "reference": "canon"}) as writer:
        for number in range(count):
            stem = NASTY if number == count - 1 else f"{number:04}"
            pair = Pair(stem, root / f"iphone/{stem}.jpg", root / f"canon/{stem}.jpg")
            photo = cv2.GaussianBlur(textured(SIZE[1], SIZE[0], number), (0, 0), 1)
            write_photo(pair.phone, photo)
            write_photo(pair.reference, cv2.resize(photo, large, interpolation=cv2.INTER_CUBIC))
            writer.add(pair, _alignment(number, large), [photo_digest(p) for p in pair.photos])
        writer.note_scenes({stem: stem for stem in writer.file})
    return out


def _alignment(number: int, large: tuple[int, int]) -> Alignment:
    crop = (8, 8, SIZE[0] - 8, SIZE[1] - 8)
    agreement = 0.9 + number / 100
    alignment = Alignment(SIZE, large, 50, 40, 0.5, agreement, WARP, crop=crop)
    why = Rejection(RejectionReason.DISAGREEMENT, "the photos agree in only 40% of the texture")
    return alignment if number else alignment.reject(why)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command for the pairs of a folder, and its address."""
    command = [sys.executable, "-m", "pipeline", "review", "--phone=iphone", "--no-browser"]
    command += [f"--root={folder}/photos", f"--aligned={folder}/aligned.h5", f"--params={PARAMS}"]
    command += [f"--decisions={folder}/decisions.csv"]
    with subprocess.Popen(
        command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout
            printed = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())
            assert printed
            yield server, printed.group()
        finally:
            server.terminate()
            server.wait()
