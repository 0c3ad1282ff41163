"""Texts that every file format may hold, and cells that no spreadsheet runs. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
Cell = str | int | float | None


def clean_text(text: str) -> str:
    """Return the text with U+FFFD for what neither XML nor UTF-8 can hold."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def guarded(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula (source: OWASP, CSV injection)."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """Return the text from which `guarded` made a cell."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def write_csv(
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    mark: bool = False,
) -> bytes:
    """Return a CSV in UTF-8: texts guarded, numbers as they are, nothing for None.

    `mark`: with the mark at its beginning by which spreadsheets know UTF-8.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return (b"\xef\xbb\xbf" if mark else b"") + text.getvalue().encode()


def write_tsv(columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, none: str) -> bytes:
    """Return a table with tabs: texts on one line and guarded, `none` for None."""
    lines = ["\t".join(columns)]
    for row in rows:
        lines.append("\t".join(none if c is None else " ".join(_cell(c).split()) for c in row))
    return ("\n".join(lines) + "\n").encode()


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    return guarded(clean_text(value)) if isinstance(value, str) else f"{value:.10g}"
