"""Makes the site whole: what pages link to outside docs/ becomes pages of it. A hook of MkDocs.

    README.md                 index.md, the first page
    SECURITY.md …             repository/SECURITY.md
    ah_ray/records.py …       repository/ah_ray/records.py.md, with the text of the file
    ah_ray/config             repository/ah_ray/config.md, a list of its modules
    all of ah_ray             map.md, the first sentence of each module

Links stay as they are in the repository, where GitHub follows them, and are changed here only.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS, OUTSIDE = "docs/", "repository/"
LANGUAGES = {".py": "python", ".yaml": "yaml", ".toml": "toml", "": "text"}
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:|#|/")
_FENCE = re.compile(r"^(```.*?^```[^\S\n]*$)", re.MULTILINE | re.DOTALL)


def place_of(path: str) -> str:
    """Return the place on the site of a file of the repository, as a path of Markdown or a file."""
    if path == "README.md":
        return "index.md"
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    shown = path.lstrip(".")  # MkDocs leaves out what begins with a dot
    return OUTSIDE + (shown if shown.endswith(".md") else f"{shown}.md")


def _change_links(text: str, change: Callable[[str], str]) -> str:
    """Return a page with other targets of its links to files; code stays as it is."""
    parts = _FENCE.split(text)
    for number in range(0, len(parts), 2):
        parts[number] = _LINK.sub(
            lambda found: (
                found[0] if _ELSEWHERE.match(found[2]) else found[1] + change(found[2]) + found[3]
            ),
            parts[number],
        )
    return "".join(parts)


def links_of(path: str, text: str) -> list[str]:
    """Return the paths in the repository that a page links to."""
    found: list[str] = []

    def note(target: str) -> str:
        file = target.partition("#")[0]
        found.append(posixpath.normpath(posixpath.join(posixpath.dirname(path), file)))
        return target

    _change_links(text, note)
    return found


def as_on_site(path: str, text: str) -> str:
    """Return a page of the repository with its links as they are on the site."""
    here = posixpath.dirname(place_of(path))

    def change(target: str) -> str:
        file, mark, anchor = target.partition("#")
        there = place_of(posixpath.normpath(posixpath.join(posixpath.dirname(path), file)))
        return posixpath.relpath(there, here or ".") + mark + anchor

    return _change_links(text, change)


def page_of(path: str) -> str:
    """Return what the site shows of a file or folder of the repository that is no page itself."""
    file = ROOT / path
    if file.is_dir():
        lines = [f"- `{module.name}`: {summary(module)}" for module in sorted(file.glob("*.py"))]
        return "\n".join([f"# `{path}`", "", *lines, ""])
    text = file.read_text(encoding="utf-8")
    return f"# `{path}`\n\n````{LANGUAGES.get(file.suffix, 'text')}\n{text}````\n"


def summary(module: Path) -> str:
    """Return the first sentence of a module's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(docstring.partition("\n\n")[0].split())
    return re.split(r"(?<=[.:])\s", paragraph)[0].rstrip(":")


def map_of_code() -> str:
    """Return a page with each room of the package, and the first sentence of each module."""
    lines = ["# Map of the code", "", "Each module by the first sentence of its docstring. The"]
    lines += ["[architecture](architecture.md) says why it is so.", ""]
    package = ROOT / "ah_ray"
    for folder in sorted({module.parent for module in package.rglob("*.py")}):
        lines += [f"## `{folder.relative_to(ROOT)}`", "", summary(folder / "__init__.py"), ""]
        modules = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
        lines += [*[f"- `{path.name}`: {summary(path)}" for path in modules], ""]
    return "\n".join(lines)


def repository_pages() -> dict[str, str]:
    """Return the text of each page that the site has beside docs/, by its place."""
    pages = {"map.md": map_of_code(), "index.md": ""}
    docs = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").glob("*.md"))]
    waiting = ["README.md", *docs]
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        is_page = path.endswith(".md")
        text = (ROOT / path).read_text(encoding="utf-8") if is_page else page_of(path)
        if not path.startswith(DOCS):
            pages[place_of(path)] = as_on_site(path, text) if is_page else text
        if is_page:
            new = {link for link in links_of(path, text) if (ROOT / link).exists()} - seen
            new = {link for link in new if not link.startswith(DOCS)}
            seen |= new
            waiting += sorted(new)
    return pages


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of the repository. Called by MkDocs."""
    from mkdocs.structure.files import File

    for place, text in repository_pages().items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Change the links of a page of docs/. Called by MkDocs."""
    if page.file.generated_by:
        return markdown
    return as_on_site(DOCS + page.file.src_uri, markdown)
