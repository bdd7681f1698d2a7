"""The sentences of the troubleshooting page are the program's."""

import ast
import re
from collections.abc import Iterator

from conftest import ROOT

PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
SENTENCES = re.findall(r"^### `(.+)`$", PAGE, re.MULTILINE)
# DVC's own.
OTHERS = {"... (...) has no key '...'"}


def texts() -> Iterator[str]:
    """Every text of the program, with `...` for what is put in."""
    for path in (*ROOT.glob("ppcn/**/*.py"), *ROOT.glob("pipeline/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "..." for p in node.values)
                yield "".join(map(str, parts))


def plain(text: str) -> str:
    """A text without what is put in at its ends, and without white space."""
    return re.sub(r"^(\.\.\.|[:,\s])+|(\.\.\.|\s)+$", "", " ".join(text.split()))


def test_every_sentence_is_one_of_the_program() -> None:
    assert len(SENTENCES) > 40
    known = [" ".join(text.split()) for text in texts()]
    missing = [
        s for s in SENTENCES if s not in OTHERS and not any(plain(s) in text for text in known)
    ]
    assert not missing


def test_no_sentence_is_there_twice() -> None:
    assert len({*SENTENCES}) == len(SENTENCES)
