"""Rows of a Parquet file that somebody else wrote. Damage raises; no row is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ah_ray.errors import ConfigError
from ah_ray.records import NOT_PARQUET

Choose = Callable[[pq.ParquetFile], tuple[Sequence[str], Sequence[str]]]
"""Checks a file's schema; returns the columns to read, and which of them hold text."""


def read_parquet_rows(
    uri: str,
    file: Any,
    choose: Choose,
    *,
    batch_rows: int,
    check: Callable[[pa.RecordBatch], None] | None = None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each row with its number, from 1. Call `check` before the rows of a batch are created.

    Text columns are read as dictionaries, so that a long value in many rows is kept once. Raise
    ConfigError if it is not a Parquet file, or not complete.
    """
    try:
        table = pq.ParquetFile(file)
        columns, texts = choose(table)
        table = pq.ParquetFile(
            file,
            metadata=table.metadata,
            read_dictionary=list(texts),
            page_checksum_verification=True,
        )
        number = 0
        for batch in table.iter_batches(batch_size=batch_rows, columns=list(columns)):
            if check is not None:
                check(batch)
            for row in batch.to_pylist():
                number += 1
                yield number, row
        if number != (promised := table.metadata.num_rows):
            raise ConfigError(f"{uri} is damaged: {number:,} of its {promised:,} rows can be read")
    except NOT_PARQUET as error:
        raise ConfigError(f"{uri} is not a Parquet file: {error}") from None
