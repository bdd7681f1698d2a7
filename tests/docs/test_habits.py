"""What a repository has beside its code: citation, forms for issues, a container."""

import re
import subprocess

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

import ppcn

FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"))
IGNORED = [
    line.rstrip("/*")
    for line in (ROOT / ".dockerignore").read_text().splitlines()
    if line and not line.startswith(("!", "**"))
]
KEPT = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"]


def read(name: str) -> dict:
    return YAML(typ="safe").load((ROOT / name).read_text())


def test_the_citation_is_of_this_version_and_names_the_papers() -> None:
    citation = read("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == ppcn.__version__
    assert citation["license"] == "Apache-2.0"
    assert {"title", "message", "authors"} <= citation.keys()
    papers = " ".join(paper["title"] for paper in citation["references"])
    for name in ("Perception-Preserving", "DSLR-Quality", "Mux and Demux"):
        assert name in papers


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_a_form_is_one_that_github_shows(form) -> None:
    fields = read(form.relative_to(ROOT).as_posix())
    assert {"name", "description", "body"} <= fields.keys()
    kinds = {"markdown", "textarea", "input", "dropdown", "checkboxes"}
    assert {field["type"] for field in fields["body"]} <= kinds
    identities = [field["id"] for field in fields["body"] if "id" in field]
    assert len({*identities}) == len(identities)
    for field in fields["body"]:
        assert field["attributes"].get("label") or field["type"] == "markdown"


def test_the_container_has_all_that_git_has_and_runs_what_exists() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    for name in listed.split():
        if not name.startswith(tuple(KEPT)):
            assert not name.startswith(tuple(f"{folder}/" for folder in IGNORED)), name
    text = (ROOT / "Dockerfile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = re.findall(r"make (\w+) PYTHON", text) + re.findall(r'"make", "(\w+)"', text)
    assert called == ["setup", "repro"]
    assert {*called} <= targets
    for copied in re.findall(r"^COPY (\S+)", text, re.MULTILINE):
        assert (ROOT / copied).exists(), copied
    assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


def test_pictures_of_the_pages_are_small() -> None:
    pictures = [*(ROOT / "docs/pictures").iterdir()]
    assert all(picture.stat().st_size < 150_000 for picture in pictures)
    assert sum(picture.stat().st_size for picture in pictures) < 1_000_000
