"""Rows of a CSV or Parquet file as texts, whatever their types: None where nothing is written."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from ah_ray import storage
from ah_ray.errors import ConfigError

Row = dict[str, str | None]


def read_rows(uri: str, needed: Collection[str]) -> Iterator[tuple[int, Row]]:
    """(line of a CSV or row of a Parquet file, its cells by the column's name in lower case).

    Raises ConfigError if it is no such file, or lacks a column that is needed.
    """
    with storage.open_read(uri) as file:
        if uri.lower().endswith(".csv"):
            yield from _of_csv(uri, file, needed)
        else:
            yield from _of_parquet(uri, file, needed)


def _of_csv(uri: str, file, needed: Collection[str]) -> Iterator[tuple[int, Row]]:
    try:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        reader = csv.reader(text, strict=True)
        names = _names(uri, next(reader, []), needed)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(names):
                raise ConfigError(
                    f"{uri}: line {reader.line_num} has more cells than the header; "
                    "put quotes around a value that holds a comma"
                )
            yield reader.line_num, _row(names, cells)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{uri} is not a CSV file in UTF-8: {error}") from None


def _of_parquet(uri: str, file, needed: Collection[str]) -> Iterator[tuple[int, Row]]:
    try:
        table = pq.ParquetFile(file)
        names = _names(uri, table.schema_arrow.names, needed)
        number = 0
        for batch in table.iter_batches(batch_size=10_000):
            for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                number += 1
                yield number, _row(names, cells)
    except pa.ArrowException as error:
        raise ConfigError(f"{uri} is not a Parquet file: {error}") from None


def _names(uri: str, written: list[str], needed: Collection[str]) -> list[str]:
    names = [name.strip().lower() for name in written]
    if missing := [name for name in needed if name not in names]:
        shown = ", ".join(names) or "none"
        raise ConfigError(f"{uri} has no column {', '.join(missing)} (its columns: {shown})")
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"{uri} has the column {', '.join(sorted(twice))} twice")
    return names


def _row(names: Sequence[str], cells: Iterable[object]) -> Row:
    """A URI stays as it is written: a blank may be part of a name, and names are hashed."""
    return {
        name: text if name == "uri" else (text.strip() or None if text else None)
        for name, text in zip(names, map(_text, cells), strict=False)
    }


def _text(cell: object) -> str | None:
    if cell is None or cell != cell:  # null, or pandas' NaN for it
        return None
    return str(cell) or None
