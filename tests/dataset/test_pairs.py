import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from ppcn.dataset.pairs import Pair, find_pairs
from ppcn.errors import UserError

NOON = datetime(2024, 5, 1, 12)
Shoot = Callable[..., Path]


@pytest.fixture
def shoot(tmp_path: Path) -> Shoot:
    """Write a photo, taken some seconds after noon by its camera's clock."""

    def write(name: str, seconds: float | None = None, offset: str = "") -> Path:
        exif = Image.Exif()
        exif[0x010F] = "a camera"
        if seconds is not None:
            time = NOON + timedelta(seconds=seconds)
            values = {0x9003: f"{time:%Y:%m:%d %H:%M:%S}", 0x9291: f"{time:%f}"}
            exif.get_ifd(0x8769).update(values | ({0x9011: offset} if offset else {}))
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path, exif=exif.tobytes())
        return path

    return write


def _names(pairs: list[Pair]) -> dict[str, tuple[str, str]]:
    return {pair.stem: (pair.phone.name, pair.reference.name) for pair in pairs}


def test_stems_are_paired_in_order(tmp_path: Path, shoot: Shoot) -> None:
    for name in ("p/b.jpg", "p/a.png", "p/x.jpg", "c/a.jpg", "c/b.tif", "c/y.jpg"):
        shoot(name)
    pairs, unpaired = find_pairs(tmp_path, "p", "c")
    assert [pair.stem for pair in pairs] == ["a", "b"]
    assert pairs[0] == Pair("a", tmp_path / "p/a.png", tmp_path / "c/a.jpg")
    assert list(unpaired.items()) == [
        ("c/y.jpg", "p has no photo of that name"),
        ("p/x.jpg", "c has no photo of that name"),
    ]


def test_without_a_common_stem_nothing_is_paired(tmp_path: Path, shoot: Shoot) -> None:
    shoot("p/a.jpg"), shoot("c/b.jpg")
    with pytest.raises(UserError, match=r"no photo of p/ has the same name .* data\.pair_by"):
        find_pairs(tmp_path, "p", "c")
    shoot("p/b.png"), shoot("p/b.jpg")
    pairs, _ = find_pairs(tmp_path, "p", "c")
    assert _names(pairs) == {"b": ("b.jpg", "b.jpg")}


def test_times_are_paired_within_the_tolerance(tmp_path: Path, shoot: Shoot) -> None:
    for name, seconds in (("p/a.jpg", 0), ("p/b.jpg", 10), ("p/c.jpg", 20.25)):
        shoot(name, seconds)
    for name, seconds in (("c/1.jpg", 1.5), ("c/2.jpg", 12.001), ("c/3.jpg", 18.25)):
        shoot(name, seconds)
    pairs, unpaired = find_pairs(tmp_path, "p", "c", "time", tolerance=2)
    assert _names(pairs) == {"a": ("a.jpg", "1.jpg"), "c": ("c.jpg", "3.jpg")}
    assert unpaired == {
        "c/2.jpg": "the nearest, p/b.jpg, was taken 2.00 s apart",
        "p/b.jpg": "the nearest, c/2.jpg, was taken 2.00 s apart",
    }


def test_only_each_others_nearest_are_paired(tmp_path: Path, shoot: Shoot) -> None:
    shoot("p/a.jpg", 0), shoot("p/b.jpg", 1), shoot("c/1.jpg", 1.2)
    pairs, unpaired = find_pairs(tmp_path, "p", "c", "time")
    assert _names(pairs) == {"b": ("b.jpg", "1.jpg")}
    assert unpaired == {"p/a.jpg": "c/1.jpg is as near or nearer to p/b.jpg"}


def test_ties_are_not_guessed(tmp_path: Path, shoot: Shoot) -> None:
    shoot("p/a.jpg", 0), shoot("c/1.jpg", -1), shoot("c/2.jpg", 1)
    shoot("p/b.jpg", 10), shoot("c/3.jpg", 10)
    pairs, unpaired = find_pairs(tmp_path, "p", "c", "time")
    assert _names(pairs) == {"b": ("b.jpg", "3.jpg")}
    assert unpaired == {
        "c/1.jpg": "p/a.jpg is as near or nearer to c/2.jpg",
        "c/2.jpg": "p/a.jpg is as near or nearer to c/1.jpg",
        "p/a.jpg": "c/1.jpg and c/2.jpg are equally near",
    }


