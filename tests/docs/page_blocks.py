"""The code blocks of the pages, with what a page says of how each is tested.

A block of the language `sh` is, by the comment on the line above it:

- `<!-- run -->`: run by a shell in a copy of the project;
- `<!-- not run: REASON -->`: neither run nor checked;
- without a comment: checked, command by command, without running.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT
from markdown_it import MarkdownIt

PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")],
    key=lambda path: path.relative_to(ROOT).as_posix(),
)
TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: the page, relative to the project.
        line: its first line, from 1.
        language: sh, python, diff, text, ...
        title: the file that it is, where the page says so.
        mark: the comment above it; empty without one.
        text: what is within.
    """

    page: str
    line: int
    language: str
    title: str | None
    mark: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_run(self) -> bool:
        return self.mark == "run"

    @property
    def reason(self) -> str | None:
        """Why it is not run, where the page says so."""
        before, _, reason = self.mark.partition("not run:")
        return reason.strip() if reason and not before else None


def blocks_of(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page in order."""
    mark = ""
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block":
            mark = token.content.strip().removeprefix("<!--").removesuffix("-->").strip()
        elif token.type == "fence":
            assert token.map
            language = token.info.split()[0] if token.info else ""
            title = TITLE.search(token.info)
            yield Block(
                page.relative_to(ROOT).as_posix(),
                token.map[0] + 1,
                language,
                title[1] if title else None,
                mark,
                token.content,
            )
            mark = ""
        elif not token.hidden and token.type != "inline":
            mark = ""


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
