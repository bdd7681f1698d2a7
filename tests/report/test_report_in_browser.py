"""The page in a real browser: everything moves, nothing sticks out, and it asks nobody."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import IN_BROWSER, textured

from ppcn.report.blocks import Card, Gallery, Pictures, Section, Slider, Table, photo_picture
from ppcn.report.charts import curves
from ppcn.report.page import Page, render

pytestmark = IN_BROWSER
webdriver = pytest.importorskip("selenium.webdriver")
DEVICE = "Emulation.setDeviceMetricsOverride"
LONG = "a-photo-with-a-name-that-has-no-place-to-break-and-goes-on-and-on-and-on"


def _page() -> str:
    layers = [photo_picture(name, textured(300, 400, n)) for n, name in enumerate("abc")]
    logs = {
        name: {
            "step": [50.0, 100.0, 150.0],
            "psnr": [20.0, 22.0, 21.5 + n],
            "loss": [9.0, 3.0, 2.0],
        }
        for n, name in enumerate(("first", "second"))
    }
    names = [LONG, *(f"column {n}" for n in range(20))]
    wide = Table("Wide", "", names, [[LONG, *map(str, range(20))]], [("", 1), ("others", 20)])
    rows = [["x", "1,000 ± 3"], ["y", "20"], ["z", ""], ["w", "-3.5"], ["v", "infinite"]]
    blocks = [
        Table("Sorted", "", ["name", "value"], rows),
        wide,
        curves("Training", "", logs),
        Pictures("Looks", "", layers[:2]),
        Gallery("Patches", "", ["a", "b", "c"], [(LONG, layers)]),
        Slider(LONG, "A note.", layers, 1, 2),
    ]
    cards = [Card("Student", "27.62 dB", "+8.40 dB", "PSNR")] * 4
    section = Section("one", "One section", blocks)
    return render(Page("Title", LONG, ["Lead."], cards, blocks[-1:], [section], "Foot."))


class Browser:
    """A browser of some width, px, on a light or a dark system."""

    def __init__(self, width: int, dark: bool) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for name in ("headless=new", "no-sandbox", "disable-dev-shm-usage"):
            options.add_argument(f"--{name}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options, service)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd(DEVICE, size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def value(self, script: str) -> Any:
        return self.driver.execute_script(f"return {script}")

    def element(self, selector: str) -> Any:
        found = self.driver.find_element("css selector", selector)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
        return found

    def actions(self) -> Any:
        return webdriver.ActionChains(self.driver)

    def touch(self, kind: str, x: float, y: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
        event = {"type": kind, "touchPoints": points}
        self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", event)

    def requests(self) -> list[str]:
        sent = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        urls = [
            m["params"]["request"]["url"]
            for m in sent
            if m["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith("data:")]


@pytest.fixture(
    scope="module",
    params=[(1280, False), (390, True)],
    ids=["wide and light", "phone and dark"],
)
def started(request: pytest.FixtureRequest) -> Iterator[Browser]:
    opened = Browser(*request.param)
    try:
        yield opened
    finally:
        opened.driver.quit()


@pytest.fixture
def browser(started: Browser, tmp_path: Path) -> Iterator[Browser]:
    """The browser with the page."""
    path = tmp_path / "index.html"
    path.write_text(_page(), encoding="utf-8")
    started.requests()
    started.driver.get(path.as_uri())
    yield started
    assert started.driver.get_log("browser") == []
    assert set(started.requests()) == {path.as_uri()}


def _split(browser: Browser) -> float:
    """Where the first slider's line is, percent."""
    stage = "document.querySelector('.stage')"
    return float(browser.value(f"{stage}.style.getPropertyValue('--at')").rstrip("%"))


