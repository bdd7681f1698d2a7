"""Photo pairs of two cameras: which photos belong together."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppcn.errors import UserError, nearest
from ppcn.files.artifacts import sha256
from ppcn.files.csv_table import read_table
from ppcn.files.names import SAME_BUT, StoredFiles, composed, group_by_name
from ppcn.photos.decode import capture_time, list_photos, photo_size

# Fewer pairs by time than this share of the smaller folder may be chance: within 2 s, clocks that
# differ still pair a quarter of photos taken every 14 s.
FEW = 0.25
# What a worker needs besides its photos, and for every pixel of the two photos, bytes.
BYTES_OF_A_WORKER, BYTES_PER_PIXEL = 250e6, 23
LONGEST_STEM = 240
# So many problems of a manifest are told at a time.
NAMED = 10
# Of a manifest; scene and stem may be missing.
COLUMNS = ["phone", "reference", "scene", "stem"]
EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)

Pairing = tuple[list["Pair"], dict[str, str]]


@dataclass(frozen=True)
class Pair:
    """Two photos of the same moment.

    Attributes:
        stem: what the pair is called.
        phone: the phone's photo.
        reference: the better camera's.
        scene: what a manifest calls the scene that they show; "" if nothing.
    """

    stem: str
    phone: Path
    reference: Path
    scene: str = ""

    @property
    def photos(self) -> tuple[Path, Path]:
        """The phone's photo and the reference camera's."""
        return self.phone, self.reference


def photo_digest(path: Path) -> str:
    """SHA-256 of a photo's file, in hexadecimal digits.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return sha256(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def memory_of(pairs: Sequence[Pair]) -> int:
    """Bytes that a worker needs for the largest of some pairs; unreadable photos do not count."""
    most = 0
    for pair in pairs:
        with suppress(UserError):
            most = max(most, sum(prod(photo_size(path)) for path in pair.photos))
    return round(BYTES_OF_A_WORKER + BYTES_PER_PIXEL * most)


def find_pairs(
    root: Path,
    phone: str,
    reference: str,
    by: str = "stem",
    tolerance: float = 2.0,
    clock_offset: float = 0.0,
) -> Pairing:
    """Find the photos of a phone and of the reference camera that belong together.

    Args:
        root: the folder that holds a folder for each camera.
        phone: the phone's folder name.
        reference: the camera's folder name.
        by: "stem" pairs files of one name, whatever its ending, its case and how its accents are
            composed; "time" pairs photos that are each other's nearest by EXIF capture time; a
            path ending in .csv is a manifest with the columns phone and reference (paths relative
            to `root`) and optionally stem and scene, looked for in the working folder, then in
            `root`.
        tolerance: s between the capture times of a pair, at most.
        clock_offset: s to add to the phone's capture times.

    Returns:
        The pairs in order of their stems, and for each photo that is in none, by its path
        relative to `root`, the reason. Photos that a manifest does not name are not listed.

    Raises:
        UserError: `by` is none of these; a folder is missing or empty; there is no pair, or by
            time so few that the clocks must differ; the manifest is missing or refused.
    """
    if by == "stem":
        pairs, unpaired = _by_stem(root, phone, reference)
    elif by == "time":
        pairs, unpaired = _by_time(root, phone, reference, tolerance, clock_offset)
    elif by.lower().endswith(".csv"):
        pairs, unpaired = _by_manifest(root, by), {}
    else:
        near = nearest(by, ["stem", "time"])
        raise UserError(
            f"data.pair_by is '{by}'; it must be stem, time or a manifest ending in .csv; "
            f"the nearest is '{near}'"
        )
    by_name: dict[str, Pair] = {}
    for pair in sorted(pairs, key=lambda pair: (pair.stem, pair.phone)):
        first = by_name.setdefault(pair.stem, pair)
        if first is not pair:
            reason = f"left out for {first.phone.name}, {SAME_BUT}"
            unpaired[str(pair.phone.relative_to(root))] = reason
    return list(by_name.values()), dict(sorted(unpaired.items()))


