"""The files OUT/videos/<video_id>-<hash8>.parquet: one row each, written whole, read in bulk."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq

from ah_ray import logs, storage
from ah_ray.cohort.identity import row_name
from ah_ray.errors import LeaseLost, ObjectMissing, StorageError
from ah_ray.escaping import escape_text
from ah_ray.output import rows_folder
from ah_ray.output.guarded_write import Written, write_guarded
from ah_ray.output.lease_guard import LeaseGuard
from ah_ray.records import FROM_MANIFEST, NOT_PARQUET, SCHEMA_VERSION, VERDICT, check_version
from ah_ray.verdicts.verdict import Row

READERS = 16
NAMED_BY = ("video_id", "etag", "config_fingerprint")
"""The columns from which the name of a row's file follows."""

_LATER_COLUMNS = {"asked", *FROM_MANIFEST}
"""Columns that rows of this schema version lack if they were written before its release."""

EMBEDDINGS_FOLDER = "embeddings"
"""Beside OUT/videos: a file of the same name for each row whose embeddings are kept."""

_AT_ONCE = 512  # files that are read before their rows are yielded


def embeddings_folder(out: str) -> str:
    """Return the URI of OUT/embeddings."""
    return storage.join(out, EMBEDDINGS_FOLDER)


def files_of_rows(out: str, names: Iterable[str]) -> Iterator[str]:
    """Yield the URIs of all that belongs to rows, to be removed in this order.

    The row goes last: it is what names the video, should the removal be broken off.
    """
    for name in names:
        yield storage.join(embeddings_folder(out), name)
        yield storage.join(rows_folder(out), name)


def row_bytes(row: Row) -> bytes:
    """Return a row of records.VERDICT as a Parquet file."""
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist([row], schema=VERDICT)
    pq.write_table(
        table,
        sink,
        compression="none",  # for a single row it saves nothing, and takes half of the time
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def commit_row(
    out: str, row: Row, *, stale: Sequence[str] = (), guard: LeaseGuard | None = None
) -> str:
    """Write a row of records.VERDICT to OUT/videos; return its file's name.

    A row for the same content and configuration is replaced. `stale` are names of the video's
    older rows; they go only after the new one is there, so a reader always finds one. Their
    embeddings go with them.

    With a `guard`, the row is written only while the run holds OUT, and only over the version that
    was there when that was last confirmed. So a process that was stopped just before it wrote
    neither replaces a row of the run that took over, nor brings back one that was removed. Without
    a guard (--no-lease), it is written unconditionally.

    Raise StorageError if the row is not written, and LeaseLost if another run holds OUT.
    """
    name = row_name(row["video_id"], row["etag"], row["config_fingerprint"])
    folder = rows_folder(out)
    uri, data = storage.join(folder, name), row_bytes(row)
    is_first = name not in stale and (row["attempts"] or 1) == 1
    write_held(uri, data, guard, is_probably_new=is_first)
    if old := [name_before for name_before in stale if name_before != name]:
        try:
            if guard is not None:
                guard.check()
            storage.remove(files_of_rows(out, old))
        except StorageError as error:  # the row itself is written; the end of the run tries again
            logs.event("not removed", str(error), level=logging.WARNING)
    return name


def write_held(
    uri: str, data: bytes, guard: LeaseGuard | None, *, is_probably_new: bool = True
) -> None:
    """Write an object of a row as `commit_row` does: only while the run holds OUT.

    Raise StorageError if it is not written, and LeaseLost if another run holds OUT.
    """
    if guard is None:
        storage.write_whole(uri, data)
        return
    written = write_guarded(uri, data, guard.check, is_probably_new=is_probably_new)
    _take_back_if_lost(uri, written, guard)


def _take_back_if_lost(uri: str, written: Written, guard: LeaseGuard) -> None:
    """Raise LeaseLost if this was written after another run had taken OUT, and remove it.

    The video may have been withdrawn meanwhile. What replaced an earlier row stays: the other run
    may count on it.
    """
    try:
        guard.check()
    except LeaseLost:
        if written.is_new and guard.removes_on_condition:
            with suppress(StorageError):
                storage.remove_if(uri, written.etag)
        raise
    except StorageError:
        pass  # the row is there, and the lease is read again before the next one


def read_row_files(
    out: str,
    names: Sequence[str],
    columns: Sequence[str] = VERDICT.names,
    *,
    misnamed_too: bool = False,
) -> Iterator[tuple[str, pa.Table | None]]:
    """Yield each name with its row, in this order, read by several threads.

    The row is None for a file that is missing, is not a row, or holds another row than its name
    says: its video then has no row, and is scored again. `misnamed_too` yields rows of the last
    kind as well. Raise ConfigError if a newer ah_ray wrote a row.
    """
    folder = rows_folder(out)
    with ThreadPoolExecutor(READERS, thread_name_prefix="rows") as pool:
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            read = partial(_read_row, folder, columns=columns, misnamed_too=misnamed_too)
            yield from zip(some, pool.map(read, some), strict=True)


def _read_row(
    folder: str, name: str, *, columns: Sequence[str], misnamed_too: bool
) -> pa.Table | None:
    uri = storage.join(folder, name)
    wanted = list(dict.fromkeys([*columns, "schema_version", *NAMED_BY]))
    try:
        data = pa.BufferReader(storage.read_bytes(uri))
    except ObjectMissing:
        return None
    try:
        row = pq.ParquetFile(data, page_checksum_verification=True).read(wanted, use_threads=False)
        if not _says_whose_it_is(row.schema):
            return None
        written_by = row["schema_version"][0].as_py()
        check_version(uri, written_by)
        if row_name(*(row[column][0].as_py() for column in NAMED_BY)) != name:
            logs.event("row ignored", f"{escape_text(name)} holds another row than its name says")
            if not misnamed_too:
                return None
        schema = pa.schema([VERDICT.field(name) for name in columns])
        missing = set(columns) - set(row.column_names)
        is_older = written_by is not None and written_by < SCHEMA_VERSION
        if is_older or (missing and missing <= _LATER_COLUMNS):
            # Columns that an earlier version did not have are null.
            return pa.Table.from_pylist(row.to_pylist(), schema=schema)
        return row.select(columns).cast(schema)
    except (*NOT_PARQUET, KeyError, IndexError):
        return None


def _says_whose_it_is(schema: pa.Schema) -> bool:
    """Return whether what a row's name follows from is text, and its schema version a number.

    A damaged footer may give them any type.
    """
    texts = (schema.field(name).type for name in NAMED_BY)
    return pa.types.is_integer(schema.field("schema_version").type) and all(
        pa.types.is_string(one) or pa.types.is_null(one) for one in texts
    )


def row_names(rows: pa.RecordBatch) -> Iterator[str]:
    """Return the names of the files of these rows."""
    return map(row_name, *(rows[column].to_pylist() for column in NAMED_BY))
