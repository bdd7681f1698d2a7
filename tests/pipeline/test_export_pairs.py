"""Aligned photos as files for other trainers."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import PARAMS, ROOT, refusal, run

from ppcn.dataset.aligned_photos import check_folder_names
from ppcn.dataset.alignment_set import open_alignments
from ppcn.dataset.extract import warp
from ppcn.errors import UserError
from ppcn.jobs import export_pair
from ppcn.photos.decode import encode_png, read_deep_photo, read_photo
from ppcn.registration.geometry import low_pass, square_centres

WIDTH, HEIGHT = 640, 440
# Phone pixels to reference pixels, 1.5 for one; some lie outside the reference photo.
HOMOGRAPHY = np.array([[1.5, 0.02, -40.0], [-0.015, 1.49, 60.0], [6e-6, -4e-6, 1.0]])


@pytest.fixture(scope="module")
def aligned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two pairs and their alignments; the reference camera has 16 bits."""
    folder = tmp_path_factory.mktemp("pairs")
    part = read_photo(ROOT / "data/sample/roman-colosseum.jpg")[300:1100, 600:1800]
    for stem, scene in {"one more": part, "two": part[:, ::-1].copy()}.items():
        inverse = cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC
        blurred = cv2.GaussianBlur(scene, (0, 0), 0.6)
        phone = cv2.warpPerspective(blurred, HOMOGRAPHY, (WIDTH, HEIGHT), flags=inverse)
        for camera, levels in (("p", phone), ("c", scene.astype(np.uint16) * 255 + 100)):
            (folder / "photos" / camera).mkdir(parents=True, exist_ok=True)
            (folder / "photos" / camera / f"{stem}.png").write_bytes(encode_png(levels))
    align(folder, "photos", "a.h5")
    return folder


def align(folder: Path, root: str, out: str) -> None:
    options = ("--root", root, "--reference", "c", "--out", out, "--metrics", "m.json")
    done = run(folder, "align", "--phone", "p", *options, "--workers", 1, "--params", PARAMS)
    assert done.returncode == 0, done.stderr
    assert "aligned 2 of 2 pairs" in done.stdout


def arguments(out: Path, *more: object) -> tuple[object, ...]:
    options = ("--root", "photos", "--aligned", "a.h5", "--params", PARAMS, "--workers", 1)
    return ("export-pairs", "--phone", "p", "--out", out, *options, *more)


def export(folder: Path, out: Path, *more: object) -> dict:
    """One export; returns its marker."""
    done = run(folder, *arguments(out, *more))
    assert done.returncode == 0, done.stderr
    assert "wrote 2 pairs of photos" in done.stdout
    return json.loads((out / "export.json").read_text())


def read_mask(out: Path, stem: str) -> np.ndarray:
    return cv2.imread(str(out / f"photos/mask/{stem}.png"), cv2.IMREAD_UNCHANGED)


def test_photos_lie_on_the_phones_pixels(aligned: Path, tmp_path: Path) -> None:
    marker = export(aligned, tmp_path / "out")
    names = {
        f"photos/{kind}/{stem}.png" for kind in ("p", "c", "mask") for stem in ("one more", "two")
    }
    assert marker["files"].keys() == names
    assert {str(f.relative_to(tmp_path / "out")) for f in (tmp_path / "out").rglob("*.*")} == {
        *names,
        "export.json",
    }
    assert marker["photos"]["reference"] == "c" and marker["photos"]["params"]["keypoints"] > 0
    folder = tmp_path / "out/photos"
    phone, reference = read_photo(folder / "p/two.png"), read_photo(folder / "c/two.png")
    assert np.array_equal(phone, read_photo(aligned / "photos/p/two.png"))
    mask = read_mask(tmp_path / "out", "two")
    assert mask.shape == phone.shape[:2] and set(np.unique(mask)) <= {0, 255}
    assert 0.02 < (mask == 0).mean() < 0.1
    assert np.abs(phone.astype(int) - reference)[mask > 0].mean() < 6


def test_the_reference_is_warped_once_as_patches_are(aligned: Path, tmp_path: Path) -> None:
    export(aligned, tmp_path / "out")
    with open_alignments(aligned / "a.h5") as alignments:
        alignment = alignments["two"]
    source = low_pass(read_photo(aligned / "photos/c/two.png"), alignment.reference_scale())
    where = alignment.to_reference(square_centres(range(WIDTH), range(HEIGHT), 1))
    expected = warp(source, where)
    mask = read_mask(tmp_path / "out", "two") > 0
    exported = read_photo(tmp_path / "out/photos/c/two.png")
    assert np.abs(expected.astype(int) - exported)[mask].max() <= 3


