"""Links from pages to files of the project that are no pages: model cards, parameters, tables."""

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.structure.files import File, Files

# The target of a Markdown link or image, without its anchor.
LINK = re.compile(r"(\]\()(?P<target>[^)#\s:]+)(?P<anchor>#[^)\s]*)?(\))")
# Where copies lie in the site.
COPIES = "project"


class ProjectLinks:
    """Files outside docs/ that pages link to, brought along under `project/`.

    Args:
        root: folder of the project.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._docs = root, root / "docs"

    def linked_from(self, files: Files) -> dict[str, Path]:
        """The files to bring along, by their place in the site, links of links too."""
        todo = [
            Path(file.abs_src_path) for file in files.documentation_pages() if file.abs_src_path
        ]
        found: dict[str, Path] = {}
        while todo:
            path = todo.pop()
            for link in LINK.finditer(path.read_text(encoding="utf-8")):
                target = (path.parent / link["target"]).resolve()
                if self._is_outside(target) and self._name(target) not in found:
                    found[self._name(target)] = target
                    todo += [target] if target.suffix == ".md" else []
        return found

    def _is_outside(self, path: Path) -> bool:
        """Whether a link leads to a file of the project that is no page already."""
        is_ours = path.is_relative_to(self._root) and not path.is_relative_to(self._docs)
        return is_ours and path.is_file()

    def _name(self, path: Path) -> str:
        """The place of a file in the site."""
        if path.is_relative_to(self._docs):
            return path.relative_to(self._docs).as_posix()
        # `README.md` would become the index of its folder.
        name = path.relative_to(self._root).as_posix().replace("README.md", "readme-file.md")
        return f"{COPIES}/{name}"

    def rewrite(self, markdown: str, file: File) -> str:
        """The text of a page with every link to a file of the project leading to its copy."""
        if not file.abs_src_path:
            return markdown
        source = Path(file.abs_src_path)
        folder = PurePosixPath(file.src_uri).parent

        def moved(link: re.Match[str]) -> str:
            target = (source.parent / link["target"]).resolve()
            is_copy = file.src_uri.startswith(f"{COPIES}/")
            if not self._is_outside(target) and not (is_copy and target.is_file()):
                return link[0]
            name = os.path.relpath(self._name(target), folder)
            return f"{link[1]}{name}{link['anchor'] or ''}{link[4]}"

        return LINK.sub(moved, markdown)
