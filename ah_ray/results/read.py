"""Reading an output: two Arrow tables, whatever its size, without opening a file per video."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.records import NOT_PARQUET
from ah_ray.results.row_files import rows_folder
from ah_ray.results.table_files import CLIPS_FILE, VERDICTS_FILE, damaged, open_table


def read_verdicts(out: str, columns: Sequence[str] | None = None) -> pa.Table:
    """One row for each video of the cohort: records.VERDICTS, sorted by video_id.

    `columns` picks some of them. Raises ConfigError if there is no such output, no such column,
    if the table is damaged, or if a newer ah_ray wrote it.
    """
    return _read(out, VERDICTS_FILE, columns)


def read_clips(out: str, columns: Sequence[str] | None = None) -> pa.Table:
    """One row for each clip: records.CLIPS, sorted by video_id and clip_index.

    Raises as `read_verdicts` does.
    """
    return _read(out, CLIPS_FILE, columns)


def _read(out: str, name: str, columns: Sequence[str] | None) -> pa.Table:
    try:
        with open_table(storage.normalise(out), name) as table:
            known = table.schema_arrow.names
            if unknown := [column for column in columns or () if column not in known]:
                raise ConfigError(
                    f"{name} has no column {', '.join(unknown)}; it has {', '.join(known)}"
                )
            try:
                wanted = None if columns is None else list(columns)
                found = table.read(columns=wanted, use_threads=False)
            except NOT_PARQUET as error:
                raise damaged(storage.join(out, name), error) from None
            return found.replace_schema_metadata()
    except ObjectMissing:
        raise no_tables(out) from None
    except StorageError as error:
        raise ConfigError(f"{out} cannot be read: {error}") from None


def no_tables(out: str) -> ConfigError:
    """Says why an output has no tables: it is none, or its first run has not ended."""
    try:
        next(iter(storage.list_pages(rows_folder(out))))
    except (StorageError, StopIteration):
        return ConfigError(f"{out} is no output of ah_ray: it has no {VERDICTS_FILE}")
    return ConfigError(
        f"{out} has rows, but no tables yet: they are written when a run ends; "
        "wait for it, or run the same score.py again to finish it"
    )
