"""Lines, tables and bars on a terminal: names cannot control it, and no figure is cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from ah_ray.escaping import escape_text

_WIDEST_TEXT = 40  # characters of a cell, which continues on the next line
_ANY_WIDTH = 10_000


def say(console: Console, *lines: str) -> None:
    """Print each line as it is, however long, with the control characters and markup escaped."""
    for line in lines:
        console.print(escape_text(line), soft_wrap=True, markup=False, highlight=False)


def print_table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: numbers flush right, and texts, whose column names begin with `<`, flush left.

    On a narrow terminal lines are longer than that, since a figure that is cut is a wrong one.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in columns:
        if name.startswith("<"):
            table.add_column(name[1:], overflow="fold", max_width=_WIDEST_TEXT)
        else:
            table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(escape_text(cell)) for cell in row))
    wide = console.options.update(max_width=_ANY_WIDTH)
    table.width = Measurement.get(console, wide, table).maximum
    console.print(table, crop=False, soft_wrap=True)


@contextmanager
def byte_progress(title: str, total: int, console: Console) -> Iterator[Callable[[int], None]]:
    """Show a bar of `total` bytes, and give a function that advances it by a number of bytes."""
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn(title), *columns, console=console) as progress:
        bar = progress.add_task(title, total=total)
        yield lambda n_bytes: progress.advance(bar, n_bytes)
