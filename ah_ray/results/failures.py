"""Which videos failed, so that a run can tell which to try again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray.cohort.identity import row_name
from ah_ray.errors import ErrorKind
from ah_ray.records import NOT_PARQUET
from ah_ray.results.row import FAILED
from ah_ray.results.row_files import read_row_files
from ah_ray.results.table_files import open_tables

ID_COLUMNS = ["video_id", "etag", "config_fingerprint"]


def known_failures(
    out: str, committed: Mapping[str, Sequence[str]]
) -> dict[str, tuple[ErrorKind, int]]:
    """Which committed rows say `failed`: name → its kind, and how often the content was tried.

    `committed` is cohort.committed_names(out). What the table calls scored, or failed for good,
    stays so. What it does not know, or what may have been tried again since it was written, is
    looked up in the row's own file. A file that is no row counts as a crash that was never tried.
    """
    doubtful = {name for names in committed.values() for name in names}
    failures: dict[str, tuple[ErrorKind, int]] = {}
    columns = ("status", "error_kind", "attempts")
    with suppress(*NOT_PARQUET), open_tables(out) as tables:  # a damaged table knows nothing
        if tables is not None:
            for batch in tables.verdicts.iter_batches(columns=[*ID_COLUMNS, *columns]):
                passing = pc.is_in(batch["error_kind"], value_set=_MAY_PASS)
                settled = batch.filter(
                    pc.or_(pc.not_equal(batch["status"], FAILED), pc.invert(passing))
                )
                known = doubtful.intersection(names_of(settled))
                doubtful -= known
                failures |= _failures(settled, known)
    for name, row in read_row_files(out, sorted(doubtful), columns):
        if row is None:
            failures[name] = (ErrorKind.CRASH, 0)
            continue
        status, kind, attempts = (row[column][0].as_py() for column in columns)
        if status == FAILED:
            failures[name] = (ErrorKind(kind), attempts)
    return failures


_MAY_PASS = pa.array([kind.value for kind in ErrorKind if kind.may_pass])


def _failures(rows: pa.RecordBatch, names: set[str]) -> dict[str, tuple[ErrorKind, int]]:
    """Of those rows that failed and have one of these names."""
    failed = rows.filter(pc.equal(rows["status"], FAILED))
    kinds, attempts = failed["error_kind"].to_pylist(), failed["attempts"].to_pylist()
    return {
        name: (ErrorKind(kind), tried)
        for name, kind, tried in zip(names_of(failed), kinds, attempts, strict=True)
        if name in names
    }


def names_of(rows: pa.RecordBatch) -> Iterator[str]:
    """The names of the files that these rows are of."""
    return map(row_name, *(rows[column].to_pylist() for column in ID_COLUMNS))
