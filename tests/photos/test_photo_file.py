"""Photos with all that their files hold, through libvips and back."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms, PngImagePlugin

from ppcn.errors import UserError
from ppcn.photos import photo_file
from ppcn.photos.containers.jpeg_file import jpeg_problem
from ppcn.photos.decode import read_photo
from ppcn.photos.exif import corrected
from ppcn.photos.formats import EncodeOptions
from ppcn.photos.header import Change, Metadata
from ppcn.photos.photo_file import PhotoFile, write_comparison
from ppcn.photos.raw_photo import RawPhoto

XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    b'<?xpacket end="w"?>'
)
MAKER_NOTE = b"Maker\0\0\1" + bytes(range(200))
SUFFIXES = (".jpg", ".png", ".webp", ".tif")


def exif_of(orientation: int) -> Image.Exif:
    """Known and unknown tags, a maker's note, a place."""
    exif = Image.Exif()
    exif.update({0x0112: orientation, 0x010F: "Apple", 0x0110: "iPhone 3GS", 0x9C9B: b"t\0"})
    own = exif.get_ifd(0x8769)
    own.update({0x9003: "2024:05:01 12:30:00", 0x927C: MAKER_NOTE, 0xABCD: "unknown"})
    own.update({0xA002: 60, 0xA003: 40})
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 30.0, 15.25)})
    return exif


def tags_of(path: Path) -> dict[object, object]:
    """EXIF, less what describes the pixels of a TIFF."""
    with Image.open(path) as file:
        exif = file.getexif()
        tags = {tag: value for tag, value in exif.items() if tag in exif_of(1) or tag > 0x9000}
        tags = {tag: value for tag, value in tags.items() if tag not in (0x8769, 0x8825)}
        return tags | {
            (ifd, t): v for ifd in (0x8769, 0x8825) for t, v in exif.get_ifd(ifd).items()
        }


def pixels_of(height: int = 40, width: int = 60) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack((x * 4, y * 6, (x + y) * 2), axis=-1).astype(np.uint8)


def save(path: Path, pixels: np.ndarray, orientation: int = 1, **options: object) -> None:
    image = Image.fromarray(pixels)
    options["exif"] = exif_of(orientation)
    if path.suffix == ".png":
        options["pnginfo"] = info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    elif path.suffix == ".tif":
        options["exif"][700] = XMP
        options["exif"] = options["exif"].tobytes()
    else:
        options |= {"xmp": XMP, "quality": 95, "lossless": True}
    image.save(path, **options)


