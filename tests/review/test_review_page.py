"""The page in a real browser: it opens, looks, decides, sets points, and asks nobody else."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import IN_BROWSER
from judged_pairs import NASTY, SIZE, make_pairs, serving

from ppcn.dataset.decisions import read_decisions

pytestmark = IN_BROWSER
webdriver = pytest.importorskip("selenium.webdriver")
builder = pytest.importorskip("selenium.webdriver.common.actions.action_builder")
SHOWN = "document.documentElement.dataset.shown"


class Page:
    """The page, opened."""

    def __init__(self, address: str, width: int = 1280, height: int = 800) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for name in ("headless=new", "no-sandbox", "disable-dev-shm-usage"):
            options.add_argument(f"--{name}")
        options.add_argument(f"--window-size={width},{height}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        self.browser = webdriver.Chrome(options, service)
        self.address = address
        self.browser.get(address)

    def value(self, script: str) -> object:
        return self.browser.execute_script(f"return {script}")

    def wait(self, script: str) -> None:
        """Until something is true; the machine may be busy."""
        deadline = time.monotonic() + 60
        while not self.value(script):
            assert time.monotonic() < deadline, script
            time.sleep(0.02)

    def press(self, *keys: str) -> None:
        actions = webdriver.ActionChains(self.browser)
        for key in keys:
            actions.send_keys(key)
        actions.perform()

    def at(self, selector: str, x: float, y: float) -> tuple[int, int]:
        """A place of an element, as shares of its size, on the screen."""
        box = f"document.querySelector('{selector}').getBoundingClientRect().toJSON()"
        values = self.value(box)
        assert isinstance(values, dict)
        left, top = values["left"], values["top"]
        return round(left + x * values["width"]), round(top + y * values["height"])

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        actions = builder.ActionBuilder(self.browser)
        actions.pointer_action.move_to_location(*start).pointer_down()
        actions.pointer_action.move_to_location(*end).pointer_up()
        actions.perform()

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def hosts(self) -> set[str]:
        """Whom the page has asked for anything."""
        sent = [json.loads(e["message"])["message"] for e in self.browser.get_log("performance")]
        urls = [
            m["params"]["request"]["url"]
            for m in sent
            if m["method"] == "Network.requestWillBeSent"
        ]
        return {urlsplit(url).netloc for url in urls if url.startswith("http")}


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    make_pairs(tmp_path)
    with serving(tmp_path) as (_, address):
        opened = Page(address)
        try:
            opened.wait(f"{SHOWN} === '0000'")
            yield opened
            assert not opened.errors()
            assert opened.hosts() == {urlsplit(address).netloc}
        finally:
            opened.browser.quit()


def test_looking(page: Page) -> None:
    top = "document.querySelector('#pictures .top').dataset.layer"
    page.wait(f"{top} === 'phone'")
    page.press(" ")
    page.wait(f"{top} === 'reference'")
    page.press("j")
    page.wait(f"{SHOWN} === '0001'")
    page.press("4")
    page.wait(f"{top} === 'residual'")
    page.press("5", "w")
    page.wait(f"{top} === 'correlation'")
    page.wait("!document.getElementById('windows').hidden")
    assert "kept" in str(page.value("document.getElementById('legend').textContent"))
    page.press("3")
    page.drag(page.at("#frame", 0.5, 0.5), page.at("#frame", 0.2, 0.5))
    page.wait("Math.abs(parseFloat(document.getElementById('divider').style.left) - 20) < 2")


def test_deciding_searching_and_undoing(page: Page, tmp_path: Path) -> None:
    page.wait("document.getElementById('numbers').children.length")
    page.press("r")
    page.wait("document.documentElement.dataset.saved === '0000 reject'")
    page.wait(f"{SHOWN} === '0001' && document.getElementById('numbers').children.length")
    page.press("a")
    page.wait("document.documentElement.dataset.saved === '0001 accept'")
    page.press("u")
    page.wait("document.documentElement.dataset.saved === '0001 '")
    stored = read_decisions(tmp_path / "decisions.csv").by_stem
    assert {stem: d.verdict.value for stem, d in stored.items()} == {"0000": "reject"}
    page.press("/", "onerror", "\ue007")
    page.wait(f"{SHOWN} === {json.dumps(NASTY)}")
    assert page.value("document.getElementById('stem').textContent") == NASTY
    assert not page.value("document.querySelector('img[src=x]')")


def test_setting_four_points(page: Page, tmp_path: Path) -> None:
    page.wait("document.getElementById('numbers').children.length")
    page.press("p")
    page.wait("document.querySelectorAll('.photo img').length === 2")
    for x, y in ((0.2, 0.2), (0.8, 0.25), (0.75, 0.8), (0.25, 0.75)):
        for camera in (0, 1):
            place = page.at(f'.pane[data-camera="{camera}"] .photo', x, y)
            page.drag(place, place)
    assert page.value("document.querySelectorAll('.point').length") == 8
    page.press("\ue007")
    page.wait("!document.getElementById('trial').hidden")
    page.press("s")
    page.wait("document.documentElement.dataset.saved === '0000 points'")
    decision = read_decisions(tmp_path / "decisions.csv").by_stem["0000"]
    assert decision.verdict.value == "points"
    assert abs(decision.array[:, :2] * 1.25 - decision.array[:, 2:]).max() < 4
    assert abs(decision.array[0, :2] - [0.2 * SIZE[0], 0.2 * SIZE[1]]).max() < 3


def test_a_narrow_screen_shows_it_all(tmp_path: Path) -> None:
    make_pairs(tmp_path, 2)
    with serving(tmp_path) as (_, address):
        narrow = Page(address)
        try:
            size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
            narrow.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            narrow.wait(SHOWN)
            assert narrow.value("document.documentElement.scrollWidth") == 390
            width = narrow.value("document.getElementById('frame').offsetWidth")
            assert isinstance(width, int) and width > 350
        finally:
            narrow.browser.quit()