def _by_stem(root: Path, phone: str, reference: str) -> Pairing:
    groups = [group_by_name(list_photos(root / name).values()) for name in (phone, reference)]
    unpaired: dict[str, str] = {}
    phones, references = (
        _one_of_each_name(own, other, root, unpaired) for own, other in (groups, groups[::-1])
    )
    pairs = [
        Pair(composed(phones[key].stem), phones[key], references[key])
        for key in phones.keys() & references.keys()
    ]
    if not pairs:
        raise UserError(
            f"{root}: no photo of {phone}/ has the same name as one of {reference}/; pairs are "
            "matched by file name without its ending, unless data.pair_by says otherwise"
        )
    for folder, own, other, others in (
        (phone, phones, reference, references),
        (reference, references, phone, phones),
    ):
        for key in own.keys() - others.keys():
            unpaired[f"{folder}/{own[key].name}"] = f"{other} has no photo of that name"
    return pairs, unpaired


def _one_of_each_name(
    own: Mapping[str, list[Path]],
    other: Mapping[str, list[Path]],
    root: Path,
    left_out: dict[str, str],
) -> dict[str, Path]:
    """A folder's photos, one of each name, which is noted of the others.

    Of names that differ in case and the spelling of accents alone, the one that the other folder
    spells alike is taken, else the first in the order of the alphabet.

    Args:
        own: the folder's photos, from `group_by_name`.
        other: the other folder's.
        root: the folder of both.
        left_out: by file, why it is not used; added to.
    """
    chosen = {}
    for key, paths in own.items():
        spellings = {path.stem for path in other.get(key, [])}
        chosen[key] = min(paths, key=lambda path: (path.stem not in spellings, path.name))
        for path in paths:
            if path != chosen[key]:
                reason = f"left out for {chosen[key].name}, {SAME_BUT}"
                left_out[str(path.relative_to(root))] = reason
    return chosen


@dataclass(frozen=True)
class _Moments:
    """Capture times of one camera's photos.

    Attributes:
        names: paths relative to the root.
        local: (N,) int64, the camera's clock in microseconds since 1970.
        utc: (N,) int64, the same in UTC where the offset is known.
        zoned: (N,) bool, where it is known.
    """

    names: list[str]
    local: NDArray[np.int64]
    utc: NDArray[np.int64]
    zoned: NDArray[np.bool_]


@dataclass(frozen=True)
class _Nearest:
    """The other camera's photos nearest in time: one, or two of those that are equally near."""

    indices: list[int]
    gap: int  # microseconds from the photo to them


def _by_time(
    root: Path, phone: str, reference: str, tolerance: float, clock_offset: float
) -> Pairing:
    phones, unpaired = _read_moments(root, phone, clock_offset)
    references, undated = _read_moments(root, reference, 0.0)
    unpaired |= undated
    to_reference, to_phone = _nearest(phones, references), _nearest(references, phones)
    pairs = []
    for index, name in enumerate(phones.names):
        reason = _why_alone(index, phones, references, to_reference, to_phone, tolerance)
        if reason:
            unpaired[name] = reason
        else:
            partner = references.names[to_reference[index].indices[0]]
            pairs.append(Pair(composed(Path(name).stem), root / name, root / partner))
    for index, name in enumerate(references.names):
        if reason := _why_alone(index, references, phones, to_phone, to_reference, tolerance):
            unpaired[name] = reason
    if len(pairs) < max(1.0, FEW * min(len(phones.names), len(references.names))):
        lag, agreeing = _most_common_lag(phones, references, tolerance)
        raise UserError(
            f"{root}: only {len(pairs)} of {len(phones.names)} photos of {phone}/ pair with one "
            f"of {reference}/ within {tolerance:g} s (data.pair_tolerance); most, {agreeing}, "
            f"would if {lag:+.1f} s were added to data.clock_offset ({clock_offset:g} s); if the "
            "clocks do not differ so, name a manifest as data.pair_by"
        )
    return pairs, unpaired


