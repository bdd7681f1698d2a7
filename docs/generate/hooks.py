"""What MkDocs calls while it builds the site; `mkdocs.yml` names this file.

Pages that are written by hand hold a placeholder where something generated goes, and link to files
of the project outside docs/, as they do for readers of the repository. The site gets both.
"""

from pathlib import Path

import commands
import parameters
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from modules import module_pages
from project_links import ProjectLinks

ROOT = Path(__file__).parents[2]
PLACEHOLDERS = {
    "<!-- generated: commands -->": commands.describe_all,
    "<!-- generated: parameters -->": parameters.describe_all,
}

links = ProjectLinks(ROOT)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages of the library's packages behind its overview."""
    reference = next(part["Reference"] for part in config.nav if "Reference" in part)
    place = reference.index("api.md")
    reference[place] = {"Library": ["api.md", *module_pages(ROOT)]}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for every package, and the files of the project that pages link to."""
    for name, text in module_pages(ROOT).items():
        files.append(File.generated(config, name, content=text))
    for name, path in links.linked_from(files).items():
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put in what is generated, and let links to files of the project lead to their copies."""
    for placeholder, describe in PLACEHOLDERS.items():
        if placeholder in markdown:
            markdown = markdown.replace(placeholder, describe(ROOT))
    return links.rewrite(markdown, page.file)
