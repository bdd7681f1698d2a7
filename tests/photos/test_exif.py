"""Capture times, as cameras and phones write them."""

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from ppcn.photos.decode import capture_time
from ppcn.photos.exif import time_of

NOON = datetime(2024, 5, 1, 12, 30)
QUARTER = NOON.replace(microsecond=250_000)
EAST = timezone(timedelta(hours=2))
WEST = timezone(-timedelta(hours=9, minutes=30))
TAGS = (0x9003, 0x9291, 0x9011)


def exif_of(moment: object, fraction: object, offset: object) -> Image.Exif:
    exif = Image.Exif()
    values = zip(TAGS, (moment, fraction, offset), strict=True)
    exif.get_ifd(ExifTags.IFD.Exif).update({tag: value for tag, value in values if value != ""})
    return exif


TIMES = [
    ("2024:05:01 12:30:00", "", "", NOON),
    ("2024:05:01 12:30:00", "25", "+02:00", QUARTER.replace(tzinfo=EAST)),
    ("2024:05:01 12:30:00", "25", "-09:30", QUARTER.replace(tzinfo=WEST)),
    ("2024:05:01 12:30:00", "0", "+00:00", NOON.replace(tzinfo=UTC)),
    ("2024:05:01 12:30:00.25", "", "", QUARTER),
    ("2024:05:01 12:30:00.25", "99", "", QUARTER),
    ("2024:05:01 12:30:00+02:00", "25", "", QUARTER.replace(tzinfo=EAST)),
    ("2024:05:01 12:30:00+02:00", "", "-09:30", NOON.replace(tzinfo=EAST)),
    ("2024:05:01 12:30:00", "25 ", "+02:00 ", QUARTER.replace(tzinfo=EAST)),
    ("2024:05:01 12:30:00\0\0\0", "25\0", "+02:00\0", QUARTER.replace(tzinfo=EAST)),
    ("2024:05:01 12:30:00", "25?", "", QUARTER),
    ("2024:05:01 12:30:00", "ab", "   :  ", NOON),
    ("2024:05:01 12:30:00", "   ", "      ", NOON),
    ("2024:05:01 12:30:00", "", "local", NOON),
]
ODD_TIMES = [
    ("2024-05-01T12:30:00", "", "", NOON),
    ("2024-05-01 12:30:00", "25", "", QUARTER),
    ("2024:05:01T12:30:00.25Z", "", "", QUARTER.replace(tzinfo=UTC)),
    ("2024: 5: 1 12:30: 0", "", "", NOON),
    ("2024:05:01 12:30:00\0left over", "", "", NOON),
    (b"2024:05:01 12:30:00\0", b"25\0", "", QUARTER),
    ("2024:05:01 12:30:00", 25, "+0200", QUARTER.replace(tzinfo=EAST)),
    ("2024:05:01 12:30:00", " 25", " +02:00", QUARTER.replace(tzinfo=EAST)),
    ("2024:05:01 12:30:00", "", "Z", NOON.replace(tzinfo=UTC)),
    ("2024:05:01 12:30:00", "", "+99:00", NOON),
    ("2024:05:01 12:30:00", "", "+02:75", NOON),
    ("2024:05:01 12:30:00", "\u0662\u0665", "", NOON),
    ("0000:00:00 00:00:00", "", "", None),
    ("    :  :     :  :  ", "", "", None),
    ("\0" * 19, "25", "+02:00", None),
    ("2024:02:30 12:30:00", "", "", None),
    ("2024:05:01 24:30:00", "", "", None),
    ("2024:05:01", "", "", None),
    ((2024, 5, 1), "", "", None),
]


@pytest.mark.parametrize(("moment", "fraction", "offset", "expected"), [*TIMES, *ODD_TIMES])
def test_times_are_read_as_far_as_they_are_legible(
    moment: object, fraction: object, offset: object, expected: datetime | None
) -> None:
    read = time_of(exif_of(moment, fraction, offset))
    assert read == expected
    assert (read and read.tzinfo) == (expected and expected.tzinfo)


def by_exiftool(path: Path) -> datetime:
    """The capture time as ExifTool puts it together."""
    command = ["exiftool", "-j", "-SubSecDateTimeOriginal", "-DateTimeOriginal", str(path)]
    (values,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    text = values.get("SubSecDateTimeOriginal", values["DateTimeOriginal"])
    date, _, rest = text.partition(" ")
    return datetime.fromisoformat(f"{date.replace(':', '-')}T{rest}")


@pytest.mark.skipif(not shutil.which("exiftool"), reason="no exiftool here")
@pytest.mark.parametrize(("moment", "fraction", "offset", "expected"), TIMES)
def test_exiftool_reads_the_same(
    tmp_path: Path, moment: str, fraction: str, offset: str, expected: datetime
) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (8, 8)).save(path, exif=exif_of(moment, fraction, offset).tobytes())
    assert by_exiftool(path) == capture_time(path) == expected