def test_photos_without_a_time_are_named(tmp_path: Path, shoot: Shoot) -> None:
    shoot("p/a.jpg", 0), shoot("c/1.jpg", 0), shoot("p/b.jpg")
    (tmp_path / "c/2.jpg").write_text("no photo")
    pairs, unpaired = find_pairs(tmp_path, "p", "c", "time")
    assert _names(pairs) == {"a": ("a.jpg", "1.jpg")}
    assert unpaired == {
        "c/2.jpg": f"{tmp_path}/c/2.jpg: not a photo that can be read",
        "p/b.jpg": "no readable EXIF capture time",
    }
    (tmp_path / "c/1.jpg").unlink()
    with pytest.raises(UserError, match=r"no photo of c/ has a capture time \(c/2\.jpg: .*pair_by"):
        find_pairs(tmp_path, "p", "c", "time")


def test_offsets_count_where_both_are_known(tmp_path: Path, shoot: Shoot) -> None:
    shoot("p/utc.jpg", 0, "+00:00"), shoot("c/1.jpg", 3600, "+01:00")
    shoot("p/local.jpg", 1800), shoot("c/2.jpg", 1801, "+05:30")
    pairs, unpaired = find_pairs(tmp_path, "p", "c", "time")
    assert _names(pairs) == {"utc": ("utc.jpg", "1.jpg"), "local": ("local.jpg", "2.jpg")}
    assert unpaired == {}


def _session(shoot: Shoot, photos: int, gap: float, lag: float) -> None:
    """A photo by each camera every `gap` s; the reference's clock is `lag` s ahead."""
    for index in range(photos):
        shoot(f"p/{index:02}.jpg", gap * index)
        shoot(f"c/{index:02}.jpg", gap * index + lag)


def test_clocks_that_differ_are_shown_and_mended(tmp_path: Path, shoot: Shoot) -> None:
    _session(shoot, photos=20, gap=1000, lag=90.5)
    with pytest.raises(UserError, match=r"only 0 of 20 .* \+90\.5 s .* data\.clock_offset"):
        find_pairs(tmp_path, "p", "c", "time")
    pairs, unpaired = find_pairs(tmp_path, "p", "c", "time", clock_offset=90.5)
    assert [(p.phone.stem, p.reference.stem) for p in pairs] == [(p.stem, p.stem) for p in pairs]
    assert (len(pairs), unpaired) == (20, {})
    shoot("c/chance.jpg", 1001)
    with pytest.raises(UserError, match="only 1 of 20"):
        find_pairs(tmp_path, "p", "c", "time")


def test_the_difference_that_most_photos_agree_on_is_named(tmp_path: Path, shoot: Shoot) -> None:
    """The clocks differ by more than the session is long: the nearest photos say nothing."""
    _session(shoot, photos=9, gap=60, lag=3601)
    with pytest.raises(UserError, match=r"most, 9, would if \+3601\.0 s were added"):
        find_pairs(tmp_path, "p", "c", "time")


@pytest.mark.parametrize("seed", range(4))
def test_times_against_brute_force(tmp_path: Path, shoot: Shoot, seed: int) -> None:
    chance = random.Random(seed)
    times = {
        camera: {f"{camera}{i}.jpg": chance.randrange(0, 240) / 4 for i in range(15)}
        for camera in "pc"
    }
    for camera, photos in times.items():
        for name, seconds in photos.items():
            shoot(f"{camera}/{name}", seconds)
    expected = set()
    for p, at in times["p"].items():
        for c, then in times["c"].items():
            others = [abs(at - t) for n, t in times["c"].items() if n != c]
            others += [abs(then - t) for n, t in times["p"].items() if n != p]
            if abs(at - then) <= 1.5 and abs(at - then) < min(others):
                expected.add((p, c))
    pairs, unpaired = find_pairs(tmp_path, "p", "c", "time", tolerance=1.5)
    assert {(pair.phone.name, pair.reference.name) for pair in pairs} == expected
    assert len(unpaired) == 30 - 2 * len(pairs)
    assert len(expected) >= 4


@pytest.fixture
def four(shoot: Shoot) -> Shoot:
    for name in ("p/a.jpg", "p/b.jpg", "c/1.jpg", "c/2.jpg"):
        shoot(name)
    return shoot


