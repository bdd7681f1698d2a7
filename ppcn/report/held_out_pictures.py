"""Photos and patches that training never saw, by every method, chosen so that the worst show."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import nn

from ppcn.dataset.alignment_set import AlignmentSet, open_alignments
from ppcn.dataset.patch_set import PatchSet
from ppcn.dataset.splits import TEST
from ppcn.evaluation.comparison import to_photo
from ppcn.evaluation.photo_protocol import DO_NOTHING, HeldOutPhoto, score_photos
from ppcn.evaluation.protocols import Enhance, Floats
from ppcn.evaluation.whole_photos import held_out_photos, whole_photos
from ppcn.inference.tiled import Tiled, run_tiled
from ppcn.photos.color import luminance
from ppcn.photos.decode import Photo, read_photo
from ppcn.registration.geometry import size_of
from ppcn.report.blocks import Gallery, Slider, photo_picture, titled
from ppcn.report.drawing import reduced
from ppcn.report.pair_overview import warped_to_phone

PHONE = "phone"
# Of so many test photos, evenly spread, the worst and the best are shown.
MOST_ENHANCED, WORST_SHOWN, BEST_SHOWN = 12, 3, 2
# Longer side of pictures of whole photos, and height and width of details, px.
LONGEST, DETAIL = 1280, (360, 480)
# Patches shown of the lowest correlation, of the middle and of the highest, and their side, px.
PATCHES_SHOWN = 4
# Photos of super-resolution that are shown.
SR_SHOWN = 4
Counted = Callable[[Iterable[HeldOutPhoto], int], Iterable[HeldOutPhoto]]


@dataclass(frozen=True)
class EnhancedPhoto:
    """A photo that training never saw.

    Attributes:
        stem: its name.
        layers: (H, W, 3) uint8, reduced, by title: the phone's own, every method's, and what the
            better camera recorded of it.
        scores: of protocol `photo` by method.
    """

    stem: str
    layers: Mapping[str, Photo]
    scores: Mapping[str, Mapping[str, float]]

    def gain(self, method: str) -> float:
        """How much higher a method's PSNR is than that of doing nothing, dB."""
        return self.scores[method]["psnr"] - self.scores[DO_NOTHING]["psnr"]


