"""Pages for the packages of the library, whose docstrings mkdocstrings reads."""

from pathlib import Path


def module_pages(root: Path) -> dict[str, str]:
    """The text of a page for every package and loose module of ppcn, by its place in docs/.

    Args:
        root: folder of the project.
    """
    parts = [path for path in sorted((root / "ppcn").iterdir()) if _is_public(path)]
    return {f"api/{path.stem}.md": _page(root, path) for path in parts}


def _is_public(path: Path) -> bool:
    return (path / "__init__.py").is_file() or (path.suffix == ".py" and path.stem != "__init__")


def _page(root: Path, path: Path) -> str:
    """A heading, and what mkdocstrings puts in for each module."""
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    names = [file.relative_to(root).with_suffix("").as_posix().replace("/", ".") for file in files]
    modules = [name.removesuffix(".__init__") for name in names]
    return "\n\n".join([f"# ppcn.{path.stem}", *(f"::: {module}" for module in modules)])
