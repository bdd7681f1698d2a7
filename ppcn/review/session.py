"""What a person looks at and decides: pairs, pictures, windows, decisions, trials with points."""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppcn.dataset.alignment_set import status_of
from ppcn.dataset.decisions import (
    Decision,
    Decisions,
    decision_of,
    read_decisions,
    write_decisions,
)
from ppcn.dataset.extract import Window
from ppcn.dataset.pairs import photo_digest
from ppcn.dataset.window_gates import MEANING, Outcome
from ppcn.errors import UserError
from ppcn.params import Params
from ppcn.registration.alignment import Alignment
from ppcn.report.pair_overview import OUTCOME_COLOURS
from ppcn.review.catalogue import Catalogue
from ppcn.review.pictures import WORST, View, reduced_photo, view_pair, whole_photo
from ppcn.review.recent import Recent
from ppcn.review.worker import Worker

# How many pairs and how many pictures are kept in memory: about 120 and 40 MB.
VIEWS, PICTURES, TRIALS = 10, 100, 20
# How many photos are decoded at a time.
DECODERS = 2
CAMERAS = ("phone", "reference")


@dataclass(frozen=True)
class Shown:
    """A pair by its alignment.

    Attributes:
        index: its place in the catalogue.
        trial: the number of an alignment that is not stored; 0 for the stored one.
    """

    index: int
    trial: int = 0


