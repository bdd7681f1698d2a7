"""Networks timed beside the SRCNN baseline on the CPU in one run and scored, as PIRM 2018 did."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppcn.errors import UserError
from ppcn.evaluation.complexity import BASELINE, count_parameters, describe_machine, macs_per_pixel
from ppcn.evaluation.metrics import pirm_scores
from ppcn.evaluation.protocols import score_enhancement
from ppcn.evaluation.timing import Report, Subject, describe_runtimes, time_subjects
from ppcn.inference.runtimes import RUNTIMES, Precision, RuntimeName, make_runtime
from ppcn.inference.tiled import run_tiled
from ppcn.networks import NETWORKS
from ppcn.photos.decode import Photo
from ppcn.weights import load_weights
from ppcn.weights.shipped import find_weights

Row = dict[str, Any]


def check_runtimes(runtimes: Sequence[RuntimeName], precisions: Sequence[Precision]) -> None:
    """Refuse what cannot be timed before anything is.

    Raises:
        UserError: a runtime is not installed, or none of them computes in one of the precisions.
    """
    for runtime in runtimes:
        make_runtime(runtime)
    for precision in precisions:
        if not any(precision in RUNTIMES[runtime].precisions for runtime in runtimes):
            make_runtime(runtimes[0], precision)


def find_networks(weights: Sequence[str]) -> dict[str, Path | None]:
    """The networks of weights files, or all networks, untrained, where none is given.

    Args:
        weights: names of weights that come with this package, or weights files.

    Raises:
        UserError: no such weights, or two of one network.
    """
    if not weights:
        return dict.fromkeys(NETWORKS)
    networks: dict[str, Path | None] = {}
    for name in weights:
        path = find_weights(name)
        _, facts = load_weights(path)
        if facts["network"] in networks:
            raise UserError(f"{path}: a second {facts['network']}; its time would be the same")
        networks[facts["network"]] = path
    return networks


def choose_subjects(
    networks: Mapping[str, Path | None],
    runtimes: Sequence[RuntimeName],
    precisions: Sequence[Precision],
    calibration: NDArray[np.uint8] | None,
) -> list[Subject]:
    """Every network with every runtime and precision that it knows, SRCNN as the baseline first.

    Args:
        networks: weights files by the names of networks; None for freshly made weights.
        runtimes: what computes.
        precisions: of convolutions.
        calibration: photos (N, H, W, 3) uint8 for int8.
    """
    subjects = []
    for runtime in runtimes:
        subjects.append(Subject(BASELINE, networks.get(BASELINE), runtime, "float32", False))
        for precision in precisions:
            patches = calibration if precision == "int8" else None
            subjects += [
                Subject(name, path, runtime, precision, True, patches)
                for name, path in networks.items()
                if precision in RUNTIMES[runtime].precisions
            ]
    return subjects


def time_rows(
    subjects: Sequence[Subject], size: tuple[int, int], runs: int, report: Report
) -> list[Row]:
    """Time subjects; for the arguments see `time_subjects`.

    Returns:
        A row of the table for each: what it is, parameters, multiply-adds per pixel, mean time in
        ms, and how many times as fast it is as the baseline with the same runtime.
    """
    times = time_subjects(subjects, size, runs, report)
    bases = {s.runtime: ms for s, ms in zip(subjects, times, strict=True) if s.is_baseline}
    return [_row(s, ms, bases[s.runtime]) for s, ms in zip(subjects, times, strict=True)]


def _row(subject: Subject, milliseconds: float, base: float) -> Row:
    name = subject.network if subject.rewrites else f"{subject.network} (baseline)"
    return {
        "network": name,
        "runtime": subject.runtime,
        "precision": subject.precision,
        "parameters": count_parameters(subject.module()),
        "mac_per_pixel": round(macs_per_pixel(subject.network)),
        "cpu_ms": milliseconds,
        "speedup": base / milliseconds,
    }


def is_scored(subject: Subject) -> bool:
    """Whether a subject has scores: trained enhancement networks have."""
    return subject.weights is not None and NETWORKS[subject.network].input == "image"


def add_scores(
    subjects: Sequence[Subject], rows: Sequence[Row], pairs: Iterable[tuple[Photo, Photo]]
) -> None:
    """Add to rows the challenge's scores of what each network makes with its own runtime.

    Args:
        subjects: what was timed.
        rows: as `time_rows` gives them; they are changed.
        pairs: photos of the phone and of the better camera, (H, W, 3) uint8.
    """
    scored = [(s, row) for s, row in zip(subjects, rows, strict=True) if is_scored(s)]
    methods = {str(number): run_tiled(s.load()) for number, (s, _) in enumerate(scored)}
    results = score_enhancement(methods, pairs)
    for number, (_, row) in enumerate(scored):
        psnr, ms_ssim = (results[str(number)][name] for name in ("psnr", "ms_ssim"))
        scores = pirm_scores("B", psnr, ms_ssim, row["speedup"])
        row |= {"psnr": psnr, "ms_ssim": ms_ssim}
        row |= {f"score_{name.lower()}": value for name, value in scores.items()}


def describe_setting(subjects: Sequence[Subject], precision: Precision) -> dict[str, Any]:
    """What the times depend on: machine, versions of runtimes, and the first runtime and precision.

    Args:
        subjects: what was timed.
        precision: the first.
    """
    versions = describe_runtimes(list(dict.fromkeys(subject.runtime for subject in subjects)))
    first = {"runtime": " ".join(next(iter(versions.items()))), "precision": precision}
    return {**describe_machine(), **first, "runtimes": versions}


def network_costs(subjects: Sequence[Subject], rows: Sequence[Row]) -> dict[str, Row]:
    """What each network costs with the first runtime and precision, for the papers' tables."""
    costs: dict[str, Row] = {}
    for subject, row in zip(subjects, rows, strict=True):
        if subject.rewrites and subject.network not in costs:
            kept = {name: row[name] for name in ("parameters", "mac_per_pixel", "cpu_ms")}
            costs[subject.network] = {**kept, "share_of_srcnn": 1 / row["speedup"]}
    return costs