def _read_moments(root: Path, folder: str, offset: float) -> tuple[_Moments, dict[str, str]]:
    """Capture times of a folder, `offset` s added, and why photos have none."""
    times: dict[str, datetime] = {}
    undated: dict[str, str] = {}
    for photo in list_photos(root / folder).values():
        name = f"{folder}/{photo.name}"
        try:
            time = capture_time(photo)
        except UserError as error:
            undated[name] = str(error)
            continue
        if time is None:
            undated[name] = "no readable EXIF capture time"
        else:
            times[name] = time
    if not times:
        name, reason = next(iter(undated.items()))
        raise UserError(
            f"{root}: no photo of {folder}/ has a capture time ({name}: {reason}); pair by stem "
            "or with a manifest, see data.pair_by"
        )
    shift = round(offset * 1e6)
    local = [(time.replace(tzinfo=None) - EPOCH) // MICROSECOND + shift for time in times.values()]
    zones = [time.utcoffset() for time in times.values()]
    ahead = [0 if zone is None else zone // MICROSECOND for zone in zones]
    known = np.array([zone is not None for zone in zones])
    clock = np.array(local, np.int64)
    return _Moments(list(times), clock, clock - np.array(ahead, np.int64), known), undated


def _nearest(own: _Moments, other: _Moments) -> list[_Nearest]:
    """For each photo of `own` the nearest of `other`: in UTC where both know it, else by clock."""
    nearest = []
    for local, utc, zoned in zip(own.local, own.utc, own.zoned, strict=True):
        gaps = np.where(other.zoned & zoned, other.utc - utc, other.local - local)
        distances = np.abs(gaps)
        indices = np.flatnonzero(distances == distances.min())
        nearest.append(_Nearest(indices[:2].tolist(), int(gaps[indices[0]])))
    return nearest


def _most_common_lag(own: _Moments, other: _Moments, tolerance: float) -> tuple[float, int]:
    """By how many seconds most photos of `own` are before one of `other`, and how many are."""
    lags = np.sort((other.local[None] - own.local[:, None]).ravel())
    span = max(1, round(2 * tolerance * 1e6))
    within = np.searchsorted(lags, lags + span, side="right") - np.arange(len(lags))
    first = int(within.argmax())
    return float(np.median(lags[first : first + within[first]])) / 1e6, int(within[first])


def _why_alone(
    index: int,
    own: _Moments,
    other: _Moments,
    to_other: list[_Nearest],
    to_own: list[_Nearest],
    tolerance: float,
) -> str | None:
    """Why a photo of `own` has no partner; None where it has one."""
    near = to_other[index]
    names = [other.names[i] for i in near.indices]
    if abs(near.gap) > round(tolerance * 1e6):
        return f"the nearest, {names[0]}, was taken {abs(near.gap) / 1e6:.2f} s apart"
    if len(names) > 1:
        return f"{names[0]} and {names[1]} are equally near"
    nearer = [own.names[i] for i in to_own[near.indices[0]].indices if i != index]
    return f"{names[0]} is as near or nearer to {nearer[0]}" if nearer else None


def _by_manifest(root: Path, by: str) -> list[Pair]:
    manifest = next((path for path in (Path(by), root / by) if path.is_file()), None)
    if manifest is None:
        raise UserError(f"{by}: no such manifest, neither here nor in {root}; see data.pair_by")
    pairs: list[Pair] = []
    files = StoredFiles(root)
    listed: dict[Path | str, int] = {}
    problems: list[str] = []
    for line, row in read_table(manifest, _header_problem):
        try:
            pairs.append(_listed_pair(files, row, line, listed))
        except UserError as error:
            problems.append(f"line {line}: {error}")
    if problems:
        more = f"; {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise UserError(f"{manifest}, {'; '.join(problems[:NAMED])}{more}")
    if not pairs:
        raise UserError(f"{manifest}: names no pair; write one in each line below the header")
    return pairs


def _listed_pair(
    files: StoredFiles, row: Mapping[str, str], line: int, listed: dict[Path | str, int]
) -> Pair:
    """The pair of a line of a manifest, whose photos and stem are added to those `listed`."""
    photos = [_listed_photo(files, row[column]) for column in ("phone", "reference")]
    stem = composed(row.get("stem") or photos[0].stem)
    if stem in (".", "..") or "/" in stem or "\0" in stem or len(stem.encode()) > LONGEST_STEM:
        raise UserError(
            f"the stem {stem[:40]!a} cannot name a file; leave '/' out and use at most "
            f"{LONGEST_STEM} bytes"
        )
    keys: list[Path | str] = [*(photo.resolve() for photo in photos), stem]
    for key in keys:
        if key in listed:
            what = f"the stem '{key}'" if key == stem else key
            raise UserError(f"{what} is already in line {listed[key]}")
        listed[key] = line
    phone, reference = photos
    return Pair(stem, phone, reference, composed(row.get("scene", "")))


def _listed_photo(files: StoredFiles, name: str) -> Path:
    """The photo that a cell of a manifest names."""
    photo = files.find(name)
    if not photo.is_file():
        raise UserError(f"no photo {photo}")
    return photo


def _header_problem(header: list[str]) -> str | None:
    """What is wrong with the header of a manifest."""
    if sorted({*header} | {"stem", "scene"}) == COLUMNS and len({*header}) == len(header):
        return None
    return (
        f"the header must be phone,reference and, if you like, stem and scene, "
        f"not '{','.join(header)}'"
    )