def test_a_manifest_names_the_pairs(
    tmp_path: Path, four: Shoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (
        f"\nreference , phone\n c/2.jpg, p/b.jpg\n\n , \n,\n{tmp_path}/c/1.jpg,{tmp_path}/p/a.jpg"
    )
    lines += "\n,,\n"
    (tmp_path / "pairs.csv").write_text("\ufeff" + lines, encoding="utf-8")
    pairs, unpaired = find_pairs(tmp_path, "unused", "unused", "pairs.csv")
    assert _names(pairs) == {"a": ("a.jpg", "1.jpg"), "b": ("b.jpg", "2.jpg")}
    assert unpaired == {}
    (tmp_path / "work").mkdir()
    (tmp_path / "work/pairs.csv").write_text("phone,reference,stem\np/a.jpg,c/1.jpg,one\n")
    monkeypatch.chdir(tmp_path / "work")
    pairs, _ = find_pairs(tmp_path, "unused", "unused", "pairs.csv")
    assert pairs == [Pair("one", tmp_path / "p/a.jpg", tmp_path / "c/1.jpg")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the header must be phone,reference"),
        ("phone;reference\np/a.jpg;c/1.jpg\n", "line 1: the header must be"),
        ("phone,reference,name\np/a.jpg,c/1.jpg,a\n", "line 1: the header must be"),
        ("phone,reference\n", "names no pair"),
        ("phone,reference\np/a.jpg,c/1.jpg\np/b.jpg\n", "line 3: 1 cells below 2 columns"),
        ("phone,reference\n\np/a.jpg,c/9.jpg\n", "line 3: no photo .*c/9.jpg"),
        ("phone,reference\np/a.jpg,\n", "line 2: no photo "),
        ("phone,reference\np/a.jpg,p/a.jpg\n", "line 2: .*a.jpg is already in line 2"),
        (
            "phone,reference\np/a.jpg,c/1.jpg\np/b.jpg,c/../c/1.jpg\n",
            "line 3: .*c/1.jpg is already in line 2",
        ),
        (
            "phone,reference,stem\np/a.jpg,c/1.jpg,\np/b.jpg,c/2.jpg,a\n",
            "line 3: the stem 'a' is already in line 2",
        ),
        ("phone,reference,stem\np/a.jpg,c/1.jpg,x/y\n", "line 2: the stem 'x/y' cannot"),
        ("phone,reference,stem\np/a.jpg,c/1.jpg,.\n", r"line 2: the stem '\.' cannot"),
        ('phone,reference\n"p/a.jpg,c/1.jpg\n', "line 2: no CSV"),
        ("phone,reference\np/\udce9.jpg,c/1.jpg\n", "line 2: not UTF-8"),
        ("phone,reference\np/\0.jpg,c/1.jpg\n", "line 2: no photo "),
    ],
)
def test_a_manifest_is_rejected_by_line(
    tmp_path: Path, four: Shoot, text: str, message: str
) -> None:
    manifest = tmp_path / "pairs.csv"
    manifest.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(UserError, match=f"pairs.csv(, |: ){message}"):
        find_pairs(tmp_path, "p", "c", str(manifest))


def test_all_problems_of_a_manifest_are_told_at_once(tmp_path: Path, four: Shoot) -> None:
    lines = ["phone,reference", "p/a.jpg,c/1.jpg", "p/a.jpg,c/2.jpg", "p/no.jpg,c/2.jpg"]
    (tmp_path / "m.csv").write_text("\n".join([*lines, *["p/a.jpg,c/1.jpg"] * 10]))
    with pytest.raises(UserError) as caught:
        find_pairs(tmp_path, "p", "c", str(tmp_path / "m.csv"))
    message = str(caught.value)
    assert "line 3" in message
    assert "line 4: no photo" in message
    assert message.endswith("; 2 more")


def test_a_manifest_names_scenes(tmp_path: Path, four: Shoot) -> None:
    text = "phone,scene,reference\np/a.jpg,square,c/1.jpg\np/b.jpg,,c/2.jpg\n"
    (tmp_path / "m.csv").write_text(text)
    pairs, _ = find_pairs(tmp_path, "p", "c", "m.csv")
    assert [(pair.stem, pair.scene) for pair in pairs] == [("a", "square"), ("b", "")]


def test_an_unknown_way_of_pairing_is_rejected(tmp_path: Path, four: Shoot) -> None:
    with pytest.raises(UserError, match=r"data\.pair_by is 'tiem'; .* nearest is 'time'"):
        find_pairs(tmp_path, "p", "c", "tiem")
    with pytest.raises(UserError, match=r"nowhere\.csv: no such manifest"):
        find_pairs(tmp_path, "p", "c", "nowhere.csv")


COMPOSED, DECOMPOSED = "Caf\u00e9", "Cafe\u0301"


def test_case_and_composition_do_not_matter(tmp_path: Path, shoot: Shoot) -> None:
    for name in (f"p/{DECOMPOSED}.JPG", "p/IMG_1.JPG", "p/STRASSE.jpg", "p/x.jpg"):
        shoot(name)
    for name in (f"c/{COMPOSED.upper()}.jpg", "c/img_1.tif", "c/Stra\u00dfe.jpg", "c/cafe.jpg"):
        shoot(name)
    pairs, unpaired = find_pairs(tmp_path, "p", "c")
    assert _names(pairs) == {
        COMPOSED: (f"{DECOMPOSED}.JPG", f"{COMPOSED.upper()}.jpg"),
        "IMG_1": ("IMG_1.JPG", "img_1.tif"),
        "STRASSE": ("STRASSE.jpg", "Stra\u00dfe.jpg"),
    }
    assert all(path.is_file() for pair in pairs for path in pair.photos)
    assert list(unpaired) == ["c/cafe.jpg", "p/x.jpg"]


