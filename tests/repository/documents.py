"""What the tests of the repository read: its pages, their links and the tests that they name."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked_files() -> list[str]:
    """Return the paths of all files under version control, and of new ones not yet committed."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).exists()]


def pages() -> list[str]:
    """Return the paths of the pages of Markdown."""
    return [name for name in tracked_files() if name.endswith(".md")]


@cache
def read_page(name: str) -> str:
    """Return the text of a page without its fenced blocks."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """Return the targets of a page's links and pictures that lie in this repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in targets if not re.match(r"[a-z][a-z+.-]*:", target)]


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+)$", text, re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 1
        unique = anchor
        while unique in found:
            unique, number = f"{anchor}-{number}", number + 1
        found.add(unique)
    return found


def named_files(text: str) -> list[tuple[str, str]]:
    """Return the files (and tests, or functions) that a page names in code, like `a/b.py::name`."""
    parts = r"`(?:python |bash |\.venv/bin/python )?([\w.-]+(?:/[\w.*-]+)+)(?:::(\w+))?(?: [^`]*)?`"
    return re.findall(parts, text)


@cache
def definitions(path: Path) -> frozenset[str]:
    """Return the names of a module's functions, classes, methods and constants."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return frozenset(found)


def test_functions(path: Path) -> frozenset[str]:
    """Return the names of a file's tests."""
    return frozenset(name for name in definitions(path) if name.startswith("test_"))


test_functions.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test
