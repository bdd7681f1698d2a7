"""Whoever follows a page, block by block in a copy of the project, gets what it promises."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from following_pages import copy_project, follow, make_project
from page_blocks import BLOCKS, Block

# One worker follows them all, from one small run.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("walks")]

WALKS = sorted({b.page for b in BLOCKS if b.page.startswith("docs/extend/")})
PAGES = sorted({b.page for b in BLOCKS if b.is_run} - {*WALKS})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, vgg_file: Path) -> Path:
    """The project with the outputs of a small run."""
    folder = tmp_path_factory.mktemp("project")
    make_project(folder, vgg_file)
    return folder


@pytest.fixture
def mine(project: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy for one page."""
    yield copy_project(project, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy")


@pytest.mark.parametrize("page", WALKS)
def test_a_walk_leads_to_its_end(page: str, mine: Path) -> None:
    follow([block for block in BLOCKS if block.page == page], mine)
    for check in (("check",), ("format", "--check")):
        command = [sys.executable, "-m", "ruff", *check, "ppcn", "pipeline", "tests"]
        done = subprocess.run(command, cwd=mine, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_cheap_run(page: str, mine: Path) -> None:
    blocks = [block for block in BLOCKS if block.page == page]
    follow([b for n, b in enumerate(blocks) if b.is_run or _is_output(blocks, n)], mine)


def _is_output(blocks: list[Block], number: int) -> bool:
    """Whether a block has what the one before it prints."""
    return number > 0 and blocks[number - 1].is_run and blocks[number].language == "text"