@pytest.mark.parametrize("names", [("IMG_1.jpg", "img_1.png"), (f"{COMPOSED}.jpg", DECOMPOSED)])
@pytest.mark.parametrize("folder", ["p", "c"])
def test_of_names_that_differ_in_nothing_else_one_is_taken(
    tmp_path: Path, shoot: Shoot, folder: str, names: tuple[str, str]
) -> None:
    """The one that the other folder spells alike, else the first; the others are named."""
    (other,) = {"p", "c"} - {folder}
    first, last = sorted(Path(name).stem for name in names)
    shoot("p/a.jpg"), shoot("c/a.jpg"), shoot(f"{other}/{last}.jpg")
    for stem in (first, last):
        shoot(f"{folder}/{stem}.jpg"), shoot(f"{folder}/b{stem}.jpg")
    if len([*(tmp_path / folder).iterdir()]) < 5:
        pytest.skip("the file system takes both for one name")
    pairs, unpaired = find_pairs(tmp_path, "p", "c")
    photos = [getattr(pair, "phone" if folder == "p" else "reference") for pair in pairs]
    assert {photo.stem for photo in photos} == {"a", last}
    assert unpaired[f"{folder}/{first}.jpg"].startswith(f"left out for {last}.jpg, the same name")
    assert unpaired[f"{folder}/b{last}.jpg"].startswith(f"left out for b{first}.jpg, the same")


def test_by_time_a_stem_is_composed_and_stays_one_photos(tmp_path: Path, shoot: Shoot) -> None:
    shoot(f"p/{DECOMPOSED}.jpg", 0), shoot("c/1.jpg", 0), shoot("c/2.jpg", 60)
    assert _names(find_pairs(tmp_path, "p", "c", "time")[0]) == {
        COMPOSED: (f"{DECOMPOSED}.jpg", "1.jpg")
    }
    shoot(f"p/{COMPOSED}.jpg", 60)
    if len([*(tmp_path / "p").iterdir()]) == 2:
        pairs, unpaired = find_pairs(tmp_path, "p", "c", "time")
        assert len(pairs) == 1
        (reason,) = unpaired.values()
        assert "the same name but for upper and lower case" in reason


def test_a_manifest_may_spell_names_otherwise(tmp_path: Path, shoot: Shoot) -> None:
    shoot(f"p/{DECOMPOSED}.JPG"), shoot("c/IMG_1.jpg"), shoot("p/b.jpg"), shoot("c/B.jpg")
    (tmp_path / "m.csv").write_text(
        f"phone,reference\nP/{COMPOSED.lower()}.jpg,c/img_1.JPG\np/b.jpg,c/B.jpg\n", "utf-8"
    )
    pairs, _ = find_pairs(tmp_path, "p", "c", str(tmp_path / "m.csv"))
    assert _names(pairs) == {
        COMPOSED: (f"{DECOMPOSED}.JPG", "IMG_1.jpg"),
        "b": ("b.jpg", "B.jpg"),
    }
    (tmp_path / "m.csv").write_text("phone,reference\np/b.jpg,c/b.JPG\np/B.jpg,c/img_1.jpg\n")
    with pytest.raises(UserError, match=r"line 3: .*p/b\.jpg is already in line 2"):
        find_pairs(tmp_path, "p", "c", str(tmp_path / "m.csv"))


def test_a_manifest_is_not_guessed_at(tmp_path: Path, shoot: Shoot) -> None:
    for name in ("p/A.jpg", "p/a.jpg", "c/1.jpg", "c/2.jpg"):
        shoot(name)
    if len([*(tmp_path / "p").iterdir()]) < 2:
        pytest.skip("the file system takes both for one name")
    (tmp_path / "m.csv").write_text("phone,reference\np/A.jpg,c/1.jpg\np/a.jpg,c/2.jpg\n")
    pairs, _ = find_pairs(tmp_path, "p", "c", str(tmp_path / "m.csv"))
    assert _names(pairs) == {"A": ("A.jpg", "1.jpg"), "a": ("a.jpg", "2.jpg")}
    (tmp_path / "m.csv").write_text("phone,reference\np/A.JPG,c/1.jpg\n")
    with pytest.raises(UserError, match=r"line 2: .*p/A\.JPG may be A\.jpg or a\.jpg; name one"):
        find_pairs(tmp_path, "p", "c", str(tmp_path / "m.csv"))
