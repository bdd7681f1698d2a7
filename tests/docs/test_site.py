"""The site builds without warnings, needs no network, and has all commands and parameters."""

import os
import re
import shutil
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import ROOT
from pydantic import BaseModel

from pipeline.app import COMMANDS
from ppcn.params import Params

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


class Fetched(HTMLParser):
    """What a browser fetches with a page: pictures, scripts, styles; not where links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        source = given.get("href") if tag == "link" else given.get("src")
        if tag in ("link", "script", "img", "iframe", "source") and source:
            self.sources.append(source)


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        parser = Fetched()
        parser.feed(page.read_text(encoding="utf-8"))
        assert parser.sources
        for source in parser.sources:
            assert not re.match(r"(https?:)?//", source), f"{page.name}: {source}"
            place = (page.parent / source.partition("?")[0].partition("#")[0]).resolve()
            # 404.html is served from any folder, and so names absolute paths.
            assert page.name == "404.html" or place.is_file(), f"{page.name}: {source}"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?https?:", style.read_text(encoding="utf-8")), style


@pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="no chromium and chromium-driver here",
)
def test_the_search_works_from_the_disk(site: Path) -> None:
    webdriver = pytest.importorskip("selenium.webdriver")
    waiting = pytest.importorskip("selenium.webdriver.support.wait")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        browser.get((site / "index.html").as_uri())
        find = "return document.querySelector('[data-md-component=search-{}]')"
        query = browser.execute_script(find.format("query"))
        browser.execute_script("arguments[0].focus()", query)
        query.send_keys("photo has a capture time")
        wait = waiting.WebDriverWait(browser, 60)
        wait.until(
            lambda _: (
                "Copy them from the camera" in browser.execute_script(find.format("result")).text
            )
        )
    finally:
        browser.quit()


def test_every_command_and_option_is_described(site: Path) -> None:
    page = unescape((site / "commands.html").read_text(encoding="utf-8"))
    for name, command in COMMANDS.items():
        assert f'id="{name}"' in page
        assert command.summary in page
    assert page.count("--phone &lt;str&gt;") + page.count("--phone <str>") > 8


def keys(model: type[BaseModel], prefix: str) -> list[str]:
    return [f"{prefix}.{name}" for name in model.model_fields]


def test_every_parameter_is_described(site: Path) -> None:
    page = (site / "parameters.html").read_text(encoding="utf-8")
    for name, field in Params.model_fields.items():
        assert f'id="{name}"' in page
        kind = field.annotation
        groups = keys(kind, name) if isinstance(kind, type) and issubclass(kind, BaseModel) else []
        for key in groups:
            assert re.search(rf"<code>{re.escape(key)}(\.|</code>)", page), key
    # Kind and limit by the schema, value and comment by the file.
    row = re.search(r"<tr>\s*<td><code>align.min_inliers</code>.*?</tr>", page, re.DOTALL)
    assert row
    assert all(t in row[0] for t in ("<code>12</code>", "whole number ≥ 8", "reject the pair"))


def test_every_package_has_a_page_of_its_functions(site: Path) -> None:
    for part in sorted((ROOT / "ppcn").iterdir()):
        if (part / "__init__.py").is_file():
            assert (site / f"api/{part.name}.html").is_file(), part
    page = (site / "api/losses.html").read_text(encoding="utf-8")
    assert 'id="ppcn.losses.contextual"' in page
    assert "Mechrez et al. 2018" in page


def test_cards_and_tables_come_along(site: Path) -> None:
    page = (site / "enhancing.html").read_text(encoding="utf-8")
    assert 'href="project/ppcn/weights/any.html"' in page
    card = (site / "project/ppcn/weights/any.html").read_text(encoding="utf-8")
    assert 'href="any-student.html"' in card
    assert (site / "project/ppcn/weights/any.csv").is_file()