def test_sliders_move_by_mouse_touch_and_keys(browser: Browser) -> None:
    line = browser.element(".slider input")
    assert _split(browser) == 50
    width = line.size["width"]
    actions = browser.actions().move_to_element(line).click_and_hold()
    actions.move_by_offset(round(width * 0.25), 0).release().perform()
    assert _split(browser) == pytest.approx(75, abs=2)
    box = browser.value("document.querySelector('.slider input').getBoundingClientRect().toJSON()")
    y = box["top"] + box["height"] / 2
    browser.touch("touchStart", box["left"] + 0.5 * width, y)
    for share in (0.4, 0.3, 0.2):
        browser.touch("touchMove", box["left"] + share * width, y)
    browser.touch("touchEnd", 0, 0)
    assert _split(browser) == pytest.approx(20, abs=3)
    before = _split(browser)
    line.send_keys("\ue014\ue014")
    assert _split(browser) == before + 2
    line.send_keys("\ue008\ue014")
    assert _split(browser) == before + 12
    spoken = line.get_attribute("aria-valuetext")
    assert spoken.startswith("b on ") and spoken.endswith("c on the rest")


def test_what_a_slider_shows_is_what_was_chosen(browser: Browser) -> None:
    shown = "[...document.querySelectorAll('.slider')[0].querySelectorAll('img.shown')]"
    assert browser.value(f"{shown}.map((image) => image.alt)") == ["b", "c"]
    browser.element(".choices select").send_keys("a")
    assert browser.value(f"{shown}.map((image) => image.alt)") == ["a", "c"]
    assert browser.value(f"{shown}.filter((i) => i.matches('.over')).map((i) => i.alt)") == ["a"]


def test_tables_sort_by_value_with_empty_cells_last(browser: Browser) -> None:
    rows = (
        "[...document.querySelector('.sortable tbody').rows].map((row) => row.cells[0].innerText)"
    )
    heads = browser.driver.find_elements("css selector", ".sortable th button")
    browser.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", heads[1])
    heads[1].click()
    assert browser.value(rows) == ["v", "x", "y", "w", "z"]
    heads[1].click()
    assert browser.value(rows) == ["w", "y", "x", "v", "z"]
    heads[0].send_keys("\ue007")
    assert browser.value(rows) == ["v", "w", "x", "y", "z"]
    assert browser.value("document.querySelectorAll('[aria-sort]').length") == 1


def test_curves_show_the_values_of_every_run(browser: Browser) -> None:
    chart = browser.element(".chart svg")
    tip = "document.querySelector('.chart .tip')"
    assert browser.value(f"{tip}.hidden")
    browser.actions().move_to_element_with_offset(chart, 5, 0).perform()
    text = "document.querySelector('.chart .tip').innerText.split('\\n')"
    assert browser.value(text) == ["step 100", "first 22", "second 22"]
    chart.send_keys("\ue014")
    assert browser.value(text) == ["step 150", "first 21.5", "second 22.5"]
    chart.send_keys("\ue011")
    assert browser.value(text) == ["step 50", "first 20", "second 20"]
    chart.send_keys("\ue00c")
    assert browser.value(f"{tip}.hidden")


def test_pictures_are_enlarged_and_closed_again(browser: Browser) -> None:
    browser.element(".enlarge").click()
    assert browser.value("document.querySelector('dialog').open")
    browser.actions().send_keys("\ue00c").perform()
    assert not browser.value("document.querySelector('dialog').open")


def test_the_reader_chooses_light_or_dark(browser: Browser) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    before = browser.value(paper)
    browser.element("#theme").click()
    after = browser.value(paper)
    assert {before, after} == {"rgb(255, 255, 255)", "rgb(20, 23, 27)"}


def test_nothing_sticks_out(browser: Browser) -> None:
    wide = """[...document.querySelectorAll('main *, nav, footer')].filter((element) =>
        !element.closest('.scroll table') && element.getBoundingClientRect().width
        && element.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML)"""
    assert browser.value(wide) == []
    assert browser.value("document.documentElement.scrollWidth <= innerWidth")
