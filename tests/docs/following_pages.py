"""A copy of the project with the outputs of a small run, in which what a page says is done."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from conftest import ROOT, edit_yaml, render_rig, run
from page_blocks import Block
from PIL import Image

SCENES = ("canyon-wren", "casa-mila", "lake-sherburne", "perched-osprey")
STAGES = ("align", "patches", "accuracy", "teacher", "student", "evaluate")
# Photos that the pages speak of, which a reader would have.
OWN_PHOTOS = {"iphone": "iphone", "pixel": "iphone", "canon": "canon"}
SINGLE_PHOTOS = ("IMG_1.jpg", "holiday/IMG_2.jpg", "old/IMG_3.jpg", "a.jpg")


def make_project(folder: Path, vgg_file: Path) -> None:
    """Copy what is tracked, and run the pipeline at a small size."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("data/sample/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    render_rig(folder, SCENES)
    (folder / "data/features").mkdir()
    shutil.copy(vgg_file, folder / "data/features")
    edit_yaml(folder / "params.yaml", {"patches.min_ncc": 0.8})
    for command in (*((stage, "--phone=iphone") for stage in STAGES), ("lr",), ("sr",)):
        done = run(folder, *command)
        assert done.returncode == 0, done
    for name, camera in OWN_PHOTOS.items():
        shutil.copytree(folder / "data/rig" / camera, folder / "my/photos" / name)
    for photo in (folder / "my/photos/pixel").iterdir():
        exif = Image.Exif()
        exif.update({0x010F: "Google", 0x0110: "Pixel 8"})
        Image.open(photo).save(photo, quality=95, exif=exif)
    for name in SINGLE_PHOTOS:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(folder / "data/rig/iphone/canyon-wren.jpg", folder / name)
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "start")):
        _git(folder, *command)


def copy_project(project: Path, folder: Path) -> Path:
    """Another copy, which a page may change."""
    return shutil.copytree(project, folder, dirs_exist_ok=True, symlinks=True)


def follow(blocks: Iterable[Block], folder: Path) -> None:
    """Do what blocks say, one after the other.

    A diff is applied, a block with a title is written to that file, `sh` and `python` are run,
    and a `text` behind that must be what was printed, where `...` stands for anything.
    """
    printed: str | None = None
    for block in blocks:
        if block.language == "diff":
            _git(folder, "apply", "--recount", given=block.text, where=block)
        elif block.title:
            (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.title).write_text(block.text)
        elif block.language in ("sh", "python"):
            printed = _run(block, folder)
            continue
        elif block.language == "text" and printed is not None:
            for line in filter(None, map(str.strip, block.text.splitlines())):
                expected = ".*".join(map(re.escape, re.split(r"\s*\.\.\.\s*", line)))
                assert re.search(expected, printed), f"{block}: {line}\nin:\n{printed}"
        printed = None


def _run(block: Block, folder: Path) -> str:
    """What a block printed."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "COLUMNS": "200",
        "OMP_NUM_THREADS": "1",
    }
    shell = ["bash", "-euo", "pipefail", "-c"]
    command = [*(shell if block.language == "sh" else (sys.executable, "-c")), block.text]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{block}:\n{done.stdout}"
    return done.stdout


def _git(folder: Path, *arguments: str, given: str = "", where: object = "") -> None:
    command = ["git", "-c", "user.name=Someone", "-c", "user.email=someone@example.org", *arguments]
    done = subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True)
    assert done.returncode == 0, f"{where}: {done.stderr}"