def same_again(
    path: Path, out: Path, strength: float = 1.0, options: EncodeOptions | None = None
) -> None:
    """Write a photo whose network changes nothing."""
    photo = PhotoFile(path)
    photo.encode(photo.decode(path.parent), out, options or EncodeOptions(), path.parent, strength)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_nothing_is_lost_and_orientation_is_made_upright(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    path, out = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    save(path, pixels_of(), orientation)
    photo = PhotoFile(path)
    assert photo.metadata.camera() == "Apple iPhone 3GS"
    upright = read_photo(path)
    assert (photo.height, photo.width) == upright.shape[:2]
    raw = photo.decode(tmp_path)
    assert np.array_equal(raw.read(0, raw.height), upright)
    assert np.array_equal(raw.read(7, 19), upright[7:19])
    same_again(path, out)
    if suffix in (".png", ".tif"):
        assert np.array_equal(read_photo(out), upright)
    turned = orientation >= 5
    size = {(0x8769, 0xA002): 40 if turned else 60, (0x8769, 0xA003): 60 if turned else 40}
    assert tags_of(out) == tags_of(path) | {0x0112: 1} | size
    assert PhotoFile(out).metadata.xmp == XMP.replace(b'Orientation="6"', b'Orientation="1"')


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_strength_0_keeps_every_pixel_and_every_byte_of_exif(tmp_path: Path, suffix: str) -> None:
    path, out = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    save(path, pixels_of())
    photo = PhotoFile(path)
    changed = RawPhoto(tmp_path / "changed.raw", 40, 60, 8)
    changed.write([(0, 0, np.ones((40, 60, 3), np.float32))])
    photo.encode(changed, out, EncodeOptions(), tmp_path, strength=0)
    assert np.array_equal(read_photo(out), read_photo(path))
    if suffix == ".png":
        assert PhotoFile(out).metadata.exif == photo.metadata.exif
    photo.encode(changed, out, EncodeOptions(), tmp_path, strength=0.25)
    expected = np.rint(pixels_of() * 0.75 + 255 * 0.25)
    assert np.abs(read_photo(out) - expected).max() <= 0.5


def wide_profile() -> bytes:
    """A profile with other colours than sRGB's: libvips' Display P3."""
    image = pyvips.Image.black(8, 8, bands=3).copy(interpretation="srgb")
    return image.icc_transform("p3", input_profile="srgb").get("icc-profile-data")


def test_wide_colours_are_kept(tmp_path: Path) -> None:
    """Saturated Display P3, which sRGB cannot hold, comes back."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (40, 60, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=wide_profile())
    same_again(tmp_path / "a.png", tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as file:
        assert file.info["icc_profile"] == wide_profile()
        assert np.array_equal(np.asarray(file), pixels)


def test_a_network_sees_srgb_and_its_result_is_turned_back(tmp_path: Path) -> None:
    pixels = np.full((16, 16, 3), (200, 100, 60), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=wide_profile())
    photo = PhotoFile(tmp_path / "a.png")
    raw = photo.decode(tmp_path)
    assert raw.depth == 16
    decoded = raw.read(0, 16)[0, 0] / 257
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(wide_profile())),
        ImageCms.createProfile("sRGB"),
        "RGB",
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    expected = np.asarray(ImageCms.applyTransform(Image.fromarray(pixels), transform))[0, 0]
    assert np.abs(decoded - expected).max() <= 1
    darker = raw.enlarged(tmp_path / "darker.raw", 1)
    darker.write([(0, 0, raw.read(0, 16) / np.float32(65535) * np.float32(0.5))])
    photo.encode(darker, tmp_path / "b.png", EncodeOptions(), tmp_path)
    written = np.asarray(Image.open(tmp_path / "b.png"))[0, 0]
    # Half of sRGB's numbers is about half of Display P3's, whose curve is the same.
    assert np.abs(written - pixels[0, 0] / 2.0).max() <= 2


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_stay_sixteen(tmp_path: Path, suffix: str) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 65536, (30, 20, 3)).astype(np.uint16)
    path, out = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    pyvips.Image.new_from_array(pixels).copy(interpretation="rgb16").write_to_file(str(path))
    same_again(path, out)
    written = pyvips.Image.new_from_file(str(out))
    assert np.array_equal(written.numpy(), pixels)
    same_again(path, tmp_path / "b.jpg")
    assert read_photo(tmp_path / "b.jpg").shape == (30, 20, 3)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "1", "P", "PA"])
def test_grey_palettes_and_transparency(tmp_path: Path, mode: str) -> None:
    base = Image.fromarray(
        np.dstack((pixels_of(), np.arange(2400).reshape(40, 60) % 256)).astype(np.uint8)
    )
    image = base.convert("RGB").convert("P") if mode[0] == "P" else base.convert(mode)
    options = {"transparency": 3} if mode == "PA" else {}
    image.save(tmp_path / "a.png", **options)
    same_again(tmp_path / "a.png", tmp_path / "b.png")
    before, after = (Image.open(tmp_path / name) for name in ("a.png", "b.png"))
    assert ("A" in after.mode) == (mode in ("LA", "RGBA", "PA"))
    assert (after.mode in ("L", "LA")) == (mode in ("L", "LA", "1"))
    difference = np.asarray(before.convert("RGBA")).astype(int) - np.asarray(after.convert("RGBA"))
    assert np.abs(difference).max() == 0


def test_an_enlarged_photo_keeps_its_transparency(tmp_path: Path) -> None:
    pixels = np.dstack((pixels_of(), np.full((40, 60), 77))).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    photo = PhotoFile(tmp_path / "a.png")
    larger = photo.decode(tmp_path).enlarged(tmp_path / "larger.raw", 4)
    larger.write((top, 0, np.zeros((16, 240, 3), np.float32)) for top in range(0, 160, 16))
    photo.encode(larger, tmp_path / "b.png", EncodeOptions(), tmp_path)
    written = np.asarray(Image.open(tmp_path / "b.png"))
    assert written.shape == (160, 240, 4)
    assert (written[..., 3] == 77).all()
    with pytest.raises(UserError, match=r"b\.jpg: JPEG holds no transparency; write PNG"):
        photo.encode(larger, tmp_path / "b.jpg", EncodeOptions(), tmp_path)
    assert not (tmp_path / "b.jpg").exists()


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (20, 10), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    same_again(tmp_path / "a.jpg", tmp_path / "b.jpg")
    with Image.open(tmp_path / "b.jpg") as file:
        assert file.mode == "RGB"
        red, green, blue = file.getpixel((5, 5))
        assert red > 180 > 80 > max(green, blue)
        assert "icc_profile" not in file.info


def test_heic_becomes_jpeg_with_its_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pillow_heif

    y, x = np.mgrid[0:64, 0:64]
    smooth = np.stack((x * 2, y * 3, x + y), axis=-1).astype(np.uint8)
    heif = pillow_heif.from_pillow(Image.fromarray(smooth))
    heif.save(tmp_path / "a.heic", quality=-1, exif=exif_of(1).tobytes(), xmp=XMP)
    upright = read_photo(tmp_path / "a.heic")
    same_again(tmp_path / "a.heic", tmp_path / "b.jpg", options=EncodeOptions(quality=100))
    assert PhotoFile(tmp_path / "b.jpg").metadata.camera() == "Apple iPhone 3GS"
    assert np.abs(read_photo(tmp_path / "b.jpg").astype(int) - upright).max() < 12
    monkeypatch.setattr(photo_file, "LARGEST", 4000)
    with pytest.raises(UserError, match=r"a\.heic: more than a billion pixels"):
        PhotoFile(tmp_path / "a.heic")


def test_jpeg_is_encoded_with_the_options(tmp_path: Path) -> None:
    save(tmp_path / "a.png", pixels_of())
    sizes, sampling = [], []
    for settings in ((60,), (95,), (95, "4:2:0"), (60, "4:4:4")):
        same_again(tmp_path / "a.png", tmp_path / "b.jpg", options=EncodeOptions(*settings))
        sizes.append((tmp_path / "b.jpg").stat().st_size)
        with Image.open(tmp_path / "b.jpg") as file:
            sampling.append(file.layer[0][1:3] == (1, 1))
    assert sampling == [False, True, False, True]
    assert sizes[0] < sizes[2] < sizes[1]


def test_a_stale_thumbnail_is_cut_off(tmp_path: Path) -> None:
    """First directory without entries, linked to a second one at 14."""
    exif = b"II*\0" + struct.pack("<IHIHI", 8, 0, 14, 0, 0)
    for keeps, link, names in ((True, 14, ()), (False, 0, ("EXIF thumbnail",))):
        block, dropped = corrected(exif, (10, 10), keeps_thumbnail=keeps)
        assert struct.unpack_from("<I", block, 10) == (link,)
        assert dropped == names


def test_damaged_exif_is_passed_on(tmp_path: Path) -> None:
    for exif in (b"", b"II", b"II*\0\xff\xff\xff\xff", b"MM\0*" + bytes(6), b"rubbish"):
        fitted, _ = Metadata(exif).for_picture(Change(10, 10))
        assert fitted.exif[:2] == exif[:2]
        assert Metadata(exif).camera() == ""


def test_too_much_metadata_for_a_jpeg_is_refused_before_anything_is_computed(
    tmp_path: Path,
) -> None:
    exif = Image.Exif()
    exif[0x9C9C] = bytes(70_000)
    Image.fromarray(pixels_of()).save(tmp_path / "a.png", exif=exif)
    photo = PhotoFile(tmp_path / "a.png")
    photo.check(tmp_path / "b.png")
    with pytest.raises(UserError, match=r"a\.png: \d+ bytes of EXIF do not fit into a JPEG; write"):
        photo.check(tmp_path / "b.jpg")
    photo.check(tmp_path / "b.jpg", is_stripped=True)
    assert jpeg_problem(Metadata(profile=bytes(2**24)), 0)


def test_sides_that_a_kind_of_file_cannot_have_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (17000, 2)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="WebP holds 16383 px a side at most, not 17000"):
        same_again(tmp_path / "a.png", tmp_path / "b.webp")


def test_pieces_go_where_they_belong(tmp_path: Path) -> None:
    pixels = pixels_of()
    raw = RawPhoto(tmp_path / "a.raw", 40, 60, 16)
    raw.write(
        (top, left, pixels[top : top + 30, left : left + 25] / np.float32(255))
        for top in (0, 30)
        for left in (0, 25, 50)
    )
    assert np.array_equal(raw.read(0, 40), pixels.astype(np.uint16) * 257)


def test_photo_and_result_side_by_side(tmp_path: Path) -> None:
    before, after = (RawPhoto(tmp_path / f"{n}.raw", 10 * n, 20 * n, 8) for n in (1, 4))
    before.write([(0, 0, np.zeros((10, 20, 3), np.float32))])
    after.write([(0, 0, np.ones((40, 80, 3), np.float32))])
    write_comparison(before, after, tmp_path / "c.jpg")
    pixels = read_photo(tmp_path / "c.jpg")
    assert pixels.shape == (40, 160, 3)
    assert pixels[:, :76].max() < 10
    assert pixels[:, 84:].min() > 245
