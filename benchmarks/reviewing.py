"""How quickly `review` shows pairs: the first picture, and the next ones, in a headless browser.

Usage:
    python benchmarks/reviewing.py [--pairs 5000] [--browser /usr/bin/chromium]

Pairs are hard links of a few photos of 12 megapixels by two cameras of the rig, with their
alignments. Times are the page's own: until the photos are decoded and the browser has drawn them.
Needs Debian's chromium and chromium-driver, and selenium.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import h5py
import typer
from selenium import webdriver

from ppcn.dataset.alignment_set import AlignmentWriter, create_alignments
from ppcn.dataset.pairs import Pair, photo_digest
from ppcn.params import Params
from ppcn.photos.decode import list_photos, read_photo
from ppcn.registration.register import align_pair
from ppcn.rig.camera import place_camera, random_stream, record

REPOSITORY = Path(__file__).parents[1]
PHOTOS = 2
# Presses a key and tells after how many ms another pair is drawn.
PRESS = """
const [key, done] = arguments;
const root = document.documentElement;
const before = performance.now();
const draws = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - before)));
const watch = new MutationObserver(() => { watch.disconnect(); draws(); });
watch.observe(root, { attributeFilter: ["data-shown"] });
document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
"""
SEARCH = """
const [stem, done] = arguments;
const before = performance.now();
const watch = new MutationObserver(() => {
  watch.disconnect();
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - before)));
});
watch.observe(document.documentElement, { attributeFilter: ["data-shown"] });
const search = document.getElementById("search");
search.value = stem;
search.dispatchEvent(new Event("input"));
search.focus();
search.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
"""


def render(folder: Path, params: Params) -> list[Pair]:
    """Photograph a few scenes with a phone and a better camera of 12 megapixels each."""
    phone = next(iter(params.phones.values()))
    assert phone
    size = {"width": 4032, "height": 3024}
    cameras = {
        "phone": phone.model_copy(update=size),
        "reference": params.rig.reference.model_copy(update={"width": 4242, "height": 2828}),
    }
    pairs = []
    for path in list(list_photos(REPOSITORY / "data/sample").values())[:PHOTOS]:
        scene, files = read_photo(path), []
        for name, camera in cameras.items():
            random = random_stream(params.seed, name, path.stem)
            pose = place_camera(camera, (scene.shape[1], scene.shape[0]), random)
            files.append(folder / f"{name}-{path.stem}.jpg")
            files[-1].write_bytes(record(scene, camera, pose, random))
        pairs.append(Pair(path.stem, *files))
    return pairs


def multiply(folder: Path, rendered: list[Pair], params: Params, count: int) -> Path:
    """Hard links of the photos as so many pairs, and their alignment file."""
    out = folder / "aligned.h5"
    for name in ("phone", "reference"):
        (folder / name).mkdir()
    with create_alignments(out, folder, {"phone": "phone", "reference": "reference"}) as writer:
        for pair in rendered:
            alignment = align_pair(*map(read_photo, pair.photos), params.align)
            writer.add(_link(folder, pair, 0), alignment, [photo_digest(p) for p in pair.photos])
        for number in range(1, count // len(rendered)):
            for pair in rendered:
                _copy(writer, _link(folder, pair, 0).stem, _link(folder, pair, number))
    return out


def _link(folder: Path, pair: Pair, number: int) -> Pair:
    stem = f"{pair.stem}-{number:05}"
    places = [folder / name / f"{stem}.jpg" for name in ("phone", "reference")]
    for photo, place in zip(pair.photos, places, strict=True):
        if not place.exists():
            os.link(photo, place)
    return Pair(stem, *places)


def _copy(writer: AlignmentWriter, of: str, pair: Pair) -> None:
    """The alignment of a pair under another name; large datasets are links."""
    source, group = writer.file[of], writer.file.create_group(pair.stem)
    for name in source:
        group[name] = source[name]
    for name, value in source.attrs.items():
        group.attrs[name] = value
    for name, path in (("phone_file", pair.phone), ("dslr_file", pair.reference)):
        group.attrs[name] = str(path.relative_to(writer.root))
    assert isinstance(group, h5py.Group)


def open_browser(binary: str) -> webdriver.Chrome:
    """A headless browser with an empty cache."""
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1440,900"):
        options.add_argument(f"--{argument}")
    return webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))


def first_picture(browser: webdriver.Chrome, address: str) -> float:
    """Milliseconds from opening the page to the first pair."""
    browser.get(address)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if shown := browser.execute_script("return document.documentElement.dataset.shownAt"):
            return float(shown)
        time.sleep(0.01)
    raise SystemExit("no picture within five minutes")


def measure(browser: webdriver.Chrome, address: str, stems: list[str]) -> dict[str, list[float]]:
    """Milliseconds by what was done."""
    times = {"first picture": [first_picture(browser, address)]}
    for name, pause in (("next pair, one a second", 1.0), ("next pair, two a second", 0.5)):
        times[name] = []
        for _ in range(20):
            time.sleep(pause)
            times[name].append(browser.execute_async_script(PRESS, "j"))
    times["pair by search, nothing prefetched"] = []
    for stem in stems:
        time.sleep(1)
        times["pair by search, nothing prefetched"].append(
            browser.execute_async_script(SEARCH, stem)
        )
    return times


def main(
    pairs: Annotated[int, typer.Option(help="Number of pairs.")] = 5000,
    browser: Annotated[str, typer.Option(help="Program of the browser.")] = "/usr/bin/chromium",
) -> None:
    """Measure how quickly pairs are shown."""
    params = Params.load(REPOSITORY / "params.yaml")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rendered = render(folder, params)
        aligned = multiply(folder, rendered, params, pairs)
        command = [sys.executable, "-m", "pipeline", "review", "--phone=phone", f"--root={folder}"]
        command += [f"--aligned={aligned}", f"--decisions={folder}/d.csv", "--no-browser"]
        command += [f"--params={REPOSITORY}/params.yaml"]
        started = time.perf_counter()
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
        assert server.stdout
        found = re.search(r"http://\S+/", server.stdout.readline())
        assert found
        print(f"serving {pairs} pairs after {time.perf_counter() - started:.1f} s\n")
        try:
            driver = open_browser(browser)
            stems = [f"{rendered[n % PHOTOS].stem}-{n * 97 + 100:05}" for n in range(8)]
            times = measure(driver, found.group(), stems)
            driver.quit()
        finally:
            server.terminate()
            server.wait()
    print("| | median, s | worst, s |\n|---|---|---|")
    for what, values in times.items():
        print(f"| {what} | {statistics.median(values) / 1e3:.2f} | {max(values) / 1e3:.2f} |")


if __name__ == "__main__":
    typer.run(main)
