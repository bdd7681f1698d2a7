"""The report: one HTML page that needs nothing else and asks nobody for anything."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from ppcn.report.blocks import Block, Card, Section


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        title: of the page.
        heading: of its first screen.
        lead: what was run, on what, in sentences.
        cards: how good it is.
        blocks: what the first screen shows beside them.
        sections: everything else.
        foot: the last line.
    """

    title: str
    heading: str
    lead: Sequence[str]
    cards: Sequence[Card]
    blocks: Sequence[Block]
    sections: Sequence[Section]
    foot: str


def render(page: Page) -> str:
    """The page as HTML.

    All text is escaped. The page's policy permits its own script and style by their digests and
    pictures that are part of it, and forbids every request.
    """
    environment = Environment(
        loader=PackageLoader("ppcn.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = files("ppcn.report") / "templates"
    style, script = (
        (parts / name).read_text(encoding="utf-8") for name in ("report.css", "report.js")
    )
    return environment.get_template("report.html").render(
        page=page,
        style=Markup(style),
        script=Markup(script),
        policy=(
            f"default-src 'none'; img-src data:; style-src {_digest(style)}; "
            f"script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
        ),
    )


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
