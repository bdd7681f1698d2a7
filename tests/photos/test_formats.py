"""The table of formats: complete, consistent, and true of what readers and writers do."""

from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image
from test_camera_raw import write_dng

from ppcn.errors import UserError
from ppcn.photos.decode import camera_model, list_photos, read_photo
from ppcn.photos.formats import (
    BY_NAME,
    BY_SUFFIX,
    FORMATS,
    SUFFIXES,
    WRITTEN,
    EncodeOptions,
    PhotoFormat,
    format_to_write,
    recognize,
    result_suffix,
)
from ppcn.photos.header import Metadata
from ppcn.photos.photo_file import PhotoFile

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'
each_format = pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)


def pixels(alpha: bool = False, depth: int = 8) -> np.ndarray:
    """Smooth, (48, 64, 3 or 4)."""
    y, x = np.mgrid[0:48, 0:64]
    smooth = np.stack((x * 3, y * 4, x + y, 255 - x), axis=-1)[..., : 4 if alpha else 3]
    return smooth.astype(np.uint8) if depth == 8 else smooth.astype(np.uint16) * 257


def sample(folder: Path, row: PhotoFormat) -> Path:
    """A photo of a format, written by Pillow or pillow-heif, or as DNG."""
    path = folder / f"sample{row.suffixes[0]}"
    if row.name == "RAW":
        encoded = pixels() / 255
        linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
        return write_dng(folder / "sample.dng", linear)
    if row.name != "HEIF":
        Image.fromarray(pixels()).save(path, row.name)
    else:
        pillow_heif.from_pillow(Image.fromarray(pixels())).save(path)
    return path


def test_every_suffix_belongs_to_one_format() -> None:
    suffixes = [suffix for row in FORMATS for suffix in row.suffixes]
    assert sorted(suffixes) == list(SUFFIXES)
    assert all(s.startswith(".") and s == s.lower() and BY_SUFFIX[s].suffixes for s in suffixes)
    assert len(BY_NAME) == len(FORMATS)
    assert WRITTEN == ("jpg", "png", "tiff", "webp")


@each_format
def test_every_row_is_complete(row: PhotoFormat) -> None:
    assert (row.writer is None) == (row.becomes is not None), "written, or as another format"
    if row.becomes:
        assert BY_NAME[row.becomes].writer
    out = Path(f"a{row.suffixes[-1].upper()}")
    assert result_suffix(out) == (
        out.suffix if row.writer else BY_NAME[row.becomes or ""].suffixes[0]
    )


@each_format
def test_every_format_is_recognised_and_read_alike_whole_and_streamed(
    tmp_path: Path, row: PhotoFormat
) -> None:
    path = sample(tmp_path, row)
    assert recognize(path) is row
    assert list(list_photos(tmp_path)) == ["sample"]
    whole = read_photo(path)
    assert np.abs(whole.astype(int) - pixels()).max() <= 40
    streamed = PhotoFile(path).decode(tmp_path)
    rows = streamed.read(0, 48) * (255 / streamed.white)
    assert np.abs(rows - whole).max() <= 1


@pytest.mark.parametrize("row", [r for r in FORMATS if r.writer], ids=lambda row: row.name)
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
def test_every_writer_keeps_what_its_format_holds(
    tmp_path: Path, row: PhotoFormat, alpha: bool, depth: int
) -> None:
    source, out = tmp_path / "a.png", tmp_path / f"b{row.suffixes[0]}"
    write_png(source, alpha, depth)
    photo = PhotoFile(source)
    result = photo.decode(tmp_path)
    if alpha and "transparency" not in row.holds:
        with pytest.raises(UserError, match=f"{row.name} holds no transparency; write PNG, TIFF"):
            photo.encode(result, out, EncodeOptions(100), tmp_path)
        return
    photo.encode(result, out, EncodeOptions(100), tmp_path)
    assert recognize(out) is row
    written = PhotoFile(out)
    assert written.has_alpha == alpha
    assert bool(written.metadata.exif) == ("EXIF" in row.holds)
    assert written.metadata.camera() == ("Apple iPhone 3GS" if "EXIF" in row.holds else "")
    assert camera_model(out) == written.metadata.camera()
    assert written.metadata.xmp == (XMP if "XMP" in row.holds else b"")
    again = written.decode(tmp_path)
    assert again.depth == (depth if "16 bits" in row.holds else 8)
    assert np.abs(read_photo(out).astype(int) - pixels()).max() <= 12


def write_png(path: Path, alpha: bool, depth: int) -> None:
    """A PNG with EXIF and XMP."""
    image = pixels(alpha, depth)
    channels = [2, 1, 0, 3][: image.shape[2]]
    cv2.imwrite(str(path), image[..., channels])
    exif = Image.Exif()
    exif.update({0x010F: "Apple", 0x0110: "iPhone 3GS"})
    png = BY_NAME["PNG"].writer
    assert png
    png.insert(path, Metadata(exif.tobytes().removeprefix(b"Exif\0\0"), XMP))


def test_what_no_writer_can_hold_is_refused() -> None:
    with pytest.raises(UserError, match=r"a\.heic: .*choose from jpg, png, tiff, webp"):
        format_to_write(Path("a.heic"), 10, False)
    for row in FORMATS:
        if row.largest_side:
            out = Path(f"a{row.suffixes[0]}")
            assert format_to_write(out, row.largest_side, False)[0] is row
            with pytest.raises(UserError, match=f"{row.name} holds {row.largest_side} px a side"):
                format_to_write(out, row.largest_side + 1, False)
