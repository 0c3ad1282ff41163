"""Rows of a Parquet file that somebody else wrote: what is damaged is told, and never left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ah_ray.errors import ConfigError
from ah_ray.records import NOT_PARQUET

Choose = Callable[[pq.ParquetFile], tuple[Sequence[str], Sequence[str]]]
"""Checks what a file says of itself; gives the columns to read, and which of them are texts."""


def parquet_rows(
    uri: str,
    file: Any,
    choose: Choose,
    *,
    batch_rows: int,
    check: Callable[[pa.RecordBatch], None] | None = None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row by its number, from 1; `check` is called before the rows of a batch are made.

    Texts are read as dictionaries: one long value that stands in each of many rows stays one value.
    Raises ConfigError if this is no Parquet file, or not a whole one.
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
        if number != (told := table.metadata.num_rows):
            raise ConfigError(f"{uri} is damaged: {number:,} of its {told:,} rows can be read")
    except NOT_PARQUET as error:
        raise ConfigError(f"{uri} is not a Parquet file: {error}") from None
