"""Every link in README and docs leads to a file, and every anchor to a heading."""

import re
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT
from markdown_it import MarkdownIt
from page_blocks import PAGES

CARDS = sorted((ROOT / "ppcn/weights").glob("*.md"))
# What the site makes of pages whose headings are generated; MkDocs checks their anchors.
GENERATED = {"commands.md", "parameters.md"}


def links(page: Path) -> list[str]:
    """The targets of links and pictures that are files of the project."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    inside = [child for token in tokens for child in token.children or ()]
    targets = [str(t.attrs.get("href") or t.attrs.get("src") or "") for t in inside]
    return [t for t in targets if t and not re.match(r"[a-z]+:", t)]


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    tokens = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    titles = [tokens[n + 1].content for n, t in enumerate(tokens) if t.type == "heading_open"]
    words = [re.sub(r"[^\w\s-]", "", title.replace("`", "")).strip().lower() for title in titles]
    return {re.sub(r"[\s-]+", "-", word) for word in words}


@pytest.mark.parametrize("page", [*PAGES, *CARDS], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file(), f"{page.name}: {link}"
        assert target.is_relative_to(ROOT), link
        if anchor and target.name not in GENERATED:
            assert anchor in anchors(target), f"{page.name}: {link}"


def test_readme_leads_to_every_page_that_is_no_part_of_another() -> None:
    readme = {link.partition("#")[0] for link in links(ROOT / "README.md")}
    own = {p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").glob("*.md")}
    reached = {f"docs/{link.partition('#')[0]}" for p in own for link in links(ROOT / p)}
    assert own <= readme | reached
    assert len(readme) > 15


def test_a_missing_anchor_is_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# One `two` three\n\n[a](b.md#c) ![p](p.jpg)\n\n| x |\n|---|\n| [y](z.md) |\n")
    assert links(page) == ["b.md#c", "p.jpg", "z.md"]
    assert anchors(page) == {"one-two-three"}
