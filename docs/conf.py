"""Configuration of Sphinx, which builds the site: ``tox -e docs``.

The pages are plain Markdown. The rest is derived here: the navigation from the lists of `index.md`,
the captions of files from the words after a block's language. The site is self-contained and works
from ``file://``.
"""

import re
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "pytest_evals"
author = "The pytest_evals developers"
copyright = author  # noqa: A001 - the name that Sphinx reads
release = version = installed_version("pytest-evals-matrix")

extensions = ["myst_parser", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
master_doc = "index"
exclude_patterns = ["_build", "**/__pycache__"]
nitpicky = True

myst_enable_extensions = ["strikethrough"]
myst_heading_anchors = 4  # links to headings, as GitHub makes them
myst_linkify_fuzzy_links = False

html_theme = "furo"
html_title = "pytest_evals"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_remove_prompts = True

_GROUP = re.compile(r"^\*\*(.+)\*\*$")
_ENTRY = re.compile(r"^- \[[^\]]+\]\(([^):]+)\.md\)")
_FOLDER = re.compile(r"\[([^\]]+)\]\((\.\./[^):]+)\)")
_FILE = re.compile(r"^```(\w+) (\+?)(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def navigation(index: str) -> str:
    """Return hidden tables of contents: a caption for each bold line of the index, and its links."""
    groups: dict[str, list[str]] = {}
    caption = ""
    for line in index.splitlines():
        if group := _GROUP.match(line):
            caption = group[1]
        elif entry := _ENTRY.match(line):
            groups.setdefault(caption, []).append(entry[1])
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {name}\n\n{chr(10).join(pages)}\n```\n"
        for name, pages in groups.items()
    )


def captioned(page: str) -> str:
    """Give each block that is a file its name as a caption."""
    return _FILE.sub(_with_caption, page)


def _with_caption(block: "re.Match[str]") -> str:
    """Write one block with a caption; a part of a file is shown without one."""
    language, added, name, text = block.groups()
    if "." not in name:
        return f"```{language}\n{text}```"
    title = f"{name} (added at its end)" if added else name
    return f"```{{code-block}} {language}\n:caption: {title}\n\n{text}```"


def without_folders(text: str, home: Path) -> str:
    """Replace links to folders by their text: a site cannot show folders, unlike a repository."""
    return _FOLDER.sub(lambda link: link[1] if (home / link[2]).is_dir() else link[0], text)


def _read(app: "Sphinx", page: str, source: list[str]) -> None:
    """Add navigation and captions to the source of a page."""
    source[0] = without_folders(source[0], (Path(app.srcdir) / page).parent)
    if page == "index":
        source[0] += navigation(source[0])
    source[0] = captioned(source[0])


def setup(app: "Sphinx") -> dict[str, bool]:
    """Connect to the reading of pages."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
