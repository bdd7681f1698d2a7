"""Experiments of DVC side by side: what they changed, what came of it, and their pictures."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from torch import nn

from ppcn.dataset.patch_set import open_equal_patches
from ppcn.errors import UserError, nearest
from ppcn.files.artifacts import sha256
from ppcn.networks.ppcn import Student
from ppcn.report.blocks import Block, Facts, Section, Slider, Sliders, Table, flatten, number
from ppcn.report.charts import Columns, columns_of, curves
from ppcn.report.held_out_pictures import (
    PHONE,
    Counted,
    EnhancedPhoto,
    enhance_test_photos,
    middle_photo,
    photo_slider,
    worst_and_best,
)
from ppcn.report.score_tables import score
from ppcn.weights import load_network

PARAMS = "params.yaml"
# What the table shows: whose, of which part of the metrics file, under which name and format.
FIGURES = (
    ("student", "", "psnr", "PSNR, dB", ".2f"),
    ("student", "", "ms_ssim", "MS-SSIM", ".4f"),
    ("student", "photo", "psnr", "PSNR, dB", ".2f"),
    ("student", "photo", "ciede2000", "CIEDE2000", ".2f"),
    ("student", "photo", "made_worse", "made worse", ".1%"),
    ("teacher", "", "psnr", "PSNR, dB", ".2f"),
    ("teacher", "photo", "psnr", "PSNR, dB", ".2f"),
)


@dataclass(frozen=True)
class Experiment:
    """A commit that holds a run: an experiment, or what experiments began from.

    Attributes:
        name: of the experiment, or "baseline" with the commit.
        read: the bytes of a file of that commit, by its path; None if it has none.
        cached: where DVC's cache has an output of that commit, by its path; None if it has not.
    """

    name: str
    read: Callable[[str], bytes | None]
    cached: Callable[[str], Path | None]

    def mapping(self, path: str) -> dict[str, Any]:
        """A YAML or JSON file; empty if there is none.

        Raises:
            UserError: it is damaged.
        """
        data = self.read(path)
        if data is None:
            return {}
        try:
            is_json = path.endswith(".json")
            values = json.loads(data) if is_json else YAML(typ="safe").load(data.decode())
        except Exception as error:
            raise UserError(f"{path} of {self.name}: cannot be read ({error})") from None
        return values if isinstance(values, dict) else {}

    def log(self, path: str) -> Columns | None:
        """The log of a training; None if there is none.

        Raises:
            UserError: it is damaged.
        """
        data = self.read(path)
        if data is None:
            return None
        try:
            return columns_of(list(csv.DictReader(io.StringIO(data.decode()))))
        except (UnicodeDecodeError, csv.Error, ValueError, KeyError, TypeError):
            raise UserError(f"{path} of {self.name}: not the log of a training") from None


def open_experiments(names: Sequence[str], folder: Path) -> list[Experiment]:
    """What experiments began from, and the experiments in the order of their names.

    Args:
        names: of experiments.
        folder: of the repository.

    Raises:
        UserError: there is no repository of DVC, or one of the names is no experiment's.
    """
    # Only now, for it takes a second to import.
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        repo = Repo(str(folder))
        listed = repo.experiments.ls(all_commits=True)
    except DvcException:
        raise UserError(
            f"{folder.absolute()}: no repository of DVC, which has experiments"
        ) from None
    known = {
        name: (baseline, revision)
        for baseline, entries in listed.items()
        for name, revision in entries
    }
    for name in names:
        if name not in known:
            near = f"the nearest is '{nearest(name, known)}'" if known else "there is none yet"
            raise UserError(f"'{name}' is no experiment; {near}")
    baselines = dict.fromkeys(known[name][0] for name in names)
    commits = {f"baseline {_short(repo, commit)}": commit for commit in baselines}
    commits |= {name: known[name][1] for name in dict.fromkeys(names)}
    return [_snapshot(repo, folder, name, commit) for name, commit in commits.items()]


def _short(repo: Any, commit: str) -> str:
    """A commit as people write it; branches and tags keep their names."""
    return str(repo.scm.resolve_rev(commit))[:7]


def _snapshot(repo: Any, folder: Path, name: str, commit: str) -> Experiment:
    from dvc.api import DVCFileSystem

    files = DVCFileSystem(repo=str(folder), rev=commit)

    def digest(path: str) -> str | None:
        try:
            return files.info(path).get("md5")
        except FileNotFoundError:
            return None

    def cached(path: str) -> Path | None:
        md5 = digest(path)
        place = Path(repo.cache.local.oid_to_path(md5)) if md5 else None
        return place if place and place.is_file() else None

    def read(path: str) -> bytes | None:
        try:
            return files.read_bytes(path)
        except FileNotFoundError:
            return None

    return Experiment(name, read, cached)


def parameter_table(experiments: Sequence[Experiment]) -> Block:
    """The parameters in which they differ, a column each."""
    values = [dict(flatten(experiment.mapping(PARAMS))) for experiment in experiments]
    names = dict.fromkeys(name for each in values for name in each)
    rows = [
        [name, *(number(each[name]) if name in each else "" for each in values)]
        for name in names
        if any(each.get(name) != values[0].get(name) for each in values)
    ]
    title = "Parameters in which they differ"
    if not rows:
        return Facts(title, "", [("none", "all have the same values")])
    columns = ["parameter", *(experiment.name for experiment in experiments)]
    return Table(title, "", columns, rows)


def score_rows(experiments: Sequence[Experiment], phone: str) -> Block:
    """What each scored on a phone's test photos, and by super-resolution, a row each."""
    files = [each.mapping(f"metrics/evaluate/{phone}.json") for each in experiments]
    kept = [
        figure for figure in FIGURES if any(_value(scores, figure) is not None for scores in files)
    ]
    columns = ["run", *(title for *_, title, _ in kept)]
    rows = [
        [each.name, *(_cell(scores, figure) for figure in kept)]
        for each, scores in zip(experiments, files, strict=True)
    ]
    groups = [("", 1)]
    for whose, part, *_ in kept:
        title = f"{whose}, {'whole photos (photo)' if part else 'patches'}"
        if groups[-1][0] == title:
            groups[-1] = (title, groups[-1][1] + 1)
        else:
            groups.append((title, 1))
    protocols = sorted({s["protocol"] for s in files if "protocol" in s})
    note = f"Patches by protocol {', '.join(protocols)}. A run without scores has an empty row."
    return Table(f"Scores: {phone}", note, columns, rows, groups)