@pytest.mark.parametrize("crop", [(), ("--crop",)])
def test_exported_photos_align_with_no_shift(
    aligned: Path, tmp_path: Path, crop: tuple[str, ...]
) -> None:
    """Takes seconds, for two pairs are aligned."""
    export(aligned, tmp_path / "out", *crop)
    align(tmp_path, "out/photos", "again.h5")
    with open_alignments(tmp_path / "again.h5") as alignments:
        for stem in ("one more", "two"):
            alignment = alignments[stem]
            width, height = alignment.phone_size
            points = square_centres(range(width // 8), range(height // 8), 8)
            mask = read_mask(tmp_path / "out", stem)[4::8, 4::8][: height // 8, : width // 8]
            off = np.linalg.norm(alignment.to_reference(points) - points, axis=-1)[mask > 0]
            assert np.median(off) < 0.1 and np.quantile(off, 0.95) < 0.6


def test_the_common_crop_alone(aligned: Path, tmp_path: Path) -> None:
    whole, cropped = tmp_path / "whole", tmp_path / "cropped"
    export(aligned, whole)
    pairs = export(aligned, cropped, "--crop")["photos"]["pairs"]
    x0, y0, x1, y1 = pairs[0]["crop"]
    assert pairs[0]["size"] == [x1 - x0, y1 - y0] and pairs[0]["valid"] == 1
    for camera in ("p", "c"):
        part = read_photo(cropped / f"photos/{camera}/one more.png")
        assert np.array_equal(
            part, read_photo(whole / f"photos/{camera}/one more.png")[y0:y1, x0:x1]
        )


def test_tiff_keeps_16_bits_where_a_photo_has_them(aligned: Path, tmp_path: Path) -> None:
    marker = export(aligned, tmp_path / "out", "--format", "tiff")
    assert marker["photos"]["pairs"][1]["bits"] == {"phone": 8, "reference": 16}
    export(aligned, tmp_path / "eight")
    deep = read_deep_photo(tmp_path / "out/photos/c/two.tif")
    flat = read_photo(tmp_path / "eight/photos/c/two.png")
    assert deep.dtype == np.uint16 and len(np.unique(deep)) > 1000
    assert np.abs(deep / 257 - flat).max() < 2
    phone = read_deep_photo(tmp_path / "out/photos/p/two.tif")
    assert np.array_equal(phone, read_photo(aligned / "photos/p/two.png"))


def test_an_interrupted_export_goes_on(
    aligned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, write = tmp_path / "out", export_pair.read_aligned

    def stop_at_two(pair, *more):  # type: ignore[no-untyped-def]
        if pair.stem == "two":
            raise KeyboardInterrupt
        return write(pair, *more)

    monkeypatch.setattr(export_pair, "read_aligned", stop_at_two)
    assert run(aligned, *arguments(out)).returncode == 130
    assert not (out / "export.json").exists()
    assert (out / "export-unfinished.json").exists()
    monkeypatch.setattr(export_pair, "read_aligned", write)
    done = run(aligned, *arguments(out))
    assert "1 pairs had been done by an earlier run" in done.stdout
    assert {path.name for path in out.iterdir()} == {"photos", "export.json"}
    marker = json.loads((out / "export.json").read_text())
    assert marker == export(aligned, tmp_path / "fresh")


def test_what_an_earlier_run_wrote_is_looked_at(
    aligned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pair whose file was damaged or removed meanwhile is written again."""
    out = tmp_path / "out"
    monkeypatch.setattr("pipeline.tools.export_pairs.ExportFolder.finish", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(aligned, *arguments(out))
    (out / "photos/c/two.png").write_bytes(b"damaged")
    monkeypatch.undo()
    assert export(aligned, out) == export(aligned, tmp_path / "fresh")
    assert read_photo(out / "photos/c/two.png").shape == (HEIGHT, WIDTH, 3)


def test_refusals(aligned: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    other = ("--phone", "q")
    assert "its phone is p, not q" in refusal(aligned, *arguments(out), *other)
    assert "give both" in refusal(aligned, *arguments(out, "--patch-set", "x.h5"))
    assert "nothing to export" in refusal(aligned, *arguments(out, "--no-photos"))
    missing = refusal(aligned, *arguments(out, "--patches", "--patch-set", "x.h5"))
    assert "x.h5: no such file; make it with 'ppcn-pipeline patches'" in missing
    assert not out.exists()
    assert "holds files of no export" in refusal(aligned, *arguments(aligned))
    copy = tmp_path / "copy"
    shutil.copytree(aligned, copy)
    shutil.copy(copy / "photos/p/two.png", copy / "photos/p/one more.png")
    assert "one more.png: changed since it was aligned" in refusal(copy, *arguments(out))
    assert not (out / "export.json").exists()


@pytest.mark.parametrize("names", [("mask", "c"), ("p", "P"), ("..", "c")])
def test_folders_that_would_be_one_are_refused(names: tuple[str, str]) -> None:
    with pytest.raises(UserError, match="name"):
        check_folder_names(*names)
