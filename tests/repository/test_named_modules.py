"""Modules that strings and pages name exist: scripts in tests, patched names, logging, comments."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from documents import ROOT, definitions, tracked_files

DOTTED = re.compile(r"\bah_ray(?:\.[A-Za-z_]\w*)+")
IMPORTED = re.compile(r"\bfrom (ah_ray(?:\.\w+)*) import ([A-Za-z_][\w, ]*)")
PYTHON = [name for name in tracked_files() if name.endswith(".py")]
DATA = {"env", "parquet", "log", "jsonl", "json", "yaml", "css"}
"""Endings of files that happen to be called like the package."""


def exists(dotted: str) -> bool:
    """Return whether a dotted name is a module of the package, or something that one defines."""
    folder, parts = ROOT, dotted.split(".")
    while parts and (folder / parts[0]).is_dir():
        folder /= parts.pop(0)
    if not parts:
        return True
    module = folder / f"{parts[0]}.py"
    if module.is_file():
        return len(parts) == 1 or parts[1] in names_in(module)
    return parts[0] in names_in(folder / "__init__.py") or parts[0] in DATA


def names_in(module: Path) -> set[str]:
    """Return what can be imported from a module: its definitions and what it imports itself."""
    found = set(definitions(module))
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return found


def strings_of(name: str) -> str:
    """Return all string literals of a Python file, docstrings included, one below another."""
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    return "\n".join(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


@pytest.mark.parametrize("name", PYTHON)
def test_every_module_that_a_string_names_exists(name):
    if name == Path(__file__).relative_to(ROOT).as_posix():
        return
    text = strings_of(name)
    named = set(DOTTED.findall(text))
    for module, imported in IMPORTED.findall(text):
        named |= {f"{module}.{one.split(' as ')[0].strip()}" for one in imported.split(",")}
    missing = sorted(one for one in named if not exists(one))
    assert not missing, f"{name} names {missing}, which do not exist"


@pytest.mark.parametrize(
    ("dotted", "is_there"),
    [
        ("ah_ray.errors", True),
        ("ah_ray.errors.ConfigError", True),
        ("ah_ray.output.lease.STALE_S", True),
        ("ah_ray.results.lease", False),
        ("ah_ray.nowhere.at_all", False),
        ("ah_ray.score", True),
    ],
)
def test_a_dotted_name_is_looked_up(dotted, is_there):
    assert exists(dotted) == is_there
