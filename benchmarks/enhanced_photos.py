"""What weights make of whole photos: of pairs, of good photos, of good photos by poor cameras.

    python benchmarks/enhanced_photos.py any iphone-3gs \
        --pairs my.aligned.h5 my.patches.h5 my/photos --good my/good-photos

Pairs are scored by the protocol `photo`. Good photos should stay as they are: PSNR, CIEDE2000 and
the turn of hues to the photo itself. The same photos, recorded by random cameras (`simulate` of
params.yaml), should come closer to what they were. The frame is the difference in the outer 3 px to
the same photo that goes on mirrored.
"""

import argparse
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb2lab

from ppcn.dataset.patch_set import open_patches
from ppcn.evaluation.metrics import ciede2000, psnr
from ppcn.evaluation.photo_protocol import score_photos
from ppcn.evaluation.protocols import as_saved
from ppcn.evaluation.whole_photos import held_out_photos, whole_photos
from ppcn.inference.tiled import Tiled, run_tiled
from ppcn.params import Params
from ppcn.photos.decode import Photo, list_photos, read_photo
from ppcn.rig.camera import develop, light_of, random_stream
from ppcn.rig.random_camera import draw_character
from ppcn.weights import load_weights
from ppcn.weights.shipped import find_weights

Image01 = NDArray[np.float64]
Enhance = Callable[[Photo], Image01]
MARGIN, FRAME = 32, 3
CAMERAS = 2


def hue_turn(image: Image01, original: Image01) -> float:
    """Mean turn of the hue angle in CIELAB, degrees, each pixel weighted by its chroma."""
    a, b = (rgb2lab(x) for x in (image, original))
    turn = np.angle(np.exp(1j * (_hue(a) - _hue(b))))
    weight = np.sqrt(np.hypot(a[..., 1], a[..., 2]) * np.hypot(b[..., 1], b[..., 2]))
    return float(np.degrees((np.abs(turn) * weight).sum() / max(weight.sum(), 1e-9)))


def _hue(lab: Image01) -> Image01:
    return np.arctan2(lab[..., 2], lab[..., 1])


def frame(enhance: Enhance, photo: Photo) -> float:
    """Mean difference of the outer pixels to those of the photo with a mirrored margin, levels."""
    around = np.pad(photo, ((MARGIN,) * 2, (MARGIN,) * 2, (0, 0)), mode="reflect")
    expected = as_saved(enhance(around))[MARGIN:-MARGIN, MARGIN:-MARGIN]
    difference = np.abs(as_saved(enhance(photo)) - expected)
    inner = np.zeros(photo.shape[:2], bool)
    inner[FRAME:-FRAME, FRAME:-FRAME] = True
    return float(255 * difference[~inner].mean())


def of_good_photos(enhance: Enhance, photos: Mapping[str, Photo]) -> dict[str, float]:
    """How far good photos are moved, in the mean over photos."""
    rows = []
    for photo in photos.values():
        original = photo / 255
        result = as_saved(enhance(photo))
        rows.append(
            {
                "psnr": psnr(result, original, 1.0),
                "ciede2000": ciede2000(result, original),
                "hue_turn": hue_turn(result, original),
                "frame": frame(enhance, photo),
            }
        )
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def of_poor_cameras(
    enhance: Enhance, photos: Mapping[str, Photo], params: Params
) -> dict[str, float]:
    """Mean gain in dB where random cameras recorded the photos, and the share made worse."""
    gains = []
    for stem, photo in photos.items():
        for number in range(CAMERAS):
            random = random_stream(params.seed, "benchmark", stem, str(number))
            file = develop(light_of(photo), draw_character(params.simulate, random), random)
            recorded = np.asarray(Image.open(io.BytesIO(file)))
            after = psnr(as_saved(enhance(recorded)), photo / 255, 1.0)
            gains.append(after - psnr(recorded / 255, photo / 255, 1.0))
    return {"gain": float(np.mean(gains)), "made_worse": float(np.mean(np.array(gains) < 0))}


def main() -> None:
    """Print a table of everything asked for, as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", nargs="+", help="names or files")
    parser.add_argument(
        "--pairs",
        nargs=3,
        action="append",
        type=Path,
        default=[],
        metavar=("ALIGNED", "PATCHES", "ROOT"),
    )
    parser.add_argument("--good", type=Path, help="folder of good photos")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    given = parser.parse_args()
    methods = {
        name: run_tiled(Tiled(load_weights(find_weights(name))[0])) for name in given.weights
    }
    results: dict[str, Any] = {}
    for aligned, cut, root in given.pairs:
        with open_patches(cut) as patches:
            photos = whole_photos(patches, aligned, root)
            results[str(cut)] = score_photos(methods, held_out_photos(patches, photos))
    if given.good:
        good = {stem: read_photo(path) for stem, path in list_photos(given.good).items()}
        params = Params.load(given.params)
        for name, enhance in methods.items():
            results[name] = {
                "good": of_good_photos(enhance, good),
                "poor cameras": of_poor_cameras(enhance, good, params),
            }
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
