"""Show how one photo pair is judged, as pictures."""

from collections.abc import Sequence
from pathlib import Path

import typer

from ppcn.dataset.alignment_set import status_of
from ppcn.dataset.extract import cut_patches
from ppcn.dataset.gates import Outcome
from ppcn.dataset.pairs import Pair
from ppcn.errors import UserError, nearest
from ppcn.params import Params
from ppcn.photos.decode import read_photo, write_photo
from ppcn.registration.register import examine_pair
from ppcn.report.pair_overview import explanation


def explain_pair(stem: str, pairs: Sequence[Pair], params: Params, folder: Path) -> None:
    """Write a pair's pictures to folder/stem and say what came of it.

    Raises:
        UserError: no such pair, or a photo that cannot be read.
    """
    pair = next((pair for pair in pairs if pair.stem == stem), None)
    if pair is None:
        near = nearest(stem, [pair.stem for pair in pairs])
        raise UserError(f"--explain {stem}: no such pair; the nearest is '{near}'")
    phone, dslr = read_photo(pair.phone), read_photo(pair.dslr)
    found, evidence = examine_pair(phone, dslr, params.align)
    windows = cut_patches(phone, dslr, found, params.patches)[1] if found.is_accepted else []
    pictures = explanation(phone, dslr, found, evidence, windows, params.patches.size)
    for old in (folder / stem).glob("*.png"):
        old.unlink()
    for name, picture in pictures.items():
        path = folder / stem / f"{name}.png"
        write_photo(path, picture)
        typer.echo(path)
    typer.echo(
        f"{stem}: {status_of(found)}; {found.matches} matches, {found.inliers} on one homography, "
        f"residual {found.residual_px:.2f} px, agreement {found.agreement:.0%}, "
        f"overlap {found.overlap():.0%}, {sum(w.outcome is Outcome.KEPT for w in windows)} of "
        f"{len(windows)} windows kept"
    )
