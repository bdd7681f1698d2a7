"""Raw photos: known by their content, developed as the scene was, and refused where damaged."""

import io
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from conftest import PARAMS, ROOT, run
from PIL import Image

from ppcn.dataset.aligned_pairs import open_aligned_pairs
from ppcn.errors import UserError
from ppcn.photos.camera_raw import (
    RAW_SUFFIXES,
    develop_raw,
    is_raw,
    prefer_sidecars,
    raw_exif,
    raw_size,
)
from ppcn.photos.decode import read_photo, write_photo
from ppcn.photos.exif import camera_of, time_of

HEIGHT, WIDTH = 64, 96
NEUTRAL = (0.5, 1.0, 0.625)
# Of XYZ to linear sRGB: a camera whose colours are those of sRGB.
MATRIX = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)
Tags = dict[int, tuple[str, Any]]


def scene(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Smooth linear RGB in [0, 0.85], different in each corner."""
    y, x = np.mgrid[0:height, 0:width] / np.reshape((height, width), (2, 1, 1))
    return np.stack((0.1 + 0.7 * x, 0.15 + 0.5 * y, 0.8 - 0.4 * x - 0.3 * y), axis=-1)


def encoded(linear: np.ndarray) -> np.ndarray:
    """The curve of sRGB, in levels of 16 bits."""
    low = linear * 12.92
    return np.where(linear < 0.0031308, low, 1.055 * linear.clip(1e-9) ** (1 / 2.4) - 0.055) * 65535


def mosaic(camera: np.ndarray) -> np.ndarray:
    """RGGB."""
    sensor = camera[..., 1].copy()
    sensor[::2, ::2], sensor[1::2, 1::2] = camera[::2, ::2, 0], camera[1::2, 1::2, 2]
    return sensor


def directory(order: str, at: int, tags: Tags, following: int = 0) -> bytes:
    """A directory that begins at a byte of the file: kind (of struct, s, or r) and values."""
    kinds = {"B": 1, "s": 2, "H": 3, "I": 4, "r": 5, "R": 10}
    values, block = b"", struct.pack(order + "H", len(tags))
    room = at + 2 + 12 * len(tags) + 4
    for tag, (kind, value) in sorted(tags.items()):
        if kind == "s":
            data, count = value.encode() + b"\0", len(value) + 1
        elif kind in "rR":
            pairs = [part for v in value for part in (round(v * 10000), 10000)]
            data = struct.pack(f"{order}{len(pairs)}{'I' if kind == 'r' else 'i'}", *pairs)
            count = len(value)
        else:
            data, count = struct.pack(f"{order}{len(value)}{kind}", *value), len(value)
        field = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(order + "I", room)
        if len(data) > 4:
            data += b"\0" * (len(data) % 2)
            values, room = values + data, room + len(data)
        block += struct.pack(order + "HHI", tag, kinds[kind], count) + field
    return block + struct.pack(order + "I", following) + values


def write_dng(path: Path, linear: np.ndarray, **options: Any) -> Path:
    """A DNG with a thumbnail of 8x8 px in its main directory and the sensor's data in another.

    Args:
        path: the file.
        linear: the scene, (H, W, 3) in [0, 1].
        options: `order` of bytes, `is_mosaic`, `neutral` (None for none), and `main` and `sensor`
            with tags for the two directories.
    """
    order, neutral = options.get("order", "<"), options.get("neutral", NEUTRAL)
    camera = (linear * (neutral or (1, 1, 1))).clip(0, 1)
    sensor = mosaic(camera) if options.get("is_mosaic", True) else camera
    samples = 1 if sensor.ndim == 2 else 3
    data = np.rint(sensor * 65535).astype(order + "u2").tobytes()
    height, width = sensor.shape[:2]
    raw: Tags = {
        **{254: ("I", [0]), 256: ("I", [width]), 257: ("I", [height]), 258: ("H", [16] * samples)},
        **{259: ("H", [1]), 262: ("H", [32803 if samples == 1 else 34892]), 273: ("I", [0])},
        **{277: ("H", [samples]), 278: ("I", [height]), 279: ("I", [len(data)]), 284: ("H", [1])},
        **({33421: ("H", [2, 2]), 33422: ("B", [0, 1, 1, 2])} if samples == 1 else {}),
        **{50717: ("I", [65535] * samples)},
        **options.get("sensor", {}),
    }
    own: Tags = {36867: ("s", "2024:05:01 12:30:00"), 37500: ("B", [7] * 900)}
    main: Tags = {
        **{254: ("I", [1]), 256: ("I", [8]), 257: ("I", [8]), 258: ("H", [8, 8, 8])},
        **{259: ("H", [1]), 262: ("H", [2]), 271: ("s", "Maker"), 272: ("s", "Camera 1")},
        **{273: ("I", [8]), 274: ("H", [1]), 277: ("H", [3]), 278: ("I", [8]), 279: ("I", [192])},
        **{330: ("I", [0]), 34665: ("I", [0]), 50706: ("B", [1, 4, 0, 0])},
        **{50708: ("s", "Maker Camera 1"), 50721: ("R", MATRIX), 50778: ("H", [21])},
        **({50728: ("r", neutral)} if neutral else {}),
        **options.get("main", {}),
    }
    begin = 8 + 192
    raw_at = begin + len(directory(order, begin, main))
    own_at = raw_at + len(directory(order, raw_at, raw))
    data_at = own_at + len(directory(order, own_at, own))
    main[330], main[34665], raw[273] = ("I", [raw_at]), ("I", [own_at]), ("I", [data_at])
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", begin)
    body = directory(order, begin, main) + directory(order, raw_at, raw)
    path.write_bytes(head + b"\x40" * 192 + body + directory(order, own_at, own) + data)
    return path


def error_to(linear: np.ndarray, developed: np.ndarray) -> float:
    """The largest difference within borders, in levels of 8 bits."""
    difference = np.abs(developed - encoded(linear))[4:-4, 4:-4]
    return float(difference.max() / 257)


@pytest.mark.parametrize("is_mosaic", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_dng_is_developed_as_the_scene_was(tmp_path: Path, order: str, is_mosaic: bool) -> None:
    path = write_dng(tmp_path / "a.dng", scene(), order=order, is_mosaic=is_mosaic)
    assert is_raw(path)
    assert raw_size(path) == (WIDTH, HEIGHT)
    developed = develop_raw(path)
    assert developed.shape == (HEIGHT, WIDTH, 3)
    assert developed.dtype == np.uint16
    assert error_to(scene(), developed) < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_obeyed_as_pillow_does(tmp_path: Path, orientation: int) -> None:
    main = {274: ("H", [orientation])}
    path = write_dng(tmp_path / "a.dng", scene(), is_mosaic=False, main=main)
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
    channels = [Image.fromarray(scene()[..., c].astype(np.float32)) for c in range(3)]
    if orientation > 1:
        channels = [c.transpose(Image.Transpose(turns[orientation])) for c in channels]
    upright = np.stack([np.asarray(c) for c in channels], axis=-1)
    assert raw_size(path) == upright.shape[1::-1]
    assert error_to(upright, develop_raw(path)) < 2


def test_without_white_balance_colours_do_not_depend_on_the_picture(tmp_path: Path) -> None:
    red = scene() * (1, 0.3, 0.2)
    path = write_dng(tmp_path / "a.dng", red, neutral=None)
    assert error_to(red, develop_raw(path)) < 2


def test_what_is_blown_out_is_white(tmp_path: Path) -> None:
    path = write_dng(tmp_path / "a.dng", scene() * 4, is_mosaic=False)
    developed = develop_raw(path)
    assert error_to((scene() * 4).clip(0, 1), developed) < 2
    assert (developed[((scene() * 4) > 1.01).all(axis=2)] > 65000).all()


def test_the_part_that_the_camera_keeps_is_the_picture(tmp_path: Path) -> None:
    sensor = {50719: ("I", [6, 4]), 50720: ("I", [80, 56]), 50829: ("I", [2, 2, 64, 96])}
    turned = {274: ("H", [6])}
    path = write_dng(tmp_path / "a.dng", scene(), sensor=sensor, main=turned)
    assert raw_size(path) == (56, 80)
    kept = scene()[2 + 4 :, 2 + 6 :][:56, :80]
    assert error_to(np.rot90(kept, -1), develop_raw(path)) < 2


@pytest.mark.parametrize(("scale", "size"), [((2, 1), (192, 64)), ((1, 2), (96, 128))])
def test_pixels_that_are_not_square_are_stretched(
    tmp_path: Path, scale: tuple[int, int], size: tuple[int, int]
) -> None:
    path = write_dng(tmp_path / "a.dng", scene(), sensor={50718: ("r", scale)})
    assert raw_size(path) == size
    developed = develop_raw(path)
    assert developed.shape == (size[1], size[0], 3)
    assert error_to(scene(size[1], size[0]), developed) < 4


def test_a_sensor_without_colours_gives_grey(tmp_path: Path) -> None:
    grey = np.repeat(scene()[..., :1], 3, axis=2)
    sensor = {262: ("H", [34892]), 277: ("H", [1]), 50717: ("I", [65535])}
    main = {50721: ("R", (1.0, 1.0, 1.0))}
    path = write_dng(tmp_path / "a.dng", grey, neutral=None, sensor=sensor, main=main)
    developed = develop_raw(path)
    assert developed.shape == (HEIGHT, WIDTH, 3)
    assert (developed == developed[..., :1]).all()


def test_names_of_any_bytes_are_opened(tmp_path: Path) -> None:
    path = write_dng(tmp_path / "b\udcff.dng", scene())
    assert develop_raw(path).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    "head",
    [
        b"II*\0\x10\0\0\0CR\2\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
        b"FUJIFILMCCD-RAW 0201",
        *(b"IIRO\x08\0\0\0", b"IIRS\x08\0\0\0", b"MMOR\0\0\0\x08", b"IIU\0\x08\0\0\0"),
        *(b"\0MRM\0\0\0\0", b"FOVb\0\0\0\0", b"II\x1a\0\0\0HEAPCCDR"),
    ],
)
def test_makers_formats_are_known_by_their_first_bytes(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "photo"
    path.write_bytes(head)
    assert is_raw(path)
    with pytest.raises(UserError, match="photo: "):
        develop_raw(path)
    assert raw_exif(path) == b""


def test_usual_tiffs_and_others_are_not_raw(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    tifffile.imwrite(tmp_path / "plain.tif", pixels)
    tifffile.imwrite(tmp_path / "big.tif", pixels, bigtiff=True)
    with tifffile.TiffWriter(tmp_path / "preview.tif") as writer:
        writer.write(pixels, subifds=1)
        writer.write(pixels[::2, ::2], subfiletype=1)
    Image.fromarray(pixels).save(tmp_path / "a.jpg")
    (tmp_path / "empty").touch()
    for path in tmp_path.iterdir():
        assert not is_raw(path), path


def test_a_tiff_with_sensor_data_in_a_later_directory_is_raw(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32), np.uint16)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(pixels)
        writer.write(pixels, photometric=32803, extratags=[(33421, 3, 2, (2, 2))])
    assert is_raw(tmp_path / "a.tif")


@pytest.mark.parametrize("order", ["<", ">"])
def test_absurd_directories_neither_hang_nor_blow_up(tmp_path: Path, order: str) -> None:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHII", 330, 4, 0xFFFFFFFF, 8)
    below = struct.pack(order + "HHII", 330, 4, 200_000, 26)
    files = (
        struct.pack(order + "IH", 8, 0xFFFF),
        struct.pack(order + "IH", 0xFFFFFFF0, 1),
        struct.pack(order + "IH", 8, 1) + entry + struct.pack(order + "I", 8),
        struct.pack(order + "IH", 8, 1) + below + struct.pack(order + "I", 8) * 200_001,
        b"",
    )
    start = time.perf_counter()
    for number, body in enumerate(files):
        path = tmp_path / str(number)
        path.write_bytes(mark + body)
        assert not is_raw(path)
        assert raw_exif(path) == b""
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_files_that_are_cut_off_are_refused(tmp_path: Path, part: float) -> None:
    path = write_dng(tmp_path / "a.dng", scene())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(UserError, match=r"a\.dng: damaged photo"):
        develop_raw(path)
    with pytest.raises(UserError, match=r"a\.dng: damaged photo"):
        raw_size(path)


def test_missing_compressed_pixels_are_not_taken_for_black(tmp_path: Path) -> None:
    tiles = {322: ("I", [48]), 323: ("I", [64]), 324: ("I", [1000, 90000])}
    sensor = {**tiles, 325: ("I", [100, 100]), 259: ("H", [7])}
    path = write_dng(tmp_path / "a.dng", scene(), sensor=sensor)
    with pytest.raises(UserError, match="shorter than it says"):
        develop_raw(path)


@pytest.mark.parametrize("compression", [1, 7, 8])
@pytest.mark.parametrize("side", [5000, 40_000, 60_000, 1_000_000])
def test_sizes_that_no_file_could_hold_are_refused_at_once(
    tmp_path: Path, side: int, compression: int
) -> None:
    sensor = {256: ("I", [side]), 257: ("I", [side]), 259: ("H", [compression])}
    path = write_dng(tmp_path / "a.dng", scene(), sensor=sensor)
    start = time.perf_counter()
    for read in (raw_size, develop_raw):
        with pytest.raises(UserError, match=r"a\.dng: "):
            read(path)
    assert time.perf_counter() - start < 1


def test_damaged_bytes_give_pixels_or_a_sentence(tmp_path: Path) -> None:
    data = write_dng(tmp_path / "a.dng", scene()).read_bytes()
    generator = np.random.default_rng(0)
    for number in range(60):
        path = tmp_path / f"{number}.dng"
        broken = bytearray(data)
        for place in generator.integers(0, 1500, 4):
            broken[place] = generator.integers(256)
        path.write_bytes(broken)
        is_raw(path)
        raw_exif(path)
        try:
            assert develop_raw(path).shape[1::-1] == raw_size(path)
        except UserError as error:
            assert str(error).startswith(f"{path}: ")


def test_without_rawpy_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_dng(tmp_path / "a.dng", scene())
    monkeypatch.setitem(sys.modules, "rawpy", None)
    assert is_raw(path)
    for read in (raw_size, develop_raw):
        with pytest.raises(UserError, match=r"a\.dng: RAW: to read it, pip install 'ppcn\[raw\]'"):
            read(path)


def exif_from(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(block)
    return exif


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_says_what_the_photo_is_and_nothing_of_its_pixels(tmp_path: Path, order: str) -> None:
    main = {274: ("H", [6]), 33432: ("s", "Somebody"), 700: ("B", [60] * 40)}
    path = write_dng(tmp_path / "a.dng", scene(), order=order, main=main)
    exif = exif_from(raw_exif(path))
    assert set(exif) == {271, 272, 274, 33432, 34665}
    assert exif[274] == 1
    assert camera_of(exif) == "Maker Camera 1"
    assert str(time_of(exif)) == "2024-05-01 12:30:00"
    assert set(exif.get_ifd(34665)) == {36867}


@pytest.mark.skipif(not shutil.which("exiftool"), reason="no exiftool here")
def test_exiftool_reads_the_exif(tmp_path: Path) -> None:
    path = write_dng(tmp_path / "a.dng", scene(), order=">")
    photo = tmp_path / "a.jpg"
    Image.new("RGB", (8, 8)).save(photo, exif=b"Exif\0\0" + raw_exif(path))
    command = ["exiftool", "-s3", "-Make", "-Orientation#", "-DateTimeOriginal", "-validate"]
    told = subprocess.run([*command, photo], capture_output=True, text=True, check=True).stdout
    assert told.split("\n")[:3] == ["Maker", "1", "2024:05:01 12:30:00"]


def camera_exif() -> bytes:
    exif = Image.Exif()
    exif.update({271: "FUJIFILM", 272: "X100V", 274: 6})
    exif.get_ifd(34665)[36867] = "2024:05:01 12:30:00"
    exif.get_ifd(34853).update({1: "N", 2: (47.0, 30.0, 15.25)})
    return exif.tobytes()


def test_exif_of_raf_is_that_of_the_jpeg_within(tmp_path: Path) -> None:
    jpeg = io.BytesIO()
    Image.new("RGB", (8, 8)).save(jpeg, "JPEG", exif=camera_exif())
    data = b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + struct.pack(">II", 200, len(jpeg.getvalue()))
    path = tmp_path / "a.raf"
    path.write_bytes(data.ljust(200, b"\0") + jpeg.getvalue())
    exif = exif_from(raw_exif(path))
    assert camera_of(exif) == "FUJIFILM X100V"
    assert exif[274] == 1
    assert exif.get_ifd(34853)[2] == (47.0, 30.0, 15.25)


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def test_exif_of_cr3_is_put_together_from_its_boxes(tmp_path: Path) -> None:
    parts = {
        b"CMT1": {271: ("s", "Canon"), 272: ("s", "Canon EOS R6"), 274: ("H", [8])},
        b"CMT2": {36867: ("s", "2024:05:01 12:30:00"), 37500: ("B", [1] * 9)},
        b"CMT4": {1: ("s", "N"), 2: ("r", (47.0, 30.0, 15.25))},
    }
    boxes = b"".join(
        box(name, b"II*\0\x08\0\0\0" + directory("<", 8, tags)) for name, tags in parts.items()
    )
    canon = box(b"uuid", bytes.fromhex("85c0b687820f11e08111f4ce462b6a48") + boxes)
    path = tmp_path / "a.cr3"
    path.write_bytes(box(b"ftyp", b"crx \0\0\0\1crx isom") + box(b"moov", canon))
    exif = exif_from(raw_exif(path))
    assert camera_of(exif) == "Canon EOS R6"
    assert exif[274] == 1
    assert str(time_of(exif)) == "2024-05-01 12:30:00"
    assert exif.get_ifd(34853)[2] == (47.0, 30.0, 15.25)


def test_a_jpeg_beside_a_raw_photo_is_preferred() -> None:
    names = [
        "a/1.CR2",
        "a/1.jpg",
        "a/2.dng",
        "b/2.JPG",
        "a/3.NEF",
        "a/3.HEIC",
        "a/3.jpeg",
        "a/4.png",
    ]
    paths = [Path(name) for name in [*names, "a/IMG_5.arw", "a/img_5.JPG", "a/4.raf"]]
    kept, replaced = prefer_sidecars(iter(paths))
    assert {str(raw): str(jpeg) for raw, jpeg in replaced.items()} == {
        "a/1.CR2": "a/1.jpg",
        "a/3.NEF": "a/3.jpeg",
        "a/IMG_5.arw": "a/img_5.JPG",
    }
    assert kept == [path for path in paths if path not in replaced]


def test_raw_suffixes_are_lower_case_and_differ() -> None:
    assert len({*RAW_SUFFIXES}) == len(RAW_SUFFIXES)
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in RAW_SUFFIXES)


def test_enhance_develops_raw_photos_and_prefers_the_jpeg_beside_one(
    tmp_path: Path, weights: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.dng", "b.DNG"):
        write_dng(folder / name, scene())
    Image.fromarray((encoded(scene()) / 257).astype(np.uint8)).save(folder / "B.jpg")
    done = run(tmp_path, "enhance", "in", "--weights", weights, "--strength", 0, "--format", "tiff")
    assert done.returncode == 0, done.stderr
    assert "b.DNG: left out for B.jpg beside it" in done.stderr
    assert sorted(p.name for p in tmp_path.glob("enhanced/[!.]*")) == ["B.tiff", "a.tiff"]
    developed = tifffile.imread(tmp_path / "enhanced/a.tiff")
    assert developed.dtype == np.uint16
    assert np.abs(developed - encoded(scene()))[4:-4, 4:-4].max() < 3 * 257


def test_a_raw_photo_is_aligned_as_its_jpeg_is(tmp_path: Path) -> None:
    """A phone's DNG of a scene of the sample, against the better camera's JPEG."""
    photo = read_photo(ROOT / "data/sample/casa-mila.jpg")[300:1100, 500:1700] / 255
    linear = np.where(photo < 0.04045, photo / 12.92, ((photo + 0.055) / 1.055) ** 2.4)
    (tmp_path / "photos/phone").mkdir(parents=True)
    write_dng(tmp_path / "photos/phone/1.dng", linear)
    write_photo(tmp_path / "photos/camera/1.jpg", np.rint(photo[:-20, 30:] * 255).astype(np.uint8))
    edited = PARAMS.read_text().replace("phones:\n", "phones:\n  phone: null\n", 1)
    (tmp_path / "params.yaml").write_text(edited)
    common = ("--phone", "phone", "--root", "photos", "--reference", "camera")
    done = run(tmp_path, "align", *common)
    assert done.returncode == 0, done.stderr
    with open_aligned_pairs(tmp_path / "data/aligned/phone.h5") as pairs:
        assert pairs.aligned == ["1"]
