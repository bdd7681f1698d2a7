import base64
import hashlib
from html.parser import HTMLParser

from ppcn.report.blocks import Card, Facts, Gallery, Picture, Pictures, Section, Slider, Table
from ppcn.report.page import Page, render

NASTY = "\"><script>alert('x')</script><img src=x onerror=alert(1)> & 日本"
PICTURE = Picture(NASTY, "data:image/png;base64,AA==", 4, 3)


class Read(HTMLParser):
    """Tags with their attributes, texts, and what stands in scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.raw: dict[str, str] = {}
        self._raw = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._raw = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._raw = ""

    def handle_data(self, data: str) -> None:
        if self._raw:
            self.raw[self._raw] = self.raw.get(self._raw, "") + data
        else:
            self.texts.append(data)


def _page() -> str:
    blocks = [
        Table(NASTY, NASTY, [NASTY, "b"], [[NASTY, "2"]], [(NASTY, 2)]),
        Table("values", "", [], [[NASTY, "1"]]),
        Facts(NASTY, NASTY, [(NASTY, NASTY)]),
        Pictures(NASTY, NASTY, [PICTURE]),
        Gallery(NASTY, NASTY, [NASTY], [(NASTY, [PICTURE])]),
        Slider(NASTY, NASTY, [PICTURE, PICTURE], 0, 1),
    ]
    cards = [Card(NASTY, NASTY, NASTY, NASTY)]
    section = Section("one", NASTY, blocks, NASTY)
    return render(Page(NASTY, NASTY, [NASTY], cards, blocks[-1:], [section], NASTY))


def test_all_text_is_escaped() -> None:
    page = _page()
    read = Read(page)
    assert [tag for tag, _ in read.tags].count("script") == 1
    assert not [tag for tag, attributes in read.tags if "onerror" in attributes]
    assert all(a["src"] == PICTURE.uri for tag, a in read.tags if tag == "img")
    assert page.count("alert(") == page.count("alert(&#39;x&#39;)") + page.count("alert(1)")
    assert sum(NASTY in text for text in read.texts) > 20


def test_a_loss_does_not_look_like_a_gain() -> None:
    cards = [Card("a", "1", "+0.10 dB", ""), Card("b", "1", "-0.10 dB", ""), Card("c", "1", "", "")]
    page = render(Page("", "", [], cards, [], [], ""))
    assert '<span class="change">+0.10 dB</span>' in page
    assert '<span class="change worse">-0.10 dB</span>' in page
    assert page.count('class="change') == 2


def test_the_policy_permits_the_page_s_own_script_and_style_and_no_request() -> None:
    read = Read(_page())
    (policy,) = (
        attributes["content"]
        for tag, attributes in read.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(read.raw[kind].encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"
    # A style attribute or a handler would be refused, and a link of another kind asked for.
    assert not [tag for tag, attributes in read.tags if {"style", "onclick"} & attributes.keys()]
    links = [a.get("href") or "" for tag, a in read.tags if tag in ("a", "link")]
    assert all(link.startswith(("#", "data:")) for link in links)
