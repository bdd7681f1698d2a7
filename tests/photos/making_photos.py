"""Photo files of all kinds, made byte by byte or by other libraries than those under test."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pyvips
import tifffile
from PIL import Image, ImageCms

PROFILES = ("none", "sRGB", "P3", "own kind", "other kind", "broken")


def smooth(channels: int, depth: int = 8, height: int = 40, width: int = 56) -> np.ndarray:
    """Smooth pixels, (H, W) or (H, W, channels), over most of the range."""
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    planes = np.stack((0.1 + 0.7 * x, 0.15 + 0.7 * y, 0.2 + 0.3 * (x + y), 0.9 - 0.6 * x), -1)
    levels = planes[..., :channels] * (2**depth - 1)
    pixels = np.rint(levels).astype(np.uint8 if depth == 8 else np.uint16)
    return pixels[..., 0] if channels == 1 else pixels


def p3_profile() -> bytes:
    """libvips' Display P3."""
    return bytes(pyvips.Operation.call("profile_load", "p3"))


def cmyk_profile() -> bytes:
    """libvips' CMYK."""
    return bytes(pyvips.Operation.call("profile_load", "cmyk"))


def grey_profile(gamma: float = 1.8) -> bytes:
    """A grey profile of version 2, assembled from the standard's tables."""
    white = struct.pack(">3i", 63190, 65536, 54061)
    name = b"desc" + bytes(4) + struct.pack(">I", 5) + b"grey\0" + bytes(78)
    tags = {
        b"desc": name,
        b"cprt": b"text" + bytes(4) + b"CC0\0",
        b"wtpt": b"XYZ " + bytes(4) + white,
        b"kTRC": b"curv" + bytes(4) + struct.pack(">IHH", 1, round(gamma * 256), 0),
    }
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    head = bytearray(128)
    head[8:12], head[12:24], head[36:40] = b"\2\x40\0\0", b"mntrGRAYXYZ ", b"acsp"
    head[68:80] = white
    head[0:4] = struct.pack(">I", 128 + len(table) + len(body))
    return bytes(head) + table + body


def profile_of(name: str, kind: str) -> bytes | None:
    """A profile by its name in `PROFILES`, for pixels "L", "RGB" or "CMYK"."""
    own = {"L": grey_profile, "RGB": p3_profile, "CMYK": cmyk_profile}[kind]
    other = {"L": p3_profile, "RGB": grey_profile, "CMYK": p3_profile}[kind]
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    made = {"none": None, "sRGB": srgb, "P3": p3_profile(), "own kind": own()}
    return (made | {"other kind": other(), "broken": own()[:200]})[name]


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def write_png(path: Path, pixels: np.ndarray, *chunks: bytes, palette: bytes = b"") -> None:
    """A PNG of any channels and depth, with chunks before its pixels."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    kind = 3 if palette else {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    depth = 8 * pixels.dtype.itemsize
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(pixels.shape[0], -1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, kind, 0, 0, 0)
    before = png_chunk(b"IHDR", header) + b"".join(chunks)
    before += png_chunk(b"PLTE", palette) if palette else b""
    picture = png_chunk(b"IDAT", zlib.compress(data)) + png_chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + before + picture)


def write_photo(path: Path, pixels: np.ndarray, profile: bytes | None, kind: str = "RGB") -> None:
    """A file by its suffix: PNG, TIFF, JPEG, WebP, AVIF or HEIC."""
    if path.suffix == ".png":
        packed = zlib.compress(profile or b"")
        chunks = [png_chunk(b"iCCP", b"profile\0\0" + packed)] if profile else []
        write_png(path, pixels, *chunks)
    elif path.suffix == ".tif":
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        photometric = {"L": "minisblack", "RGB": "rgb", "CMYK": "separated"}[kind]
        colors = {"L": 1, "RGB": 3, "CMYK": 4}[kind]
        extra = {"extrasamples": ["unassalpha"]} if channels > colors else {}
        tifffile.imwrite(
            path,
            pixels,
            photometric=photometric,
            planarconfig="contig" if channels > 1 else None,
            iccprofile=profile,
            **extra,
        )
    elif path.suffix == ".heic":
        exact = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
        mode = {3: "RGB", 4: "RGBA"}[pixels.shape[2]] + (";16" if pixels.itemsize == 2 else "")
        extra = {"icc_profile": profile} if profile else {}
        size = (pixels.shape[1], pixels.shape[0])
        pillow_heif.encode(mode, size, pixels.tobytes(), str(path), **exact, **extra)
    else:
        mode = "CMYK" if kind == "CMYK" else None
        image = Image.fromarray(pixels, mode)
        options = {"quality": 100, "subsampling": 0 if path.suffix == ".jpg" else "4:4:4"}
        image.save(path, icc_profile=profile, lossless=True, **options)


def to_srgb(pixels: np.ndarray, profile: bytes | None, mode: str) -> np.ndarray:
    """8-bit colours as sRGB by LittleCMS; profiles that do not fit or are broken do not count."""
    image = Image.fromarray(pixels, mode)
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile or b""))
        fits = source.profile.xcolor_space.strip() == {"L": "GRAY"}.get(mode, mode)
        if fits:
            srgb = ImageCms.createProfile("sRGB")
            intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
            transform = ImageCms.buildTransform(source, srgb, mode, "RGB", intent)
            return np.asarray(ImageCms.applyTransform(image, transform))
    except (OSError, ImageCms.PyCMSError):
        pass
    return np.asarray(image.convert("RGB"))
