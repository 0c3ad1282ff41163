"""The files OUT/videos/<video_id>-<hash8>.parquet: one row each, written whole, read in bulk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing
from ah_ray.records import NOT_PARQUET, SCHEMA_VERSION, VERDICT

READERS = 16
_AT_ONCE = 512  # files under way or held, before what they gave is passed on


def rows_folder(out: str) -> str:
    return storage.join(out, "videos")


def row_bytes(row: dict) -> bytes:
    """A row of records.VERDICT as a Parquet file."""
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist([row], schema=VERDICT)
    pq.write_table(
        table,
        sink,
        compression="none",  # of a single row it saves nothing, and takes half of the time
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
    )
    return sink.getvalue().to_pybytes()


def read_row_files(
    out: str, names: Sequence[str], columns: Sequence[str] = VERDICT.names
) -> Iterator[tuple[str, pa.Table | None]]:
    """Each name with its row, in this order, read by a few threads.

    None for a file that has gone or is not a row: its video then counts as having none, and is
    scored again. Raises ConfigError if a newer ah_ray wrote one.
    """
    folder = rows_folder(out)
    with ThreadPoolExecutor(READERS, thread_name_prefix="rows") as pool:
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            uris = [storage.join(folder, name) for name in some]
            yield from zip(some, pool.map(_read_row, uris, [columns] * len(uris)), strict=True)


def _read_row(uri: str, columns: Sequence[str]) -> pa.Table | None:
    wanted = list(dict.fromkeys([*columns, "schema_version"]))
    try:
        data = pa.BufferReader(storage.read_bytes(uri))
    except ObjectMissing:
        return None
    try:
        row = pq.ParquetFile(data, page_checksum_verification=True).read(wanted, use_threads=False)
        check_version(uri, row["schema_version"][0].as_py())
        return row.select(columns).cast(pa.schema([VERDICT.field(name) for name in columns]))
    except (*NOT_PARQUET, KeyError, IndexError):
        return None


def check_version(uri: str, schema_version: int | None) -> None:
    """Raises ConfigError if a newer ah_ray than this one wrote it."""
    if (schema_version or 0) > SCHEMA_VERSION:
        raise ConfigError(
            f"{uri} has schema version {schema_version}, and this ah_ray reads up to "
            f"{SCHEMA_VERSION}: upgrade ah_ray"
        )
