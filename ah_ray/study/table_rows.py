"""Rows of a CSV or Parquet file as texts of any type; None for an empty cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ah_ray import storage
from ah_ray.cohort.manifest import read_bounded_lines
from ah_ray.cohort.parquet_rows import read_parquet_rows
from ah_ray.errors import ConfigError

MAX_ROWS = 5_000_000
_MAX_BYTES = 1 << 30  # of the file, and of its columns as they are in memory
_MAX_CELL = 8192  # characters: a few bytes of Parquet can stand for millions of long texts
_BATCH_ROWS = 1_000
Row = dict[str, str | None]


def read_rows(
    uri: str,
    needed: Collection[str],
    known: Collection[str],
    instead: Mapping[str, str] | None = None,
) -> Iterator[tuple[int, Row]]:
    """Yield the line of a CSV, or row of a Parquet file, and its cells by column in lower case.

    Other columns than `needed` and `known` are not read; a needed column may be missing where the
    one is there that `instead` names for it. Raise ConfigError if the file is neither, lacks a
    needed column, or is too large.
    """
    needs = _Needs(tuple(needed), dict(instead or {}))
    if (storage.stat(uri).size_bytes or 0) > _MAX_BYTES:
        raise _too_large(uri)
    wanted = {*needed, *known}
    for n_rows, (number, row) in enumerate(_rows(uri, needs, wanted)):
        if n_rows >= MAX_ROWS:
            raise _too_large(uri)
        if any(len(text) > _MAX_CELL for text in row.values() if text):
            raise ConfigError(f"{uri}: row {number} holds a text of over {_MAX_CELL:,} characters")
        yield number, row


@dataclass(frozen=True, slots=True)
class _Needs:
    """The columns that a file must have, and what may be there instead of some."""

    columns: tuple[str, ...]
    instead: dict[str, str]

    def missing_from(self, names: Collection[str]) -> list[str]:
        return [
            name
            for name in self.columns
            if name not in names and self.instead.get(name) not in names
        ]


def _too_large(uri: str) -> ConfigError:
    return ConfigError(
        f"{uri} is too large: over {MAX_ROWS:,} rows or {_MAX_BYTES >> 30} GiB; split it"
    )


def _rows(uri: str, needed: _Needs, wanted: set[str]) -> Iterator[tuple[int, Row]]:
    with storage.open_read(uri) as file:
        if uri.lower().endswith(".csv"):
            yield from _of_csv(uri, file, needed, wanted)
        else:
            yield from _of_parquet(uri, file, needed, wanted)


def _of_csv(
    uri: str, file: BinaryIO, needed: _Needs, wanted: set[str]
) -> Iterator[tuple[int, Row]]:
    try:
        lines = read_bounded_lines(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
        header = next(lines, "")
        # Spreadsheets of countries that write 1,5 put semicolons between columns.
        delimiter = ";" if ";" in header and "," not in header else ","
        reader = csv.reader(chain([header], lines), strict=True, delimiter=delimiter)
        names = _names(uri, next(reader, []), needed)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(names):
                raise ConfigError(
                    f"{uri}: line {reader.line_num} has more cells than the header; "
                    f"put quotes around a value that holds a {delimiter}"
                )
            yield reader.line_num, _row(names, cells, wanted)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{uri} is not a CSV file in UTF-8: {error}") from None


def _of_parquet(
    uri: str, file: BinaryIO, needed: _Needs, wanted: set[str]
) -> Iterator[tuple[int, Row]]:
    name_of: dict[str, str] = {}

    def choose(table: pq.ParquetFile) -> tuple[list[str], list[str]]:
        schema = table.schema_arrow
        name_of.update(zip(schema.names, _names(uri, schema.names, needed), strict=True))
        columns = [written for written, name in name_of.items() if name in wanted]
        _check_size(uri, table.metadata, columns)
        return columns, [one for one in columns if pa.types.is_string(schema.field(one).type)]

    for number, row in read_parquet_rows(uri, file, choose, batch_rows=_BATCH_ROWS):
        yield number, _row(map(name_of.__getitem__, row), row.values(), wanted)


def _check_size(uri: str, metadata: pq.FileMetaData, columns: list[str]) -> None:
    groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
    chunks = (group.column(n) for group in groups for n in range(group.num_columns))
    n_bytes = sum(c.total_uncompressed_size for c in chunks if c.path_in_schema in columns)
    if metadata.num_rows > MAX_ROWS or n_bytes > _MAX_BYTES:
        raise _too_large(uri)


def _names(uri: str, written: list[str], needed: _Needs) -> list[str]:
    names = [name.strip().lower() for name in written]
    if missing := needed.missing_from(names):
        shown = ", ".join(names) or "none"
        remedy = "; put commas between columns" if any(";" in one for one in names) else ""
        raise ConfigError(
            f"{uri} has no column {', '.join(missing)} (its columns: {shown}){remedy}"
        )
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"{uri} has the column {', '.join(sorted(twice))} twice")
    return names


def _row(names: Iterable[str], cells: Iterable[object], wanted: set[str]) -> Row:
    """Return the cells as texts. A URI keeps its blanks, which may be part of a name."""
    return {
        name: text if name == "uri" else (text.strip() or None if text else None)
        for name, text in zip(names, map(_text, cells), strict=False)
        if name in wanted
    }


def _text(cell: object) -> str | None:
    if cell is None or cell != cell:  # null, or pandas' NaN for it
        return None
    return str(cell) or None
