"""The words that this project does not use. `python tests/words.py` prints every finding."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOT_PROSE = ("tests/goldens/", "tests/media/recordings/", "ah_ray/omni/tiny/", "LICENSE")
"""Files that others wrote, or that tests compare byte for byte."""
OWN_FILES = ("tests/words.py", "tests/test_words.py", "docs/glossary.md")
"""Files that have to name the words."""

REPLACEMENTS = {
    r"whatever": "any, or name the cases",
    r"anew": "again",
    r"mend(s|ed|ing)?": "fix, repair; what to do",
    r"shall": "must, will",
    r"seldom": "rarely",
    r"amiss": "wrong",
    r"hence|whence|hitherto": "so, from where, until now",
    r"(here|there|where)(in|by|of)": "a full sentence",
    r"nought|albeit|lest|unto|upon": "nothing, although, so that … not, to, on",
    r"(is|are|was|were|be|been|being) told": "is reported, is shown",
    r"things? of": "a noun of the field",
    r"of which": "whose, that, or a second sentence",
    r"giv(e|es|ing) way": "yields, stops, fails",
    r"to and fro": "back and forth",
}
BANNED = re.compile(rf"\b({'|'.join(REPLACEMENTS)})\b", re.IGNORECASE)

PARTICIPLES = frozenset(
    """
    again alone asked assigned chosen counted drawn exported found given held judged kept known
    labelled left made merged met named packed said seen shown taken together told written
    """.split()  # noqa: SIM905 (a list of one word a line is harder to read)
)
"""A function is called by a verb and a noun, a module by a noun: never by one of these alone."""


def prose_files() -> list[str]:
    """Return the paths of all text files under version control that this project wrote."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    endings = (".py", ".md", ".html", ".yaml", ".yml", ".toml", ".txt", ".css", ".js")
    return [
        name
        for name in listed.stdout.decode().split("\0")
        if (name.endswith(endings) or name.startswith(".ci/"))
        and not name.startswith(NOT_PROSE)
        and name not in OWN_FILES
        and (ROOT / name).is_file()
    ]


def banned_words(name: str, text: str) -> Iterator[str]:
    """Yield a line for each banned word or name in a file's text."""
    for number, line in enumerate(text.splitlines(), 1):
        prose = re.sub(r"`tests/[^`]*`", "", line).replace("_", " ")
        for match in BANNED.finditer(prose):
            yield f"{name}:{number}: {match[0]!r}: write {replacement(match[0])}"
    if name.endswith(".py"):
        for number, identifier in function_and_module_names(name, text):
            if identifier.strip("_").lower() in PARTICIPLES:
                yield f"{name}:{number}: {identifier!r} is no name: take a verb and a noun"


def replacement(word: str) -> str:
    """Return what to write in place of a banned word."""
    return next(
        good for pattern, good in REPLACEMENTS.items() if re.fullmatch(pattern, word, re.IGNORECASE)
    )


def function_and_module_names(name: str, text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and name of the module and of every function and method in it."""
    yield 1, Path(name).stem
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name


def find_all() -> list[str]:
    """Return a line for each banned word or name in the project."""
    return [
        line
        for name in prose_files()
        for line in banned_words(name, (ROOT / name).read_text(encoding="utf-8"))
    ]


if __name__ == "__main__":
    sys.exit("\n".join(find_all()) or None)
