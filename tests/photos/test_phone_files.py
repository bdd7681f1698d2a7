"""What today's phones, browsers and editors write: the same picture, and nothing left untrue."""

import io
import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from making_photos import (
    p3_profile,
    png_chunk,
    smooth,
    to_srgb,
    write_photo,
    write_png,
)
from PIL import Image

from ppcn.errors import UserError
from ppcn.photos.decode import capture_time, read_photo
from ppcn.photos.formats import EncodeOptions
from ppcn.photos.header import Change, Metadata
from ppcn.photos.photo_file import PhotoFile

needs_exiftool = pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is missing")
XMP_HEAD = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
)
XMP_TAIL = '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
GAIN_MAP_XMP = (
    XMP_HEAD + 'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" '
    'hdrgm:GainMapMax="2.5"/>' + XMP_TAIL
)


def exiftool(path: Path, *arguments: str) -> dict[str, Any]:
    """Tags by group and name, less what describes the file and the coding."""
    command = ["exiftool", "-j", "-G1", "-a", "-u", "-s", *arguments, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    hidden = ("System:", "ExifTool:", "Composite:", "File:", "SourceFile")
    return {k: v for k, v in json.loads(done.stdout)[0].items() if not k.startswith(hidden)}


def again(
    path: Path, out: Path, strength: float = 0.0, scale: int = 1, **options: Any
) -> tuple[str, ...]:
    """A result that shows the photo itself, and the names of what was dropped."""
    photo = PhotoFile(path)
    result = photo.decode(path.parent)
    if scale > 1:
        pixels = result.read(0, result.height).repeat(scale, 0).repeat(scale, 1) / result.white
        result = result.enlarged(path.parent / "larger.raw", scale)
        result.write([(0, 0, pixels.astype(np.float32))])
    return photo.encode(result, out, EncodeOptions(), path.parent, strength, **options)


def segment(number: int, data: bytes) -> bytes:
    return bytes([0xFF, number]) + (len(data) + 2).to_bytes(2, "big") + data


def jpeg_of(pixels: np.ndarray, *segments: bytes, **options: Any) -> bytes:
    """A JPEG file with further segments behind the first."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=97, subsampling=0, **options)
    data = buffer.getvalue()
    first = 2 + 2 + int.from_bytes(data[4:6], "big")
    return data[:first] + b"".join(segments) + data[first:]


def xmp_segment(packet: str) -> bytes:
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet.encode())


def exif_bytes(orientation: int = 1, **tags: Any) -> bytes:
    exif = Image.Exif()
    exif.update({0x010F: "Google", 0x0110: "Pixel 9", 0x0112: orientation})
    exif.get_ifd(0x8769).update(tags.get("own", {}))
    return exif.tobytes()


def with_gain_map(path: Path, orientation: int = 1, extra: bytes = b"") -> bytes:
    """An Ultra HDR photo; returns its gain map, half the size."""
    pixels = smooth(3)
    small = jpeg_of(smooth(1)[::2, ::2], xmp_segment(GAIN_MAP_XMP))
    item = '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="{}" {}/></rdf:li>'
    items = item.format("Primary", 'Item:Mime="image/jpeg"')
    items += item.format("GainMap", f'Item:Mime="image/jpeg" Item:Length="{len(small)}"')
    if extra:
        items += item.format("MotionPhoto", f'Item:Mime="video/mp4" Item:Length="{len(extra)}"')
    packet = (
        XMP_HEAD + 'xmlns:Container="http://ns.google.com/photos/1.0/container/" '
        'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" '
        'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" '
        'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" '
        + ('GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1"' if extra else "")
        + f"><Container:Directory><rdf:Seq>{items}</rdf:Seq></Container:Directory>"
        "</rdf:Description>" + XMP_TAIL
    )
    base = jpeg_of(pixels, xmp_segment(packet), exif=exif_bytes(orientation))
    path.write_bytes(base + small + extra)
    return small


@pytest.mark.parametrize("scale", [1, 4])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_gain_map_goes_along(tmp_path: Path, orientation: int, scale: int) -> None:
    path, out = tmp_path / "a.jpg", tmp_path / "b.jpg"
    small = with_gain_map(path, orientation)
    assert again(path, out, 1.0, scale) == ()
    data = out.read_bytes()
    with Image.open(out) as file:
        assert file.size == tuple(scale * n for n in ((40, 56) if orientation == 6 else (56, 40)))
        first, second = file._getmp()[0xB002]
    assert first["Size"] + second["Size"] == len(data)
    at = data.index(b"MPF\0") + 4 + second["DataOffset"]
    assert at == first["Size"]
    assert data[at : at + 3] == b"\xff\xd8\xff"
    with Image.open(io.BytesIO(data[at:])) as kept:
        turned = np.rot90(smooth(1)[::2, ::2], -1 if orientation == 6 else 0).astype(int)
        assert np.abs(np.asarray(kept).astype(int) - turned).max() <= 3
        assert b"hdr-gain-map" in kept.info["xmp"]
    if orientation == 1:
        assert data[at:] == small
    packet = PhotoFile(out).metadata.xmp
    assert f'Item:Length="{len(data) - at}"'.encode() in packet
    assert b"hdrgm:Version" in packet


@needs_exiftool
def test_exiftool_finds_the_gain_map_where_its_index_says(tmp_path: Path) -> None:
    with_gain_map(tmp_path / "a.jpg")
    again(tmp_path / "a.jpg", tmp_path / "b.jpg")
    command = ["exiftool", "-b", "-MPImage2", str(tmp_path / "b.jpg")]
    picture = subprocess.run(command, capture_output=True, check=True).stdout
    with Image.open(io.BytesIO(picture)) as kept:
        assert kept.size == (28, 20)


def test_a_format_without_gain_maps_drops_all_that_points_to_them(tmp_path: Path) -> None:
    with_gain_map(tmp_path / "a.jpg")
    assert again(tmp_path / "a.jpg", tmp_path / "b.png") == ("HDR gain map",)
    packet = PhotoFile(tmp_path / "b.png").metadata.xmp
    assert b"hdrgm:" not in packet
    assert b"GainMap" not in packet
    assert b"Directory" not in packet


@pytest.mark.parametrize("has_map", [False, True])
def test_a_motion_photo_loses_its_video_and_what_points_to_it(
    tmp_path: Path, has_map: bool
) -> None:
    path, out = tmp_path / "a.jpg", tmp_path / "b.jpg"
    video = b"\0\0\0\x18ftypmp42" + bytes(3000)
    if has_map:
        with_gain_map(path, extra=video)
    else:
        camera = 'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" '
        old = f'GCamera:MicroVideo="1" GCamera:MicroVideoOffset="{len(video)}"'
        packet = XMP_HEAD + camera + old + ' GCamera:SpecialTypeID="x"/>' + XMP_TAIL
        path.write_bytes(jpeg_of(smooth(3), xmp_segment(packet)) + video)
    assert again(path, out) == ("motion photo's video",)
    packet = PhotoFile(out).metadata.xmp
    assert b"MicroVideo" not in packet
    assert b"MotionPhoto" not in packet
    assert (b"GainMap" in packet) == has_map
    assert has_map or b'SpecialTypeID="x"' in packet
    assert (b"\xff\xd8\xff" in out.read_bytes()[1000:]) == has_map


def test_codes_of_avif_and_png_decide_and_wide_colours_stay(tmp_path: Path) -> None:
    pixels = smooth(3)
    expected = to_srgb(pixels, p3_profile(), "RGB").astype(int)
    write_png(tmp_path / "cicp.png", pixels, png_chunk(b"cICP", bytes([12, 13, 0, 1])))
    write_photo(tmp_path / "nclx.avif", pixels, None)
    data = (tmp_path / "nclx.avif").read_bytes()
    at = data.index(b"colrnclx") + 8
    (tmp_path / "nclx.avif").write_bytes(data[:at] + struct.pack(">HH", 12, 13) + data[at + 4 :])
    for name, out in (("cicp.png", "a.png"), ("cicp.png", "a.jpg"), ("nclx.avif", "b.jpg")):
        assert np.abs(read_photo(tmp_path / name).astype(int) - expected).mean() < 1
        again(tmp_path / name, tmp_path / out)
        assert np.abs(read_photo(tmp_path / out).astype(int) - expected).mean() < 1
        with Image.open(tmp_path / out) as file:
            stored = np.asarray(file).astype(int)
            profile = file.info.get("icc_profile")
        assert np.abs(stored - pixels).mean() < 1
        # In PNG the code goes along; JPEG gets a profile that says the same to other readers.
        seen = to_srgb(stored.astype(np.uint8), profile or p3_profile(), "RGB")
        assert np.abs(seen.astype(int) - expected).mean() < 1
        assert (profile is None) == out.endswith(".png")
    assert b"cICP" in (tmp_path / "a.png").read_bytes()


@pytest.mark.parametrize(
    ("gamma", "exponent"), [(100_000, 1.0), (55_556, 1.8), (45_455, None), (250_000, 0.4)]
)
@pytest.mark.parametrize("grey", [False, True])
def test_gamma_of_png(tmp_path: Path, gamma: int, exponent: float | None, grey: bool) -> None:
    pixels = smooth(1 if grey else 3, 16)
    write_png(tmp_path / "a.png", pixels, png_chunk(b"gAMA", struct.pack(">I", gamma)))
    values = pixels / 65535
    if exponent:
        linear = values**exponent
        values = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    expected = np.rint(values * 255)
    expected = np.repeat(expected[..., None], 3, -1) if grey else expected
    assert np.abs(read_photo(tmp_path / "a.png") - expected).max() <= 1
    again(tmp_path / "a.png", tmp_path / "b.png")
    assert b"gAMA" in (tmp_path / "b.png").read_bytes()
    assert np.array_equal(read_photo(tmp_path / "b.png"), read_photo(tmp_path / "a.png"))


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused_wherever_it_is_said(tmp_path: Path, transfer: int, name: str) -> None:
    write_png(tmp_path / "a.png", smooth(3), png_chunk(b"cICP", bytes([9, transfer, 0, 1])))
    write_photo(tmp_path / "a.avif", smooth(3), None)
    data = (tmp_path / "a.avif").read_bytes()
    at = data.index(b"colrnclx") + 8
    (tmp_path / "a.avif").write_bytes(data[:at] + struct.pack(">HH", 9, transfer) + data[at + 4 :])
    for suffix in ("png", "avif"):
        with pytest.raises(UserError, match=rf"a\.{suffix}: HDR \({name}\); save it with the tra"):
            PhotoFile(tmp_path / f"a.{suffix}")


def test_iptc_comments_and_photoshops_resources_stay(tmp_path: Path) -> None:
    iptc = b"\x1c\x02\x78\x00\x09a caption"
    resources = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    thumbnail = b"8BIM\x04\x0c\0\0" + struct.pack(">I", 40) + bytes(40)
    data = jpeg_of(
        smooth(3), segment(0xED, b"Photoshop 3.0\0" + resources + thumbnail), comment=b"hello"
    )
    (tmp_path / "a.jpg").write_bytes(data)
    dropped = again(tmp_path / "a.jpg", tmp_path / "b.jpg", 1.0)
    assert dropped == ("Photoshop thumbnail",)
    metadata = PhotoFile(tmp_path / "b.jpg").metadata
    assert (metadata.photoshop, metadata.comments) == (resources, (b"hello",))
    for suffix in ("png", "tif"):
        dropped = again(tmp_path / "a.jpg", tmp_path / f"b.{suffix}")
        assert dropped == ("comments",)
        assert iptc in PhotoFile(tmp_path / f"b.{suffix}").metadata.photoshop
    assert again(tmp_path / "a.jpg", tmp_path / "b.webp") == ("IPTC", "comments")


def extended(path: Path) -> None:
    """XMP of more than a segment, as Adobe splits it."""
    digest = "0123456789ABCDEF" * 2
    note = f'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="{digest}"'
    words = "".join(f"<rdf:li>keyword number {n:0100}</rdf:li>" for n in range(900))
    dc = 'xmlns:dc="http://purl.org/dc/elements/1.1/">'
    subject = f"<dc:subject><rdf:Bag>{words}</rdf:Bag></dc:subject></rdf:Description>"
    more = (XMP_HEAD + dc + subject + XMP_TAIL).encode()
    mark = b"http://ns.adobe.com/xmp/extension/\0" + digest.encode()
    parts = [
        segment(0xE1, mark + struct.pack(">II", len(more), at) + more[at : at + 65400])
        for at in range(0, len(more), 65400)
    ]
    main = XMP_HEAD + note + ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/>' + XMP_TAIL
    path.write_bytes(jpeg_of(smooth(3), xmp_segment(main), *parts))


@needs_exiftool
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_extended_xmp_stays_whole(tmp_path: Path, suffix: str) -> None:
    extended(tmp_path / "a.jpg")
    assert again(tmp_path / "a.jpg", tmp_path / f"b.{suffix}") == ()
    before, after = exiftool(tmp_path / "a.jpg"), exiftool(tmp_path / f"b.{suffix}")
    assert len(after["XMP-dc:Subject"]) == 900
    assert after["XMP-dc:Subject"] == before["XMP-dc:Subject"]
    assert after["XMP-xmp:Rating"] == 4


def test_texts_of_png_stay_and_are_named_where_they_cannot(tmp_path: Path) -> None:
    texts = [
        png_chunk(b"tEXt", b"Author\0Jane"),
        png_chunk(b"iTXt", b"Title\0\0\0de\0Titel\0S\xc3\xa4ule"),
        png_chunk(b"tIME", b"\x07\xe8\1\2\3\4\5"),
    ]
    write_png(tmp_path / "a.png", smooth(3), *texts, png_chunk(b"caBX", b"signed"))
    assert again(tmp_path / "a.png", tmp_path / "b.png") == ("PNG chunk caBX",)
    assert PhotoFile(tmp_path / "b.png").metadata.texts == tuple(texts)
    assert again(tmp_path / "a.png", tmp_path / "b.jpg") == ("PNG chunk caBX", "texts")


@pytest.mark.parametrize("name", [b"exif", b"APP1", b"iptc"])
def test_profiles_packed_as_text_are_read(tmp_path: Path, name: bytes) -> None:
    own = {0x9003: "2020:01:02 03:04:05"}
    content = exif_bytes(6, own=own) if name != b"iptc" else b"\x1c\x02\x78\x00\x02hi"
    lines = b"\n".join(content.hex().encode()[at : at + 72] for at in range(0, 9999, 72))
    text = b"\n%s\n%8d\n%s\n" % (name.lower(), len(content), lines.strip())
    chunk = png_chunk(b"tEXt", b"Raw profile type " + name + b"\0" + text)
    write_png(tmp_path / "a.png", smooth(3), chunk)
    photo = PhotoFile(tmp_path / "a.png")
    again(tmp_path / "a.png", tmp_path / "b.png")
    if name == b"iptc":
        assert content in photo.metadata.photoshop
        assert content in PhotoFile(tmp_path / "b.png").metadata.photoshop
        return
    assert (photo.width, photo.height) == (40, 56)
    assert photo.metadata.camera() == "Google Pixel 9"
    assert capture_time(tmp_path / "a.png") is not None
    with Image.open(tmp_path / "b.png") as file:
        assert (file.size, file.getexif()[0x0112]) == ((40, 56), 1)


@needs_exiftool
@pytest.mark.parametrize("scale", [1, 4])
def test_sizes_are_true_wherever_they_are_stored(tmp_path: Path, scale: int) -> None:
    path, out = tmp_path / "a.jpg", tmp_path / "b.jpg"
    path.write_bytes(jpeg_of(smooth(3), exif=exif_bytes(6)))
    tags = ["IFD0:ImageWidth=56", "IFD0:ImageHeight=40", "RelatedImageWidth=56"]
    tags += ["RelatedImageHeight=40", "ExifIFD:ExifImageWidth=56", "ExifIFD:ExifImageHeight=40"]
    tags += ["XMP-tiff:ImageWidth=56", "XMP-tiff:ImageHeight=40", "XMP-tiff:Orientation#=6"]
    tags += ["XMP-exif:ExifImageWidth=56", "XMP-exif:ExifImageHeight=40"]
    command = ["exiftool", "-q", "-overwrite_original", *(f"-{tag}" for tag in tags), str(path)]
    subprocess.run(command, check=True)
    again(path, out, 1.0, scale)
    after = exiftool(out, "-n")
    widths = {k: v for k, v in after.items() if k.endswith("Width")}
    heights = {k: v for k, v in after.items() if k.endswith("Height")}
    assert len(widths) == len(heights) == 5
    assert set(widths.values()) == {40 * scale}
    assert set(heights.values()) == {56 * scale}
    assert (after["IFD0:Orientation"], after["XMP-tiff:Orientation"]) == (1, 1)


@needs_exiftool
def test_a_panoramas_sizes_grow_with_it(tmp_path: Path) -> None:
    path, out = tmp_path / "a.jpg", tmp_path / "b.jpg"
    path.write_bytes(jpeg_of(smooth(3)))
    tags = ["FullPanoWidthPixels=100", "CroppedAreaImageWidthPixels=56", "CroppedAreaLeftPixels=7"]
    command = ["exiftool", "-q", "-overwrite_original", *(f"-XMP-GPano:{t}" for t in tags)]
    subprocess.run([*command, str(path)], check=True)
    again(path, out, 1.0, 4)
    after = exiftool(out, "-n")
    sizes = [after[f"XMP-GPano:{tag.partition('=')[0]}"] for tag in tags]
    assert sizes == [400, 224, 28]


@needs_exiftool
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exiftool_sees_no_difference_that_is_not_explained(tmp_path: Path, suffix: str) -> None:
    path, out = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    write_photo(path, smooth(3), p3_profile())
    tags = ["Make=Google", "Model=Pixel 9", "XResolution=240", "YResolution=240", "Artist=J"]
    tags += ["ExposureTime=1/50", "GPSLatitude=47.5", "GPSLatitudeRef=N", "UserComment=hi"]
    tags += ["XMP-dc:Title=a", "XMP-xmp:Rating=3", "ImageUniqueID=0123456789abcdef"]
    tags += ["IPTC:Keywords=cat", "IPTC:By-line=Jane"] if suffix in ("jpg", "tif") else []
    command = ["exiftool", "-q", "-overwrite_original", *(f"-{tag}" for tag in tags), str(path)]
    subprocess.run(command, check=True)
    assert again(path, out) == ()
    before, after = exiftool(path), exiftool(out)
    coding = {"Compression", "Predictor", "RowsPerStrip", "StripOffsets", "StripByteCounts"}
    coding |= {"SampleFormat", "PageNumber", "ProfileName", "SubfileType", "WebP_Flags"}
    coding |= {"VP8Version", "HorizontalScale", "VerticalScale", "AlphaIsUsed", "ImageDescription"}
    differ = {
        tag: (before.get(tag), after.get(tag))
        for tag in before | after
        if before.get(tag) != after.get(tag) and tag.partition(":")[2] not in coding
    }
    assert not {t: d for t, d in differ.items() if t != "IFD0:Orientation"}


def test_extra_channels_are_dropped_with_a_word(tmp_path: Path) -> None:
    pixels = np.dstack((smooth(4), smooth(1)))
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha", "unspecified"]
    )
    assert again(tmp_path / "a.tif", tmp_path / "b.tif") == ("extra channels",)
    assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), pixels[..., :4])
    assert np.array_equal(read_photo(tmp_path / "a.tif"), pixels[..., :3])


def test_strip_keeps_colours_alone(tmp_path: Path) -> None:
    extended(tmp_path / "a.jpg")
    again(tmp_path / "a.jpg", tmp_path / "b.jpg", is_stripped=True)
    metadata = PhotoFile(tmp_path / "b.jpg").metadata
    assert not metadata.exif + metadata.xmp + metadata.extended_xmp
    write_photo(tmp_path / "p3.png", smooth(3), p3_profile())
    again(tmp_path / "p3.png", tmp_path / "c.png", is_stripped=True)
    assert PhotoFile(tmp_path / "c.png").metadata.profile == p3_profile()


def test_a_file_that_unfolds_to_millions_of_pixels_is_refused_at_once(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((1, 1), np.uint8))
    data = bytearray((tmp_path / "a.png").read_bytes())
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    data[8:33] = png_chunk(b"IHDR", header)
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UserError, match=r"a\.png: damaged photo \(400 million pixels in so small"):
        PhotoFile(tmp_path / "a.png")


def test_bytes_of_a_damaged_file_in_a_message_are_no_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """libtiff quotes the name of a codec or a tag as it lies in the file."""
    tifffile.imwrite(tmp_path / "a.tif", smooth(3), photometric="rgb", software="program")
    data = (tmp_path / "a.tif").read_bytes()
    for at in range(4, min(len(data), 400)):
        (tmp_path / "b.tif").write_bytes(data[:at] + b"\xd0" + data[at + 1 :])
        try:
            read_photo(tmp_path / "b.tif")
        except UserError as error:
            assert "codec can't decode" not in str(error)
    assert "Traceback" not in capfd.readouterr().err


def test_a_width_that_no_tiles_fill_is_refused_at_once(tmp_path: Path) -> None:
    """libvips would look for a hundred thousand missing tiles, for minutes."""
    tifffile.imwrite(tmp_path / "a.tif", smooth(3, 16), photometric="rgb", tile=(16, 16))
    data = bytearray((tmp_path / "a.tif").read_bytes())
    at = max(data.find(struct.pack("<HHI", 256, kind, 1)) for kind in (3, 4))
    data[at : at + 12] = struct.pack("<HHII", 256, 4, 1, 1_048_624)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(UserError, match="million pixels in so small a file"):
        read_photo(tmp_path / "a.tif")


def test_a_flat_photo_is_no_attack(tmp_path: Path) -> None:
    Image.new("L", (2000, 1500), 77).save(tmp_path / "a.png", optimize=True)
    Image.new("RGB", (2000, 1500), "red").save(tmp_path / "b.jpg", quality=30)
    for name in ("a.png", "b.jpg"):
        assert read_photo(tmp_path / name).shape == (1500, 2000, 3)


def test_exif_of_another_type_than_its_tag_does_not_cost_the_photo(tmp_path: Path) -> None:
    """A maker's name of fractions: Pillow cannot write what it has read."""
    fractions = struct.pack("<4I", 1, 2, 3, 4)
    tifffile.imwrite(
        tmp_path / "a.tif", smooth(3), photometric="rgb", extratags=[(271, 5, 2, fractions, True)]
    )
    assert np.array_equal(read_photo(tmp_path / "a.tif"), smooth(3))
    again(tmp_path / "a.tif", tmp_path / "b.tif")
    assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), smooth(3))


def test_damaged_values_of_exif_cost_neither_photo_nor_batch(tmp_path: Path) -> None:
    """Every byte of the block in turn: Pillow reads values when they are asked for."""
    block = exif_bytes(1, own={0x9003: "2024:05:01 12:30:00", 0x9291: "25"})
    for at in range(6, len(block)):
        for value in (0, 255, block[at] ^ 1):
            damaged = block[:at] + bytes([value]) + block[at + 1 :]
            metadata = Metadata(damaged.removeprefix(b"Exif\0\0"))
            assert isinstance(metadata.camera(), str)
            assert metadata.taken() is None or metadata.taken().year > 0
            metadata.for_picture(Change(10, 10, 4, 6, True))
