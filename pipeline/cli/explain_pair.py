"""How one photo pair is accepted or rejected, step by step, as pictures."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import typer

from ppcn.dataset.alignment_set import status_of
from ppcn.dataset.decisions import Decisions
from ppcn.dataset.extract import Window, cut_patches
from ppcn.dataset.pairs import Pair
from ppcn.dataset.window_gates import MEANING, REJECTIONS, Outcome
from ppcn.errors import UserError, nearest
from ppcn.files.names import matching_name
from ppcn.jobs.align_pair import examine_as_decided
from ppcn.params import Params
from ppcn.photos.decode import read_photo, write_photo
from ppcn.report.pair_overview import explanation


def explain_pair(
    stem: str, pairs: Sequence[Pair], params: Params, folder: Path, decided: Decisions
) -> None:
    """Write a pair's pictures to folder/stem and say what came of it, as was decided about it.

    Raises:
        UserError: no such pair, or a photo that cannot be read.
    """
    by_stem = {pair.stem: pair for pair in pairs}
    known = matching_name(stem, by_stem)
    if known is None:
        near = nearest(stem, by_stem)
        raise UserError(f"--explain {stem}: no such pair; the nearest is '{near}'")
    stem, pair = known, by_stem[known]
    phone, reference = read_photo(pair.phone), read_photo(pair.reference)
    decision = decided.matched(by_stem).get(stem)
    alignment, evidence = examine_as_decided(phone, reference, params.align, decision)
    windows: list[Window] = []
    if alignment.is_accepted:
        _, windows = cut_patches(phone, reference, alignment, params.patches)
    pictures = explanation(phone, reference, alignment, evidence, windows, params.patches.size)
    for old in (folder / stem).glob("*.png"):
        old.unlink()
    for name, picture in pictures.items():
        path = folder / stem / f"{name}.png"
        write_photo(path, picture)
        typer.echo(path)
    outcomes = Counter(window.outcome for window in windows)
    typer.echo(
        f"{stem}: {status_of(alignment)}; {alignment.matches} matches, "
        f"{alignment.inliers} on one homography, residual {alignment.residual_px:.2f} px, "
        f"agreement {alignment.agreement:.0%}, overlap {alignment.overlap():.0%}, "
        f"{outcomes[Outcome.KEPT]} of {len(windows)} windows kept"
    )
    for outcome in REJECTIONS:
        if outcomes[outcome]:
            typer.echo(f"{outcomes[outcome]} windows {outcome}: {MEANING[outcome]}")
