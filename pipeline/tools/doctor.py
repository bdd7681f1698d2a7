"""Command `doctor`: what is missing on this machine and in this folder, and what mends it."""

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, distributions, requires, version
from pathlib import Path
from typing import Literal

import psutil
import typer
from packaging.requirements import Requirement

from pipeline.cli.json_output import Json, json_output
from pipeline.cli.options import ParamsFile, load_params
from ppcn.dataset.pairs import find_pairs
from ppcn.errors import UserError
from ppcn.machine import free_memory
from ppcn.params import RIG_ROOT, Params

Mark = Literal["ok", "missing", "note"]
COLOURS = {"ok": "green", "missing": "red", "note": "yellow"}
GIGABYTE = 2**30
# What training and the pipeline's own files need.
LEAST_MEMORY, LEAST_DISK = 4 * GIGABYTE, 5 * GIGABYTE
FEATURES = Path("data/features/vgg19.safetensors")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        mark: whether it is as it should be; a note stops nothing.
        what: what it is.
        mend: the command or the step that mends it.
    """

    mark: Mark
    what: str
    mend: str = ""


def doctor(json: Json = None, params_file: ParamsFile = None) -> None:
    """Say what is missing on this machine and in this folder.

    Beside everything that is missing stands the command or the step that mends it, and the exit
    code is 1. A note stops nothing.
    """
    with json_output(json) as result:
        findings = [*_packages(), *_weights(), *_machine(), *_checkout(params_file)]
        for finding in findings:
            mark = typer.style(f"{finding.mark:8}", fg=COLOURS[finding.mark])
            mend = f"\n        {finding.mend}" if finding.mend else ""
            typer.echo(f"{mark}{finding.what}{mend}")
        missing = sum(finding.mark == "missing" for finding in findings)
        result |= {"missing": missing, "findings": [asdict(finding) for finding in findings]}
    if missing:
        raise UserError(f"{missing} things are missing; each line above says what mends it")


def _packages() -> Iterator[Finding]:
    """Libraries: those needed, those that bar each other, and extras."""
    try:
        needed, extras = _requirements()
    except PackageNotFoundError:
        mend = "pip install . (everything works without it, as far as libraries are there)"
        yield Finding("note", "ppcn is used without being installed; libraries are unknown", mend)
        return
    wrong = [problem for requirement in needed if (problem := _problem(requirement))]
    if wrong:
        yield Finding("missing", f"libraries: {', '.join(wrong)}", "pip install --upgrade ppcn")
    else:
        yield Finding("ok", f"Python {sys.version.split()[0]} and {len(needed)} libraries")
    wheels = {d.name for d in distributions() if re.match(r"opencv[-_]", d.name, re.IGNORECASE)}
    if len(wheels) > 1:
        others = " ".join(sorted(wheels))
        mend = f"pip uninstall {others}; pip install opencv-contrib-python"
        yield Finding("missing", f"one OpenCV instead of {len(wheels)} in one place", mend)
    for extra, requirements in sorted(extras.items()):
        if any(_problem(requirement) for requirement in requirements):
            yield Finding("note", f"extra {extra} is not installed", f"pip install 'ppcn[{extra}]'")
        else:
            yield Finding("ok", f"extra {extra}")


def _requirements() -> tuple[list[Requirement], dict[str, list[Requirement]]]:
    """What is always needed, and what each extra asks for."""
    everything = [Requirement(line) for line in requires("ppcn") or []]
    needed = [r for r in everything if r.marker is None or r.marker.evaluate({"extra": ""})]
    extras: dict[str, list[Requirement]] = {}
    for requirement in everything:
        named = re.search(r"extra == ['\"](\w+)['\"]", str(requirement.marker))
        if named and named[1] != "dev" and requirement.name != "ppcn":
            extras.setdefault(named[1], []).append(requirement)
    return needed, extras


def _problem(requirement: Requirement) -> str:
    """What is wrong with an installed library, if anything."""
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is not installed"
    fits = requirement.specifier.contains(installed, prereleases=True)
    return "" if fits else f"{requirement.name} {installed} is not {requirement.specifier}"


def _weights() -> Iterator[Finding]:
    """Weights that come with this program, and the cameras that they were trained on."""
    from ppcn.inference.predictor import ENHANCES, UPSCALES
    from ppcn.weights.shipped import known_cameras, shipped_names

    mend = "pip install --force-reinstall --no-deps ppcn"
    try:
        names, cameras = shipped_names(), known_cameras()
    except UserError as error:
        yield Finding("missing", str(error), mend)
        return
    for_cameras = {name: f" ({', '.join(known)})" for name, known in cameras.items()}
    listed = ", ".join(f"{name}{for_cameras.get(name, '')}" for name in names)
    if lacking := {ENHANCES, UPSCALES} - set(names):
        yield Finding("missing", f"weights {', '.join(sorted(lacking))}", mend)
    else:
        yield Finding("ok", f"weights {listed}")


def _machine() -> Iterator[Finding]:
    """Memory, disk, processor, GPU, programs."""
    import torch

    memory, disk = free_memory(), shutil.disk_usage(".").free
    for what, free, least in (("memory", memory, LEAST_MEMORY), ("disk", disk, LEAST_DISK)):
        enough = free >= least
        mend = "" if enough else f"free some; {least / GIGABYTE:.0f} GB are comfortable"
        text = f"{free / GIGABYTE:.1f} GB of {what} free"
        yield Finding("ok" if enough else "note", text, mend)
    yield Finding("ok", f"{psutil.cpu_count()} cores, torch {torch.__version__}")
    if torch.cuda.is_available():
        yield Finding("ok", torch.cuda.get_device_name())
    else:
        yield Finding("note", "no GPU that torch can use; everything works, training takes longer")
    if not shutil.which("git"):
        yield Finding("missing", "git, which DVC works with", "apt install git")


def _checkout(params_file: Path | None) -> Iterator[Finding]:
    """Parameters, photos, DVC, features."""
    try:
        params = load_params(params_file)
    except UserError as error:
        yield Finding("missing", str(error))
        return
    if Path("dvc.yaml").is_file():
        if Path(".dvc").is_dir():
            yield Finding("ok", "pipeline with DVC", "dvc repro")
        else:
            yield Finding("missing", "DVC is not set up here", "dvc init")
    else:
        yield Finding("note", "no dvc.yaml here; commands work, dvc repro does not")
    yield from _photos(params)
    if not FEATURES.is_file():
        yield Finding("note", f"no {FEATURES}, which training needs", "ppcn-pipeline features")


def _photos(params: Params) -> Iterator[Finding]:
    """Pairs of every phone and the better camera, as `align` pairs them."""
    data = params.data
    root = Path(data.root)
    for phone in params.phones:
        try:
            pairs, unpaired = find_pairs(
                root, phone, data.reference, data.pair_by, data.pair_tolerance, data.clock_offset
            )
        except UserError as error:
            if root == Path(RIG_ROOT) and not (root / phone).is_dir():
                own = "name your photos with data.root or --root"
                mend = f"ppcn-pipeline rig (dvc repro does it), or {own}"
                mend = mend if params.phones[phone] else own
                yield Finding("note", f"no photos of {phone} yet", mend)
            else:
                folders = f"{root / phone} and {root / data.reference}"
                mend = f"put photos of one name into {folders}, or pair them by time or a manifest"
                yield Finding("missing", f"pairs of photos of {phone} ({error})", mend)
            continue
        alone = f", {len(unpaired)} photos without a partner" if unpaired else ""
        yield Finding("ok", f"{len(pairs)} pairs of photos of {phone}{alone}")
