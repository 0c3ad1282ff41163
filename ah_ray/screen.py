"""Lines and tables on a terminal: no name in them is obeyed, and nothing of them is cut off."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ah_ray.errors import shown

_WIDEST_TEXT = 40  # characters of a cell, from where on it goes on below
_ANY_WIDTH = 10_000


def say(console: Console, *lines: str) -> None:
    """Each as it is, however long, without what a terminal or rich would take for an order."""
    for line in lines:
        console.print(shown(line), soft_wrap=True, markup=False, highlight=False)


def print_table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns of numbers are flush right; of texts, whose names begin with `<`, left.

    On a narrow terminal its lines are longer than that: a figure that was cut is a wrong one.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in columns:
        if name.startswith("<"):
            table.add_column(name[1:], overflow="fold", max_width=_WIDEST_TEXT)
        else:
            table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    wide = console.options.update(max_width=_ANY_WIDTH)
    table.width = Measurement.get(console, wide, table).maximum
    console.print(table, crop=False, soft_wrap=True)