def _value(scores: Mapping[str, Any], figure: tuple[str, str, str, str, str]) -> float | None:
    whose, part, name, *_ = figure
    table = scores.get(part, {}) if part else scores
    return table.get(whose, {}).get(name)


def _cell(scores: Mapping[str, Any], figure: tuple[str, str, str, str, str]) -> str:
    value = _value(scores, figure)
    return "" if value is None else score(value, figure[-1])


def sr_rows(experiments: Sequence[Experiment]) -> Block:
    """What super-resolution scored, a row for each run and method."""
    rows, protocols = [], set()
    for experiment in experiments:
        scores = experiment.mapping("metrics/evaluate/sr.json")
        protocols.add(str(scores.get("protocol", "unknown")))
        for method, row in scores.items():
            if isinstance(row, Mapping) and "psnr" in row:
                cells = [score(row["psnr"]), score(row.get("ssim", 0.0), ".4f")]
                rows.append([experiment.name, method.replace("_", " "), *cells])
    note = f"Protocol {', '.join(sorted(protocols))}."
    return Table("Scores: super-resolution", note, ["run", "method", "PSNR, dB", "SSIM"], rows)


def log_charts(experiments: Sequence[Experiment], stage: str, phone: str) -> Iterator[Block]:
    """The curves of one stage's training of every run that has them, over each other."""
    logs = {each.name: each.log(f"metrics/{stage}/{phone}.csv") for each in experiments}
    known = {name: log for name, log in logs.items() if log}
    if known:
        yield curves(f"Training of the {stage}: {phone}", "", known)


def photo_sliders(
    experiments: Sequence[Experiment],
    phone: str,
    patches: Path,
    aligned: Path,
    root: Path,
    counted: Counted,
) -> Block:
    """The same test photos by the student of every run whose weights the cache has.

    Args:
        experiments: the runs.
        phone: whose photos.
        patches: the patch set that names the test photos.
        aligned: the alignments that it was cut by.
        root: the folder of photo folders.
        counted: given the photos and their number, yields them and tells of progress.

    Raises:
        UserError: weights, patches or photos cannot be read.
    """
    title = f"Test photos: {phone}"
    networks: dict[str, nn.Module] = {}
    lacking, foreign = [], []
    for each in experiments:
        weights = each.cached(f"data/models/student/{phone}.safetensors")
        if weights is None:
            lacking.append(each.name)
            continue
        networks[f"student of {each.name}"] = load_network(weights, Student)[0]
    if not networks:
        return Facts(title, "", [("none", "the cache has the weights of none of these runs")])
    with open_equal_patches(patches) as cut:
        photos = enhance_test_photos(networks, cut, aligned, root, counted)
    own = sha256(patches)
    for each in experiments:
        scores = each.mapping(f"metrics/evaluate/{phone}.json")
        if scores.get("sha256", {}).get("patches", own) != own:
            foreign.append(each.name)
    note = _note(lacking, foreign)
    if not photos:
        return Facts(title, note, [("none", f"{patches} was cut from no pair of {aligned}")])
    return Sliders(title, note, _chosen(photos, list(networks)))


def _note(lacking: Sequence[str], foreign: Sequence[str]) -> str:
    parts = ["The same photos by every student; either side can show any of them."]
    if lacking:
        parts.append(f"The cache does not have the weights of {', '.join(lacking)}.")
    if foreign:
        parts.append(
            f"{', '.join(foreign)}: of another patch set, which may have trained on these photos."
        )
    return " ".join(parts)


def _chosen(photos: Sequence[EnhancedPhoto], methods: Sequence[str]) -> list[Slider]:
    """Sliders of the worst, the middle and the best photo, the last method beside the first."""
    left, right = methods[0] if len(methods) > 1 else PHONE, methods[-1]
    ranked = worst_and_best(photos, right)
    shown = (ranked[0], middle_photo(photos, right), ranked[-1])
    chosen = {photo.stem: photo for photo in shown}
    return [photo_slider(photo, right, left=left) for photo in chosen.values()]


def experiment_sections(
    experiments: Sequence[Experiment], phones: Sequence[str], pictures: Sequence[Block]
) -> list[Section]:
    """The sections of a page that compares runs."""
    sections = [Section("changes", "What they changed", [parameter_table(experiments)])]
    scores = [score_rows(experiments, phone) for phone in phones]
    sections.append(Section("scores", "Scores", [*scores, sr_rows(experiments)]))
    sections.append(Section("photos", "Photos", pictures))
    charts = [
        chart
        for phone in phones
        for stage in ("student", "teacher")
        for chart in log_charts(experiments, stage, phone)
    ]
    sections.append(Section("curves", "Training", charts))
    return sections