def enhance_test_photos(
    networks: Mapping[str, nn.Module],
    patches: PatchSet,
    aligned: Path,
    root: Path,
    counted: Counted,
) -> list[EnhancedPhoto]:
    """Enhance test photos as a user would, and score each.

    Args:
        networks: by name of the method.
        patches: whose test patches name the photos.
        aligned: the alignments that they were cut by.
        root: the folder of photo folders.
        counted: given the photos and their number, yields them and tells of progress.

    Returns:
        The photos in order of their stems; none for a set that was cut from no photo of these.

    Raises:
        UserError: a photo is missing or another one than was aligned, or an output is not finite.
    """
    photos = whole_photos(patches, aligned, root)
    if not photos:
        return []
    chosen = dict(list(photos.items())[:: -(-len(photos) // MOST_ENHANCED)])
    methods = {name: run_tiled(Tiled(network)) for name, network in networks.items()}
    with open_alignments(aligned) as alignments:
        return [
            _enhanced(held_out, methods, alignments, root)
            for held_out in counted(held_out_photos(patches, chosen), len(chosen))
        ]


def _enhanced(
    held_out: HeldOutPhoto, methods: Mapping[str, Enhance], alignments: AlignmentSet, root: Path
) -> EnhancedPhoto:
    outputs = {name: enhance(held_out.photo) for name, enhance in methods.items()}
    scores = score_photos({name: _giving(output) for name, output in outputs.items()}, [held_out])
    layers = {PHONE: _shrunk(held_out.photo)}
    layers |= {name: _shrunk(to_photo(output)) for name, output in outputs.items()}
    reference = read_photo(alignments.unchanged_pair(held_out.stem, root).reference)
    size = size_of(layers[PHONE])
    warped, valid_mask = warped_to_phone(reference, alignments[held_out.stem], size)
    # What it did not record is dark, so that nobody takes it for its photo.
    warped[~valid_mask] = layers[PHONE][~valid_mask] // 4
    layers[f"{alignments.reference}, aligned"] = warped
    return EnhancedPhoto(held_out.stem, layers, {n: scores[n] for n in (DO_NOTHING, *methods)})


def _giving(output: Floats) -> Enhance:
    """A method that has been applied already."""
    return lambda photo: output


def _shrunk(photo: Photo) -> Photo:
    return reduced(photo, round(photo.shape[1] * min(1.0, LONGEST / max(photo.shape))))


def worst_and_best(photos: Sequence[EnhancedPhoto], method: str) -> list[EnhancedPhoto]:
    """The photos that gain least by a method, then those that gain most; no photo twice."""
    ranked = sorted(photos, key=lambda photo: (photo.gain(method), photo.stem))
    best = ranked[WORST_SHOWN:][-BEST_SHOWN:]
    return [*ranked[:WORST_SHOWN], *best]


def middle_photo(photos: Sequence[EnhancedPhoto], method: str) -> EnhancedPhoto:
    """The photo that gains no more than half of the others do."""
    ranked = sorted(photos, key=lambda photo: (photo.gain(method), photo.stem))
    return ranked[len(ranked) // 2]


def photo_slider(photo: EnhancedPhoto, right: str, rank: str = "", left: str = PHONE) -> Slider:
    """A photo by every method, two of them beside each other at first.

    Args:
        photo: the photo.
        right: the layer that is on the right at first.
        rank: what it is among the others.
        left: the layer that is on the left.
    """
    names = list(photo.layers)
    layers = [photo_picture(titled(name), layer) for name, layer in photo.layers.items()]
    untouched = photo.scores[DO_NOTHING]["psnr"]
    methods = {name: row for name, row in photo.scores.items() if name != DO_NOTHING}
    gains = [f"{n} {row['psnr']:.2f} dB ({photo.gain(n):+.2f})" for n, row in methods.items()]
    worse = [f"{n} {row['made_worse']:.0%}" for n, row in methods.items()]
    note = (
        f"PSNR, protocol photo: do nothing {untouched:.2f} dB, {', '.join(gains)}. "
        f"Windows made worse: {', '.join(worse)}."
    )
    title = f"{photo.stem}: {rank}" if rank else photo.stem
    return Slider(title, note, layers, names.index(left), names.index(right))


def patch_gallery(patches: PatchSet, methods: Mapping[str, Enhance], reference: str) -> Gallery:
    """Test patches of the lowest correlation, of the middle and of the highest.

    Args:
        patches: the patch set.
        methods: by name.
        reference: name of the better camera.
    """
    rows = []
    chosen = _spread(patches.ncc, patches.of_split(TEST, "test"))
    for index, (phone, target) in zip(chosen, patches.pairs(chosen), strict=True):
        cells = {PHONE: phone} | {n: to_photo(enhance(phone)) for n, enhance in methods.items()}
        cells[reference] = target
        pictures = [photo_picture(name, cell, lossless=True) for name, cell in cells.items()]
        stem = patches.stems[patches.photo[index]]
        rows.append((f"correlation {patches.ncc[index]:.3f}, {stem}", pictures))
    note = (
        f"Of {len(patches.of_split(TEST, 'test')):,d} test patches those with the lowest, the "
        "middle and the highest correlation between phone and camera, without loss."
    )
    columns = [PHONE, *map(titled, methods), reference]
    return Gallery("Patches", note, columns, rows)


def _spread(ncc: NDArray[np.floating], indices: NDArray[np.int64]) -> list[int]:
    """Of patches the first, the middle and the last by correlation, in that order."""
    ranked = indices[np.argsort(ncc[indices], kind="stable")]
    middle = max(0, (len(ranked) - PATCHES_SHOWN) // 2)
    parts = (
        ranked[:PATCHES_SHOWN],
        ranked[middle : middle + PATCHES_SHOWN],
        ranked[-PATCHES_SHOWN:],
    )
    return list(dict.fromkeys(int(index) for part in parts for index in part))


def sr_sliders(
    photos: Iterable[tuple[str, tuple[Photo, Photo]]],
    methods: Mapping[str, Enhance],
    right: str,
) -> Iterator[Slider]:
    """The most detailed part of photos by each method, every pixel of it.

    Args:
        photos: name, HR and LR photo of each.
        methods: from LR to HR, by name.
        right: the method that is on the right at first.
    """
    for name, (hr, lr) in photos:
        cells = {n: to_photo(upscale(lr)) for n, upscale in methods.items()}
        cells["original"] = hr
        part = _busiest(hr)
        layers = [photo_picture(titled(n), cell[part], lossless=True) for n, cell in cells.items()]
        yield Slider(name, "", layers, 0, list(cells).index(right))


def _busiest(photo: Photo) -> tuple[slice, slice]:
    """Rows and columns of the part of a photo with the strongest edges."""
    height, width = (min(n, side) for n, side in zip(photo.shape, DETAIL, strict=False))
    edges = np.abs(cv2.Laplacian(luminance(photo), cv2.CV_32F))
    integral = cv2.integral(edges)
    parts = integral[height:, width:] - integral[:-height, width:]
    parts = parts - (integral[height:, :-width] - integral[:-height, :-width])
    top, left = np.unravel_index(int(np.argmax(parts)), parts.shape)
    return slice(int(top), int(top) + height), slice(int(left), int(left) + width)
