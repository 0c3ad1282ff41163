"""Reads an output as two Arrow tables, without opening a file for each video."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.output.row_files import rows_folder
from ah_ray.output.table_files import CLIPS_FILE, VERDICTS_FILE, open_table
from ah_ray.records import CLIPS, VERDICTS


def read_verdicts(out: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return one row for each video of the cohort: records.VERDICTS, sorted by video_id.

    `columns` selects some columns. Raise ConfigError if the output or a column does not exist, if
    the table is damaged, or if a newer ah_ray wrote it.
    """
    return _read(out, VERDICTS_FILE, VERDICTS, columns)


def read_clips(out: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return one row for each clip: records.CLIPS, sorted by video_id and clip_index.

    Raise the errors of `read_verdicts`.
    """
    return _read(out, CLIPS_FILE, CLIPS, columns)


def _read(out: str, name: str, schema: pa.Schema, columns: Sequence[str] | None) -> pa.Table:
    try:
        with open_table(storage.normalise(out), name) as table:
            stored = table.schema.names
            # Columns that an earlier version did not have are null.
            known = [*stored, *(column for column in schema.names if column not in stored)]
            if unknown := [column for column in columns or () if column not in known]:
                raise ConfigError(
                    f"{name} has no column {', '.join(unknown)}; it has {', '.join(known)}"
                )
            wanted = schema.names if columns is None else list(columns)
            found = table.read([column for column in wanted if column in stored])
            return _with_nulls(found, schema, wanted).replace_schema_metadata()
    except ObjectMissing:
        raise no_tables_error(out) from None
    except StorageError as error:
        raise ConfigError(f"{out} cannot be read: {error}") from None


def _with_nulls(table: pa.Table, schema: pa.Schema, wanted: Sequence[str]) -> pa.Table:
    for column in wanted:
        if column not in table.column_names:
            field = schema.field(column)
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(list(wanted)) if len(table.column_names) == len(wanted) else table


def no_tables_error(out: str) -> ConfigError:
    """Return the error for missing tables: there is no output, or its first run has not ended."""
    try:
        next(iter(storage.list_pages(rows_folder(out))))
    except (StorageError, StopIteration):
        return ConfigError(f"{out} is no output of ah_ray: it has no {VERDICTS_FILE}")
    return ConfigError(
        f"{out} has rows, but no tables yet: they are written when a run ends; "
        "wait for it, or run the same score.py again to finish it"
    )
