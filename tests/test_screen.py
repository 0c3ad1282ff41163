"""Names that would be orders, and terminals that are narrow."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ah_ray.cli.screen import print_table, say

HOSTILE = ["[/b]", "[red]woman[/red]", "\x1b[31mred", "two\nlines", "\u202edesrever", "[link=x]y"]


def printed(width: int, show) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    show(console)
    return console.file.getvalue()


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_shown_not_obeyed(name):
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
    told = printed(80, lambda console: say(console, f"of {name}: 3"))
    assert told == f"of {safe}: 3\n"
    told = printed(80, lambda console: print_table(console, ("<", "n"), [[name, "3"]]))
    assert told.splitlines()[1].split() == [*safe.split(), "3"]


@pytest.mark.parametrize("width", [10, 50, 80, 300])
def test_nothing_is_cut(width):
    columns = ("<", "<group", "macro-F1", "recall")
    rows = [["ethnicity", "x" * 90, "0.845 [0.805, 0.884]", "0.123"], ["age", "18–24", "–", "–"]]
    told = printed(width, lambda console: print_table(console, columns, rows))
    head, *lines = told.splitlines()
    assert head.split() == ["group", "macro-F1", "recall"]
    assert "ethnicity" in lines[0] and "0.845 [0.805, 0.884]" in lines[0] and "0.123" in lines[0]
    assert told.count("x") == 90  # a long name goes on below
    assert "…" not in told


def test_figures_are_flush_right():
    told = printed(80, lambda console: print_table(console, ("<", "n"), [["a", "1"], ["b", "10"]]))
    assert [line.rstrip() for line in told.splitlines()] == ["    n", "a   1", "b  10"]
