"""SECURITY.md promises tests: each of them exists."""

from __future__ import annotations

import ast
import re

import pytest
from outputs import ROOT

PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


def test_the_page_names_tests_in_one_form():
    assert len(NAMED) > 40
    assert PAGE.count("::") - PAGE.count("simplecache::") == len(re.findall(r"\.py::test_", PAGE))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_what_the_page_names_exists(file, name):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert not name or name in functions


def test_every_threat_has_a_guard_and_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 3 and all(cells), row
        assert cells[2] == "Shown by" or "::test_" in cells[2], row
