"""Small photo files of every format, depth and layout, with what cameras store beside pixels."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

HEIGHT, WIDTH = 32, 48
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" tiff:ImageWidth="48"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
MODES = ("1", "L", "LA", "P", "RGB", "RGBA")


def make_seeds() -> Iterator[tuple[str, bytes]]:
    """Names and contents."""
    pillow_heif.register_heif_opener()
    yield from _jpegs()
    yield from _pngs()
    yield from _tiffs()
    for lossless in (False, True):
        for mode in ("RGB", "RGBA"):
            name = f"{mode}{'-lossless' if lossless else ''}.webp"
            yield name, _saved(mode, "WEBP", lossless=lossless, **_everything())
    for mode in ("RGB", "RGBA"):
        yield f"{mode}.avif", _saved(mode, "AVIF", **_everything())
        yield f"{mode}.heic", _saved(mode, "HEIF", **_everything())
    for mode in ("1", "L", "P", "RGB"):
        yield f"{mode}.bmp", _saved(mode, "BMP")
    yield "deep.heic", _deep_heic()


def _jpegs() -> Iterator[tuple[str, bytes]]:
    for mode in ("L", "RGB", "CMYK"):
        for progressive in (False, True):
            name = f"{mode}{'-progressive' if progressive else ''}.jpg"
            more = {"progressive": progressive, "comment": b"A comment", **_everything(mode)}
            yield name, _saved(mode, "JPEG", **more)
    yield "plain.jpg", _saved("RGB", "JPEG", quality=95, subsampling=0)


def _pngs() -> Iterator[tuple[str, bytes]]:
    for mode in MODES:
        info = PngInfo()
        info.add_text("Comment", "A comment")
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        more = _everything(mode)
        yield f"{mode}.png", _saved(mode, "PNG", pnginfo=info, exif=more["exif"])
        yield f"{mode}-profile.png", _saved(mode, "PNG", **more)
    yield "P-transparent.png", _saved("P", "PNG", transparency=3)
    yield "RGB-transparent.png", _saved("RGB", "PNG", transparency=(1, 2, 3))
    for channels in (1, 3, 4):
        done, data = cv2.imencode(".png", _deep(channels))
        if done:
            yield f"deep-{channels}.png", data.tobytes()


def _tiffs() -> Iterator[tuple[str, bytes]]:
    for mode in (*MODES, "CMYK", "LAB"):
        yield f"{mode}.tif", _saved(mode, "TIFF", **_everything(mode))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        yield f"{compression}.tif", _saved("RGB", "TIFF", compression=compression)
    pixels = _deep(3)
    arrays: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
        "deep-1": (_deep(1), {"photometric": "minisblack"}),
        "deep-3": (pixels, {"photometric": "rgb"}),
        "deep-4": (_deep(4), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        "deep-5": (_deep(5), {"photometric": "rgb", "extrasamples": [0, 0]}),
        "white": (_deep(1), {"photometric": "miniswhite"}),
        "planes": (np.moveaxis(pixels, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}),
        "float": ((pixels / 65535).astype(np.float32), {"photometric": "rgb"}),
        "tiles": (pixels, {"photometric": "rgb", "tile": (16, 16)}),
        "32": (pixels.astype(np.uint32) << 16, {"photometric": "rgb"}),
    }
    for name, (array, more) in arrays.items():
        for big in (False, True):
            buffer = io.BytesIO()
            with tifffile.TiffWriter(buffer, bigtiff=big) as file:
                file.write(array, **more)
            yield f"{name}{'-big' if big else ''}.tif", buffer.getvalue()


def _saved(mode: str, file_format: str, **more: Any) -> bytes:
    buffer = io.BytesIO()
    _photo(mode).save(buffer, file_format, **more)
    return buffer.getvalue()


def _everything(mode: str = "RGB") -> dict[str, Any]:
    """EXIF with a thumbnail's place, GPS and a maker's note; XMP; and a profile."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Maker", "Model 1"
    exif[ExifTags.Base.Orientation] = 6
    own = exif.get_ifd(ExifTags.IFD.Exif)
    own[ExifTags.Base.DateTimeOriginal] = "2024:05:01 12:30:00"
    own[ExifTags.Base.OffsetTimeOriginal] = "+02:00"
    own[ExifTags.Base.ExifImageWidth], own[ExifTags.Base.ExifImageHeight] = WIDTH, HEIGHT
    own[ExifTags.Base.MakerNote] = bytes(range(64))
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    more: dict[str, Any] = {"exif": exif.tobytes()}
    if mode in ("RGB", "RGBA"):
        # Not named sRGB, so that it counts as another.
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        more["icc_profile"] = profile.replace(b"sRGB", b"aRGB").replace(b"s\0R\0G", b"a\0R\0G")
    if mode != "LAB":
        more["xmp"] = XMP
    return more


def _photo(mode: str) -> Image.Image:
    """A gradient with noise."""
    rgb = Image.fromarray((_deep(3) >> 8).astype(np.uint8))
    if mode == "LAB":
        return Image.frombytes("LAB", rgb.size, rgb.tobytes())
    if mode in ("LA", "RGBA"):
        rgb.putalpha(Image.fromarray((_deep(1) >> 8).astype(np.uint8)))
    return rgb.convert(mode)


def _deep(channels: int) -> NDArray[np.uint16]:
    """(H, W) or (H, W, channels) of 16 bits."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    planes = [(x * (300 + 90 * c) + y * 700 + 4000 * c) % 60000 for c in range(channels)]
    noise = np.random.default_rng(0).integers(0, 4000, (HEIGHT, WIDTH, channels))
    pixels = (np.stack(planes, axis=-1) + noise).astype(np.uint16)
    return pixels[..., 0] if channels == 1 else pixels


def _deep_heic() -> bytes:
    buffer = io.BytesIO()
    pixels = np.ascontiguousarray(_deep(3))
    file = pillow_heif.from_bytes("RGB;16", (WIDTH, HEIGHT), pixels.tobytes())
    file.save(buffer, save_nclx_profile=True)
    return buffer.getvalue()


def seeds_of(folder: Path, largest: int) -> list[tuple[str, bytes]]:
    """Names and contents of a folder's files of at most so many bytes."""
    paths = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix != ".txt")
    return [(p.name, p.read_bytes()) for p in paths if p.stat().st_size <= largest]
