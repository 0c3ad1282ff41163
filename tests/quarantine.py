"""A pytest plugin: the tests of `tests/quarantine.toml` run, and may fail.

A test belongs there if it fails by chance and the cause is known but not repaired. Its entry names
the test and gives the reason, which pytest prints when the test fails:

    ["tests/faults/test_kills.py::test_a_killed_decoder"]
    reason = "waits for a port that the machine may have given to another process"
    since = 2026-11-28
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).with_name("quarantine.toml")


def read_quarantine(path: Path) -> dict[str, dict[str, Any]]:
    """Return the entries of a quarantine file by test, without parameters."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quarantine", type=Path, default=FILE, help="tests that may fail by chance")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    entries = read_quarantine(config.getoption("--quarantine"))
    for item in items:
        if entry := entries.get(re.split(r"[\[@]", item.nodeid)[0]):
            item.add_marker(pytest.mark.xfail(reason=entry["reason"], strict=False))