class Session:
    """All that the page asks for.

    Args:
        phone: name of the phone.
        catalogue: its pairs.
        decisions: file of decisions.
        params: of params.yaml.
    """

    def __init__(self, phone: str, catalogue: Catalogue, decisions: Path, params: Params) -> None:
        self.phone, self.catalogue, self.decisions, self.params = (
            phone,
            catalogue,
            decisions,
            params,
        )
        self.worker = Worker()
        self._stems = [entry.stem for entry in catalogue.entries]
        self._saving = threading.Lock()
        self._decoders = threading.Semaphore(DECODERS)
        self._views: Recent[View] = Recent(VIEWS)
        self._pictures: Recent[bytes] = Recent(PICTURES)
        self._windows: Recent[list[Window]] = Recent(PICTURES)
        self._unchanged: Recent[bool] = Recent(PICTURES)
        self._trials: dict[int, tuple[int, Decision, Alignment]] = {}
        self._last_trial = 0
        self._run = secrets.token_hex(4)

    def overview(self) -> dict[str, Any]:
        """Every pair in a line, the most doubtful first, and what the page needs besides."""
        decided = self.read().matched(self._stems)
        rows = []
        for index, entry in enumerate(self.catalogue.entries):
            decision = decided.get(entry.stem)
            numbers = (round(entry.agreement, 3), round(entry.residual_px, 2))
            verdict = decision.verdict.value if decision else ""
            rows.append([index, entry.stem, entry.is_accepted, *numbers, verdict])
        return {
            "run": self._run,
            "phone": self.phone,
            "reference": self.catalogue.reference,
            "file": str(self.decisions),
            "size": self.params.patches.size,
            "worst": WORST,
            "pairs": rows,
            "outcomes": {
                outcome.value: {
                    "colour": list(OUTCOME_COLOURS[outcome]),
                    "name": outcome.value.replace("_", " "),
                    "meaning": MEANING[outcome],
                }
                for outcome in Outcome
            },
        }

    def details(self, index: int) -> dict[str, Any]:
        """The numbers of one pair, and what was decided about it."""
        entry = self.catalogue.entries[index]
        decision = self.read().matched(self._stems).get(entry.stem)
        return {
            **_numbers(self.catalogue.outline(index)),
            "files": [path.name for path in self.catalogue.pair(index).photos],
            "verdict": decision.verdict.value if decision else "",
            "points": decision.points if decision else [],
        }

    def is_unchanged(self, index: int) -> bool:
        """Whether the photos of a pair are the ones that were aligned, as far as that is known.

        Raises:
            UserError: one cannot be read.
        """
        photos, digests = self.catalogue.pair(index).photos, self.catalogue.digests(index)
        if not all(digests):
            return True
        return self._unchanged.get(index, lambda: tuple(map(photo_digest, photos)) == digests)

    def picture(self, shown: Shown, layer: str) -> bytes:
        """One of the pictures of a pair, a JPEG file.

        Raises:
            UserError: a photo cannot be read.
        """

        def make() -> bytes:
            with self._decoders:
                return view.picture(layer)

        view = self._views.get(shown, lambda: self._view(shown))
        return self._pictures.get((shown, layer), make)

    def photo(self, index: int, camera: str, is_whole: bool) -> bytes:
        """A photo as its camera took it, upright, a JPEG file.

        Args:
            index: the pair.
            camera: one of `CAMERAS`.
            is_whole: at its full size.

        Raises:
            UserError: it cannot be read.
        """
        path = self.catalogue.pair(index).photos[CAMERAS.index(camera)]
        with self._decoders:
            return whole_photo(path) if is_whole else reduced_photo(path)

    def windows(self, shown: Shown) -> list[list[Any]]:
        """Left, top, outcome and correlation of every window of a pair, phone px.

        Raises:
            CancelledError: another pair was asked for meanwhile.
            UserError: the pair is not aligned, or a photo cannot be read.
        """
        alignment, pair = self._alignment(shown), self.catalogue.pair(shown.index)
        if alignment.rejection:
            raise UserError("a rejected pair has no windows")
        windows = self._windows.get(
            shown, lambda: self.worker.find_windows(pair, alignment, self.params.patches)
        )
        return [[*w.xy, w.outcome.value, round(w.ncc, 3)] for w in windows]

    def read(self) -> Decisions:
        """The decisions, as they are stored now.

        Raises:
            UserError: the file is damaged.
        """
        return read_decisions(self.decisions)

    def decide(self, index: int, decision: Decision | None) -> None:
        """Store a decision about a pair, or that there is none; what is stored else stays.

        Raises:
            UserError: the file is damaged or cannot be written.
        """
        with self._saving:
            stem = self.catalogue.entries[index].stem
            write_decisions(self.read().with_decision(stem, decision, self._stems))

    def try_points(self, index: int, decision: Decision) -> dict[str, Any]:
        """Align a pair from points, without storing anything.

        Returns:
            Its numbers, and the number of the trial, by which pictures and windows are asked for.

        Raises:
            UserError: a photo cannot be read.
        """
        pair = self.catalogue.pair(index)
        alignment = self.worker.align_again(pair, decision, self.params.align)
        with self._saving:
            self._last_trial += 1
            self._trials[self._last_trial] = (index, decision, alignment)
            self._trials.pop(self._last_trial - TRIALS, None)
            return {"trial": self._last_trial, **_numbers(alignment)}

    def warm_up(self) -> None:
        """Make the pictures that the page shows first."""
        if self.catalogue.entries:
            for layer in ("phone", "reference"):
                self.picture(Shown(0), layer)

    def _view(self, shown: Shown) -> View:
        with self._decoders:
            return view_pair(self.catalogue.pair(shown.index), self._alignment(shown))

    def _alignment(self, shown: Shown) -> Alignment:
        if not shown.trial:
            return self.catalogue.alignment(shown.index)
        index, _, alignment = self._trials.get(shown.trial, (None, None, None))
        if alignment is None or index != shown.index:
            raise UserError("that trial is over; align from the points again")
        return alignment


def decision_about(values: Mapping[str, Any]) -> Decision | None:
    """The decision that a request asks for; None to undo one.

    Args:
        values: its `verdict` and `points`.

    Raises:
        UserError: they are none.
    """
    verdict, points = values.get("verdict"), values.get("points") or []
    if not verdict:
        return None
    try:
        rows = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in points)
    except (TypeError, ValueError):
        raise UserError("points must be lists of four numbers") from None
    return decision_of(str(verdict), rows)


def _numbers(alignment: Alignment) -> dict[str, Any]:
    """What the page says of an alignment."""
    return {
        "ok": alignment.is_accepted,
        "status": status_of(alignment),
        "reason": alignment.rejection.reason.value if alignment.rejection else "",
        "matches": alignment.matches,
        "inliers": alignment.inliers,
        "residual": round(alignment.residual_px, 3),
        "agreement": round(alignment.agreement, 4),
        "overlap": round(alignment.overlap(), 4),
        "phone_size": alignment.phone_size,
        "reference_size": alignment.reference_size,
        "crop": alignment.crop,
    }
